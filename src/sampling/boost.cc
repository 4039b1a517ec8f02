#include "sampling/boost.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kWindowSeconds = 10;
constexpr double kWantedChance = 0.95;

}  // namespace

double RateToCatchOne(std::int64_t anomalies) {
  if (anomalies <= 0) return 0;
  // 1 - (1 - chance)^(1/n), in a form that keeps its digits for large n.
  return -std::expm1(std::log1p(-kWantedChance) / static_cast<double>(anomalies));
}

void BoostDecider::Add(const BoostReport& report, std::int64_t now_ns) {
  const std::int64_t window_s = now_ns / kNsPerSecond / kWindowSeconds * kWindowSeconds;
  if (window_s != window_s_) by_service_.clear();
  window_s_ = window_s;
  auto at = by_service_.find(report.service_name);
  if (at == by_service_.end()) {
    if (by_service_.size() >= kBoostServicesMax) return;
    at = by_service_.emplace(report.service_name, BoostReport{}).first;
  }
  at->second.total_count += std::max<std::int64_t>(report.total_count, 0);
  at->second.anomaly_count += std::max<std::int64_t>(report.anomaly_count, 0);
  at->second.sampled_anomaly_count += std::max<std::int64_t>(report.sampled_anomaly_count, 0);
}

std::optional<Boost> BoostDecider::At(const Rule& rule, double base_rate, std::int64_t now_ns) {
  if (!rule.boost) return std::nullopt;
  if (began_ns_ && now_ns < *began_ns_ + kBoostSeconds * kNsPerSecond) return boost_;
  std::int64_t anomalies = 0;
  std::int64_t sampled = 0;
  if (now_ns / kNsPerSecond - window_s_ < kWindowSeconds) {
    // One request is seen by each service it passes: the largest figure, not the sum.
    for (const auto& [name, counts] : by_service_) {
      anomalies = std::max(anomalies, counts.anomaly_count);
      sampled = std::max(sampled, counts.sampled_anomaly_count);
    }
  }
  const std::int64_t cooldown_ns = std::int64_t{rule.boost->cooldown_minutes} * 60 * kNsPerSecond;
  if (anomalies == 0 || sampled > 0 || (began_ns_ && now_ns < *began_ns_ + cooldown_ns))
    return std::nullopt;
  const double highest = std::max(rule.boost->max_rate, rule.fixed_rate);
  const double rate = std::clamp(RateToCatchOne(anomalies), rule.fixed_rate, highest);
  if (!(rate > base_rate)) return std::nullopt;
  began_ns_ = now_ns;
  boost_ = {.rate = rate, .until_s = now_ns / kNsPerSecond + kBoostSeconds};
  return boost_;
}

}  // namespace fluoro::sampling
