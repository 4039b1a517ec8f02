#include <algorithm>
#include <cstdlib>

#include "analysis/propagation/losses.h"
#include "analysis/propagation/pairing.h"

namespace fluoro::analysis::propagation {
namespace {

constexpr std::size_t kCallsMin = 5;
// Of the calls so many have to agree on one difference, within this.
constexpr double kAgree = 0.9;
constexpr std::int64_t kToleranceNs = 20'000'000;

std::int64_t MedianOf(std::vector<std::int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Estimate {
  std::int64_t low_ns = 0, high_ns = 0, middle_ns = 0;
};
Estimate EstimateOf(const ClockBounds& bounds) {
  std::vector<std::int64_t> lows, highs, middles;
  for (const auto& [low, high] : bounds) {
    lows.push_back(low);
    highs.push_back(high);
    middles.push_back(low + (high - low) / 2);
  }
  return {MedianOf(std::move(lows)), MedianOf(std::move(highs)), MedianOf(std::move(middles))};
}

}  // namespace

std::vector<Skew> SkewsOf(const EdgeTally& edge) {
  std::vector<Skew> skews;
  for (const auto& [hosts, bounds] : edge.clocks) {
    if (bounds.size() < kCallsMin) continue;
    const Estimate estimate = EstimateOf(bounds);
    if (estimate.low_ns <= kSkewNs && estimate.high_ns >= -kSkewNs) continue;
    const auto agree = std::ranges::count_if(bounds, [&](const auto& bound) {
      return bound.first <= estimate.middle_ns + kToleranceNs &&
             bound.second >= estimate.middle_ns - kToleranceNs;
    });
    if (static_cast<double>(agree) < kAgree * static_cast<double>(bounds.size())) continue;
    skews.push_back({hosts.first, hosts.second, estimate.middle_ns, bounds.size()});
  }
  std::ranges::sort(skews, {}, [](const Skew& skew) { return -std::abs(skew.ns); });
  return skews;
}

std::int64_t OffsetOf(const EdgeTally& edge) {
  ClockBounds all;
  for (const auto& [hosts, bounds] : edge.clocks)
    all.insert(all.end(), bounds.begin(), bounds.end());
  if (all.size() < kCallsMin) return 0;
  const Estimate estimate = EstimateOf(all);
  if (estimate.low_ns <= kSkewNs && estimate.high_ns >= -kSkewNs) return 0;
  return estimate.middle_ns;
}

}  // namespace fluoro::analysis::propagation
