#include "analysis/band.h"

#include <algorithm>
#include <cmath>

namespace fluoro::analysis {
namespace {

constexpr double kDeviations = 3;
/// Chance that the normal law gives to more than so many deviations on one side.
constexpr double kTail = 0.00134990;
/// Above so many expected hits the quantile's series is replaced by its expansion.
constexpr double kExactMax = 50;
/// Periods without surprise that a fresh dispersion starts with.
constexpr double kPriorPeriods = 5;
constexpr double kSquareMax = 25;
/// Five times as long.
constexpr double kBucketsAwayMax = 40;

/// The least k with P(hits > k) <= kTail, for `total` requests of which each is a hit with chance
/// `share`.
double UpperQuantile(double total, double share) {
  const double mean = total * share;
  if (mean > kExactMax) {
    // Cornish and Fisher's expansion to the skewness.
    const double deviation = std::sqrt(mean * (1 - share));
    const double skewed = (kDeviations * kDeviations - 1) / 6 * (1 - 2 * share);
    return std::min(total, std::ceil(mean + kDeviations * deviation + skewed));
  }
  double chance = std::exp(total * std::log1p(-share));
  double sum = chance;
  double hits = 0;
  while (sum < 1 - kTail && hits < total) {
    chance *= (total - hits) / (hits + 1) * (share / (1 - share));
    sum += chance;
    ++hits;
  }
  return std::min(hits, total);
}

double Faded(std::int64_t from_ns, std::int64_t until_ns) {
  const auto passed = static_cast<double>(until_ns - from_ns);
  return std::exp2(-passed / static_cast<double>(kBaselineHalfLifeNs));
}

double Variance(const UsualShare& usual, double total) {
  // Of the requests themselves, and of what is not known about the share.
  const double known = std::max(usual.requests, 1.0);
  return total * usual.share * (1 - usual.share) * (1 + total / known);
}

}  // namespace

CountBand BandOf(const UsualShare& usual, double total) {
  const double share = std::clamp(usual.share, 1e-9, 1 - 1e-9);
  const double reach = kDeviations * std::sqrt(Variance(usual, total) * usual.dispersion);
  const double mean = total * share;
  return {.low = std::clamp(std::min(mean - reach, total - UpperQuantile(total, 1 - share)), 0.0,
                            total),
          .high = std::clamp(std::max(mean + reach, UpperQuantile(total, share)), 0.0, total)};
}

void Dispersion::Learn(double hits, double total, const UsualShare& before) {
  const double variance = Variance(before, total);
  if (variance <= 0) return;
  const double difference = hits - total * before.share;
  // One wild period must not make the band so wide that nothing leaves it.
  squares_ += std::min(difference * difference / variance, kSquareMax);
  periods_ += 1;
}

void Dispersion::Fade(double factor) {
  squares_ *= factor;
  periods_ *= factor;
}

double Dispersion::value() const {
  return std::max(1.0, (squares_ + kPriorPeriods) / (periods_ + kPriorPeriods));
}

void ShareBaseline::Learn(std::int64_t start_ns, double hits, double total) {
  if (total <= 0) return;
  if (first_ns_ == INT64_MAX) {
    first_ns_ = start_ns;
  } else {
    const double factor = Faded(last_ns_, start_ns);
    hits_ *= factor;
    total_ *= factor;
    dispersion_.Fade(factor);
  }
  last_ns_ = start_ns;
  if (requests_seen_ >= kTrainingRequests) dispersion_.Learn(hits, total, Usual());
  hits_ += hits;
  total_ += total;
  requests_seen_ += total;
}

bool ShareBaseline::IsReady(std::int64_t now_ns) const {
  return requests_seen_ >= kTrainingRequests && now_ns - first_ns_ >= kTrainingNs;
}

UsualShare ShareBaseline::Usual() const {
  return {
      .share = (hits_ + 0.5) / (total_ + 1), .requests = total_, .dispersion = dispersion_.value()};
}

double CountOf(TimesView times) { return CountAbove(times, -1); }

double CountAbove(TimesView times, std::int16_t bucket) {
  double count = 0;
  for (const auto& one : times) {
    if (one.index > bucket) count += static_cast<double>(std::max<std::int64_t>(one.count, 0));
  }
  return count;
}

std::int16_t QuantileBucket(TimesView times, double quantile) {
  double left = CountOf(times) * quantile;
  std::int16_t last = -1;
  for (const auto& one : times) {
    if (one.count <= 0) continue;
    last = one.index;
    left -= static_cast<double>(one.count);
    if (left <= 0) break;
  }
  return last;
}

double BucketSeconds(std::int16_t bucket) {
  return bucket < 0 ? 0 : (std::pow(1.04, bucket + 0.5) - 1) / 1e6;
}

void TimesBaseline::Learn(std::int64_t start_ns, TimesView times, TimesView window) {
  const double total = CountOf(times);
  if (total <= 0) return;
  if (buckets_.empty()) {
    buckets_.resize(kBucketsMax);
    first_ns_ = start_ns;
  } else if (const double factor = Faded(last_ns_, start_ns); factor < 1) {
    for (float& bucket : buckets_) bucket *= static_cast<float>(factor);
    total_ *= factor;
    for (Dispersion& dispersion : dispersions_) dispersion.Fade(factor);
    for (double& squares : squares_) squares *= factor;
    windows_ *= factor;
  }
  last_ns_ = start_ns;
  for (std::size_t i = 0; requests_seen_ >= kTrainingRequests && i < kQuantiles.size(); ++i) {
    dispersions_[i].Learn(CountAbove(times, slow_buckets_[i]), total,
                          UsualAbove(slow_buckets_[i], i));
    if (window.empty()) continue;
    const double away = QuantileBucket(window, kQuantiles[i]) - slow_buckets_[i];
    squares_[i] += std::min(away * away, kBucketsAwayMax * kBucketsAwayMax);
    if (i == 0) windows_ += 1;
  }
  for (const auto& one : times) {
    if (one.count > 0) {
      const auto place = std::min(static_cast<std::size_t>(one.index), kBucketsMax - 1);
      buckets_[place] += static_cast<float>(one.count);
    }
  }
  total_ += total;
  requests_seen_ += total;
  FindSlowBuckets();
}

void TimesBaseline::FindSlowBuckets() {
  double above = 0;
  std::size_t bucket = kBucketsMax;
  for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
    while (bucket > 0 &&
           above + static_cast<double>(buckets_[bucket - 1]) <= total_ * (1 - kQuantiles[i]))
      above += static_cast<double>(buckets_[--bucket]);
    slow_buckets_[i] = static_cast<std::int16_t>(static_cast<std::int64_t>(bucket) - 1);
  }
}

bool TimesBaseline::IsReady(std::int64_t now_ns) const {
  return requests_seen_ >= kTrainingRequests && now_ns - first_ns_ >= kTrainingNs;
}

double TimesBaseline::Spread(std::size_t quantile) const {
  return windows_ <= 0 ? 0 : std::sqrt(squares_[quantile] / windows_);
}

UsualShare TimesBaseline::UsualAbove(std::int16_t bucket, std::size_t quantile) const {
  double above = 0;
  for (std::size_t i = static_cast<std::size_t>(bucket + 1); i < buckets_.size(); ++i)
    above += static_cast<double>(buckets_[i]);
  return {.share = (above + 0.5) / (total_ + 1),
          .requests = total_,
          .dispersion = dispersions_[quantile].value()};
}

}  // namespace fluoro::analysis
