#include "sampling/tail_judge.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace fluoro::sampling {
namespace {

std::uint64_t HashOf(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  const std::array<std::uint64_t, 3> words{a, b, c};
  return XXH3_64bits(words.data(), sizeof(words));
}

}  // namespace

TailTraffic::Part& TailTraffic::PartAt(std::int64_t ns) {
  const std::int64_t number = ns / kPartNs;
  const auto at = std::ranges::lower_bound(parts_, number, {}, &Part::number);
  if (at != parts_.end() && at->number == number) return *at;
  return *parts_.insert(at, Part{.number = number, .routes = {}, .shapes = {}});
}

void TailTraffic::AddTo(Durations& durations, std::int16_t bucket, std::uint32_t traces) {
  const auto at = std::ranges::lower_bound(durations, bucket, {}, &Count::bucket);
  if (at != durations.end() && at->bucket == bucket) {
    at->traces += traces;
  } else {
    durations.insert(at, {.bucket = bucket, .traces = traces});
  }
}

void TailTraffic::Add(const TailFacts& facts) {
  Part& part = PartAt(facts.arrival_ns);
  bool has_room = true;
  if (part.routes.size() < kRoutesMax || part.routes.contains(facts.route)) {
    AddTo(part.routes[facts.route], facts.duration_bucket, 1);
  } else {
    has_room = false;
  }
  if (part.shapes.size() < kShapesMax || part.shapes.contains(facts.shape)) {
    ++part.shapes[facts.shape];
  } else {
    has_room = false;
  }
  if (!has_room) ++crowded_out_;
}

void TailTraffic::Forget(std::int64_t before_ns) {
  std::erase_if(parts_, [=](const Part& part) { return part.number < before_ns / kPartNs; });
}

std::optional<std::int16_t> TailTraffic::QuantileOf(std::uint64_t route, double q) const {
  Durations all;
  std::uint64_t traces = 0;
  for (const Part& part : parts_) {
    const auto at = part.routes.find(route);
    if (at == part.routes.end()) continue;
    for (const Count& count : at->second) {
      AddTo(all, count.bucket, count.traces);
      traces += count.traces;
    }
  }
  if (traces == 0) return std::nullopt;
  auto rank = static_cast<std::uint64_t>(std::floor(q * static_cast<double>(traces - 1)));
  for (const Count& count : all) {
    if (rank < count.traces) return count.bucket;
    rank -= count.traces;
  }
  return all.back().bucket;
}

std::optional<double> TailTraffic::SeenPerHour(std::uint64_t shape) const {
  std::uint64_t seen = 0;
  for (const Part& part : parts_) {
    if (const auto at = part.shapes.find(shape); at != part.shapes.end()) seen += at->second;
  }
  if (seen == 0) return std::nullopt;
  const double hours =
      static_cast<double>((parts_.back().number - parts_.front().number + 1) * kPartNs) /
      static_cast<double>(kHourNs);
  return static_cast<double>(seen) / std::max(hours, 1.0);
}

bool TailJudge::IsSlow(const TailFacts& facts, double quantile) {
  const auto [at, is_new] =
      thresholds_.try_emplace(HashOf(facts.route, std::bit_cast<std::uint64_t>(quantile), 0));
  if (is_new) at->second = traffic_.QuantileOf(facts.route, quantile);
  return at->second && facts.duration_bucket > *at->second;
}

bool TailJudge::IsRare(const TailFacts& facts, double per_hour_below) {
  auto known = seen_per_hour_.find(facts.shape);
  if (known == seen_per_hour_.end()) {
    const auto seen = traffic_.SeenPerHour(facts.shape);
    if (seen_per_hour_.size() >= TailTraffic::kShapesMax) return seen && *seen < per_hour_below;
    known = seen_per_hour_.emplace(facts.shape, seen).first;
  }
  return known->second && *known->second < per_hour_below;
}

bool TailJudge::Takes(std::size_t number, const TailFacts& facts) {
  const TailPolicy& policy = policies_.policies[number];
  if (!policy.filter.empty() && (facts.filters >> number & 1U) == 0) return false;
  if (policy.outcomes != 0 && (policy.outcomes & facts.outcomes) == 0) return false;
  if (policy.slower_than_route_quantile && !IsSlow(facts, *policy.slower_than_route_quantile))
    return false;
  return !policy.shapes_seen_per_hour_below || IsRare(facts, *policy.shapes_seen_per_hour_below);
}

// Null: the bucket is empty.
TailJudge::Bucket* TailJudge::BucketWithToken(std::size_t number, const TailFacts& facts) {
  const double per_second = *policies_.policies[number].per_second;
  const double capacity = std::max(per_second, 1.0);
  std::uint64_t key = HashOf(number + 1, facts.route, facts.outcomes);
  if (buckets_.size() >= kBucketsMax && !buckets_.contains(key)) key = number;
  const auto [at, is_new] =
      buckets_.try_emplace(key, Bucket{.tokens = capacity, .filled_ns = facts.start_ns});
  Bucket& bucket = at->second;
  const double seconds =
      (static_cast<double>(facts.start_ns) - static_cast<double>(bucket.filled_ns)) / 1e9;
  if (seconds > 0) {
    bucket.tokens = std::min(capacity, bucket.tokens + seconds * per_second);
    bucket.filled_ns = facts.start_ns;
  }
  return bucket.tokens >= 1 ? &bucket : nullptr;
}

TailJudge::Range TailJudge::RangeWithoutFilters(const std::array<std::uint8_t, 16>& trace_id,
                                                TailFacts facts) {
  facts.filters = ~std::uint64_t{0};
  Range range;
  for (std::size_t number = 0; number < policies_.policies.size(); ++number) {
    if (!Takes(number, facts)) continue;
    const TailPolicy& policy = policies_.policies[number];
    (IsInFraction(trace_id, policy.keep) ? range.may_keep : range.may_drop) = true;
    if (policy.filter.empty() && !policy.per_second) return range;
  }
  range.may_keep = true;
  return range;
}

TailDecision TailJudge::Judge(const std::array<std::uint8_t, 16>& trace_id, const TailFacts& facts,
                              bool takes_token) {
  for (std::size_t number = 0; number < policies_.policies.size(); ++number) {
    const TailPolicy& policy = policies_.policies[number];
    if (!Takes(number, facts)) continue;
    Bucket* const bucket = policy.per_second ? BucketWithToken(number, facts) : nullptr;
    if (policy.per_second && bucket == nullptr) continue;
    const bool keep = IsInFraction(trace_id, policy.keep);
    // Whether there is a token must not hang on the trace's own draw, or weights would be wrong.
    if (keep && takes_token && bucket != nullptr) bucket->tokens -= 1;
    return {.keep = keep, .probability = policy.keep, .policy = number};
  }
  return {};
}

}  // namespace fluoro::sampling
