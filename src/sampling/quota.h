// Division of a rule's reservoir over its live clients: the server's half of centralised sampling.
// Pure: time comes in. Source: X-Ray developer guide and API (GetSamplingTargets); the division is
// ours: docs/sampling.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sampling/rule.h"

namespace fluoro::sampling {

inline constexpr std::int64_t kReportIntervalSeconds = 10;
inline constexpr std::int64_t kQuotaTtlSeconds = 300;
inline constexpr std::size_t kClientsPerRuleMax =
    100'000;  ///< beyond: the longest silent one is forgotten

/// One SamplingStatisticsDocument.
struct Report {
  std::string client_id;
  std::int64_t timestamp_ns = 0;
  std::int64_t request_count = 0;
  std::int64_t sampled_count = 0;
  std::int64_t borrow_count = 0;
};

/// One SamplingTargetDocument.
struct Target {
  double fixed_rate = 0;
  std::int32_t reservoir_quota = 0;
  std::int64_t reservoir_quota_ttl_s = 0;  ///< Unix seconds
  std::int32_t interval_s = 10;
};

/// Integer shares of `reservoir` for these demands (requests/s): max-min fair, what is left over
/// spread evenly. `rotation` decides who gets one when there are more clients than units.
std::vector<std::int32_t> MaxMinFair(std::int32_t reservoir, const std::vector<double>& demands,
                                     std::int64_t rotation);

/// State of one rule. Not thread-safe.
class QuotaAssigner {
 public:
  Target Accept(const Rule& rule, const Report& report, std::int64_t now_ns);
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

 private:
  struct Client {
    std::int64_t last_seen_ns = 0;
    std::int64_t last_timestamp_ns = 0;
    double demand = 0;
    std::int32_t quota = 0;
  };
  std::map<std::string, Client> clients_;
};

/// Counts per 10-second window, kept 30 minutes: GetSamplingStatisticSummaries.
class StatisticsWindows {
 public:
  struct Window {
    std::int64_t request_count = 0, sampled_count = 0, borrow_count = 0;
  };
  void Add(const std::string& rule_name, const Report& report, std::int64_t now_ns);
  /// rule -> window start (Unix seconds) -> counts.
  [[nodiscard]] const std::map<std::string, std::map<std::int64_t, Window>>& windows() const {
    return windows_;
  }

 private:
  std::map<std::string, std::map<std::int64_t, Window>> windows_;
};

}  // namespace fluoro::sampling
