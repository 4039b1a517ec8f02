#include "rollup/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/clock.h"
#include "rollup/duration_buckets.h"

namespace fluoro::rollup {
namespace {

const double kLogWidth = std::log(1.04);

/// The duration nearest (relatively) to every whole microsecond of a bucket.
double BucketSeconds(std::int16_t bucket) {
  const double lowest = std::ceil(std::exp(bucket * kLogWidth) - 1 - 1e-9);
  const double highest =
      std::max(lowest, std::ceil(std::exp((bucket + 1) * kLogWidth) - 1 - 1e-9) - 1);
  return highest <= 0 ? 0 : 2 * lowest * highest / (lowest + highest) / 1e6;
}

std::int64_t SaturatingSum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

std::int64_t ToNs(double ns) { return ns >= 0x1p63 ? INT64_MAX : std::llround(ns); }

}  // namespace

void DurationHistogram::Add(std::int64_t duration_ns, double weight) {
  const std::int64_t ns = std::max<std::int64_t>(duration_ns, 0);
  const bool overflown = exact_.empty() && !buckets_.empty();
  buckets_[BucketOf(ns)] += weight;
  if (overflown) return;
  exact_[ns / kNsPerMs + (ns % kNsPerMs >= kNsPerMs / 2 ? 1 : 0)] += weight;
  if (exact_.size() > kExactMax) exact_.clear();
}

void DurationHistogram::Merge(const DurationHistogram& other) {
  const bool overflown =
      (exact_.empty() && !buckets_.empty()) || (other.exact_.empty() && !other.buckets_.empty());
  for (const auto& [bucket, weight] : other.buckets_) buckets_[bucket] += weight;
  if (overflown) {
    exact_.clear();
    return;
  }
  for (const auto& [milliseconds, weight] : other.exact_) exact_[milliseconds] += weight;
  if (exact_.size() > kExactMax) exact_.clear();
}

void DurationHistogram::Merge(const DurationCounts& counts) {
  DurationHistogram other;
  const auto buckets = counts.Buckets();
  other.buckets_.reserve(buckets.size());
  for (const DurationCounts::Bucket& bucket : buckets) {
    if (bucket.count > 0) other.buckets_[bucket.index] = static_cast<double>(bucket.count);
  }
  if (other.buckets_.empty()) return;
  for (const DurationCounts::Millisecond& one : counts.Milliseconds()) {
    if (one.count > 0) other.exact_[one.ms] = static_cast<double>(one.count);
  }
  if (empty()) {
    *this = std::move(other);
  } else {
    Merge(other);
  }
}

std::vector<DurationHistogram::Entry> DurationHistogram::Entries() const {
  std::vector<Entry> entries;
  entries.reserve(exact_.size());
  for (const auto& [milliseconds, weight] : exact_) {
    entries.push_back({.seconds = static_cast<double>(milliseconds) / 1e3, .count = weight});
  }
  if (!exact_.empty() || buckets_.empty()) return entries;
  // Neighbours share an entry where there are too many buckets.
  const auto joined = static_cast<std::int16_t>((buckets_.size() + kExactMax - 1) / kExactMax);
  std::size_t in_entry = 0;
  for (const auto& [bucket, weight] : buckets_) {
    if (in_entry++ % static_cast<std::size_t>(joined) == 0) entries.emplace_back();
    Entry& entry = entries.back();
    const double count = entry.count + weight;
    if (count > 0)
      entry.seconds = (entry.seconds * entry.count + BucketSeconds(bucket) * weight) / count;
    entry.count = count;
  }
  for (Entry& entry : entries) entry.seconds = std::round(entry.seconds * 1e6) / 1e6;
  return entries;
}

std::int64_t DurationHistogram::QuantileNs(double q) const {
  double total = 0;
  for (const auto& [bucket, weight] : buckets_) total += weight;
  // Sums of weights are a little off; the rank must not slip into the next bucket for that.
  const double rank = q * total * (1 - 1e-12);
  double seen = 0;
  for (const auto& [bucket, weight] : buckets_) {
    seen += weight;
    if (seen >= rank) return ToNs(BucketSeconds(bucket) * 1e9);
  }
  return buckets_.empty() ? 0 : ToNs(BucketSeconds(buckets_.back().first) * 1e9);
}

void Statistics::Add(model::Outcome outcome, std::int64_t duration_ns, double weight) {
  const std::int64_t ns = std::max<std::int64_t>(duration_ns, 0);
  Count(outcome, weight);
  response_seconds += static_cast<double>(ns) / 1e9 * weight;
  response_ns =
      SaturatingSum(response_ns, weight == 1 ? ns : ToNs(static_cast<double>(ns) * weight));
  histogram.Add(ns, weight);
}

void Statistics::Count(model::Outcome outcome, double weight) {
  switch (outcome) {
    case model::Outcome::kOk:
      ok += weight;
      break;
    case model::Outcome::kError:
      error += weight;
      break;
    case model::Outcome::kThrottle:
      throttle += weight;
      break;
    case model::Outcome::kFault:
      fault += weight;
      break;
  }
}

void Statistics::Merge(const Statistics& other) {
  ok += other.ok;
  error += other.error;
  throttle += other.throttle;
  fault += other.fault;
  response_seconds += other.response_seconds;
  response_ns = SaturatingSum(response_ns, other.response_ns);
  histogram.Merge(other.histogram);
}

}  // namespace fluoro::rollup
