// What a share of requests (faults, slow ones) may be by chance: the band that forecasts show and
// anomalies leave.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rollup/counts.h"

namespace fluoro::analysis {

/// Counts that are not surprising, both ends included.
struct CountBand {
  double low = 0;
  double high = 0;
};

/// What is usual.
struct UsualShare {
  double share = 0;       ///< 0..1
  double requests = 0;    ///< it was learnt from; fewer widen the band
  double dispersion = 1;  ///< variance between periods over that of independent requests, >= 1
};

/// Hits among `total` requests, of which 99.73 % of periods stay inside: mean +- 3 deviations,
/// widened to the exact binomial quantiles where counts are so small that the normal law does not
/// hold. Within 0..total. Pure.
CountBand BandOf(const UsualShare& usual, double total);

inline constexpr std::int64_t kTrainingNs = 30LL * 60 * 1'000'000'000;
inline constexpr double kTrainingRequests = 20;
inline constexpr std::int64_t kBaselineHistoryNs = 24LL * 3600 * 1'000'000'000;
/// What is a day old counts a sixty-fourth.
inline constexpr std::int64_t kBaselineHalfLifeNs = kBaselineHistoryNs / 6;

/// How much more periods differ than chance alone lets them. Not thread-safe.
class Dispersion {
 public:
  void Learn(double hits, double total, const UsualShare& before);
  void Fade(double factor);
  [[nodiscard]] double value() const;

 private:
  double squares_ = 0;
  double periods_ = 0;
};

/// The usual share of one kind of request, exponentially weighted. Not thread-safe.
class ShareBaseline {
 public:
  /// One period; time does not go back.
  void Learn(std::int64_t start_ns, double hits, double total);
  /// Half an hour since the first period, and 20 requests.
  [[nodiscard]] bool IsReady(std::int64_t now_ns) const;
  /// With half a hit more than was seen: none so far is not none for ever.
  [[nodiscard]] UsualShare Usual() const;

 private:
  std::int64_t first_ns_ = INT64_MAX;
  std::int64_t last_ns_ = INT64_MIN;
  double hits_ = 0;
  double total_ = 0;
  double requests_seen_ = 0;  ///< does not fade
  Dispersion dispersion_;
};

/// Requests by log bucket of their time (rollup::DurationBuckets).
using TimesView = std::span<const rollup::DurationCounts::Bucket>;
double CountOf(TimesView times);
double CountAbove(TimesView times, std::int16_t bucket);
/// The bucket that holds the quantile; -1 if there is nothing.
std::int16_t QuantileBucket(TimesView times, double quantile);
/// In seconds, to 2 %.
double BucketSeconds(std::int16_t bucket);

/// The usual times of requests, exponentially weighted: which time counts as slow, and which share
/// of them usually is. Not thread-safe.
class TimesBaseline {
 public:
  /// A service whose slowest requests hide a change shows it in its median.
  static constexpr std::array kQuantiles{0.95, 0.5};
  /// The last one holds more than a week.
  static constexpr std::size_t kBucketsMax = 700;

  /// `window`: of the last minutes, enough of them to tell a quantile; or empty.
  void Learn(std::int64_t start_ns, TimesView times, TimesView window);
  [[nodiscard]] bool IsReady(std::int64_t now_ns) const;
  /// The bucket of a usual quantile (index into kQuantiles): requests in higher buckets are slow.
  /// -1: nothing was learnt.
  [[nodiscard]] std::int16_t SlowBucket(std::size_t quantile) const {
    return slow_buckets_[quantile];
  }
  /// Of requests above a bucket; unsteady as those above the quantile are.
  [[nodiscard]] UsualShare UsualAbove(std::int16_t bucket, std::size_t quantile) const;
  /// By how many buckets the quantile of a window differs from the usual one: root mean square.
  [[nodiscard]] double Spread(std::size_t quantile) const;

 private:
  void FindSlowBuckets();

  std::int64_t first_ns_ = INT64_MAX;
  std::int64_t last_ns_ = INT64_MIN;
  std::vector<float> buckets_;
  double total_ = 0;
  double requests_seen_ = 0;
  std::array<std::int16_t, kQuantiles.size()> slow_buckets_{-1, -1};
  std::array<Dispersion, kQuantiles.size()> dispersions_;
  std::array<double, kQuantiles.size()> squares_{};
  double windows_ = 0;
};

}  // namespace fluoro::analysis
