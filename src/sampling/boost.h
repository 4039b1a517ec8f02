// Adaptive sampling: when requests of a rule go wrong and none of these is sampled, the rule's rate
// is raised for a minute. Pure: time comes in. Source: X-Ray developer guide, "Adaptive sampling";
// the choice of the rate is ours: docs/sampling.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sampling/rule.h"

namespace fluoro::sampling {

inline constexpr std::int64_t kBoostSeconds = 60;
/// Services of one rule that are told apart in ten seconds; what more of them report is passed
/// over.
inline constexpr std::size_t kBoostServicesMax = 1'000;

/// One SamplingBoostStatisticsDocument: what a service saw of a rule since its last report.
struct BoostReport {
  std::string service_name;
  std::int64_t total_count = 0;
  std::int64_t anomaly_count = 0;
  std::int64_t sampled_anomaly_count = 0;
};

/// SamplingBoost of a target.
struct Boost {
  double rate = 0;
  std::int64_t until_s = 0;  ///< Unix seconds
  bool operator==(const Boost&) const = default;
};

/// The smallest rate that catches one of so many anomalies with a chance of 95 %.
double RateToCatchOne(std::int64_t anomalies);

/// State of one rule. Not thread-safe.
class BoostDecider {
 public:
  /// Books a report in the ten seconds of `now_ns`.
  void Add(const BoostReport& report, std::int64_t now_ns);
  /// The boost that holds at this time, begun now if it is needed: anomalies were reported in these
  /// ten seconds and none was sampled, the cooldown is over, and the rate would be above
  /// `base_rate` (sampled / requests as observed). nullopt: none, or the rule asks for none. A
  /// boost ends a minute after it began, whatever happens.
  std::optional<Boost> At(const Rule& rule, double base_rate, std::int64_t now_ns);

 private:
  std::int64_t window_s_ = 0;
  std::map<std::string, BoostReport> by_service_;  ///< sums of the window
  std::optional<std::int64_t> began_ns_;
  Boost boost_;
};

}  // namespace fluoro::sampling
