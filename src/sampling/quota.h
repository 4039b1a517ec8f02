// Division of a rule's reservoir over its live clients: the server's half of centralised sampling.
// Pure: time comes in. Source: X-Ray developer guide and API (GetSamplingTargets); the division is
// ours: docs/sampling.md.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sampling/rule.h"

namespace fluoro::sampling {

inline constexpr std::int64_t kReportIntervalSeconds = 10;
inline constexpr std::int64_t kQuotaTtlSeconds = 300;
/// Beyond: the client that would be taken for dead first is forgotten.
inline constexpr std::size_t kClientsPerRuleMax = 20'000;

/// One SamplingStatisticsDocument. Several documents of one client and rule in one call are to be
/// summed first.
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
  bool operator==(const Target&) const = default;
};

/// Integer shares of `reservoir` for these demands (requests/s), in their order: max-min fair, ties
/// to the larger demand, then to the earlier place; what is left over is spread evenly. Where more
/// clients want something than there are units, `rotation` picks those that get one. The sum is
/// `reservoir` unless there is nobody. n log n.
/// @param held  what each has now, or empty: of demands that are much the same it decides ties, so
///              that units do not wander with every report, and lie idle on their way.
std::vector<std::int32_t> MaxMinFair(std::int32_t reservoir, const std::vector<double>& demands,
                                     std::int64_t rotation,
                                     const std::vector<std::int32_t>& held = {});

/// Seconds between two reports of one client, by the number of live clients of the rule.
std::int32_t ReportInterval(std::size_t clients);

/// State of one rule. Not thread-safe. While the reservoir stays the same, the quotas last promised
/// to live clients never sum to more than it. A client silent for three intervals counts as dead.
class QuotaAssigner {
 public:
  /// Books the report and answers it. A report with the timestamp of this client's last one is a
  /// repetition: it is answered, not booked.
  Target Accept(const Rule& rule, const Report& report, std::int64_t now_ns);
  /// Clients not yet found dead by the last Accept.
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }
  /// Clients that were forgotten for want of room.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }

 private:
  struct Client {
    std::int64_t last_timestamp_ns = 0;
    std::int64_t deadline_ns = 0;  ///< dead after this
    double demand = 0;             ///< requests/s
    std::int32_t interval_s = kReportIntervalSeconds;
    std::int32_t quota = 0;  ///< last promised
    std::int32_t share = 0;  ///< of the division made last
  };

  void DropSilent(std::int64_t now_ns);
  void Drop(const std::string& client_id);
  void Divide(std::int32_t reservoir, std::int64_t now_ns);

  std::map<std::string, Client> clients_;
  std::set<std::pair<std::int64_t, std::string>> by_deadline_;
  std::int64_t promised_ = 0;  ///< sum of clients_' quota, and of what is in returned_
  /// What clients gave back and is not free yet: since when it is (ns) -> units.
  std::map<std::int64_t, std::int64_t> returned_;
  std::uint64_t crowded_out_ = 0;
  std::int64_t waiting_ = 0;  ///< clients that have nothing and a share, as of the last division
  std::int64_t divided_ns_ = 0;
  std::int32_t divided_reservoir_ = -1;
};

/// Counts per 10-second window, kept 30 minutes: GetSamplingStatisticSummaries. Not thread-safe.
class StatisticsWindows {
 public:
  struct Window {
    std::int64_t request_count = 0, sampled_count = 0, borrow_count = 0;
    bool operator==(const Window&) const = default;
  };
  using Windows = std::map<std::string, std::map<std::int64_t, Window>>;

  /// Books the report in the window of its timestamp. Left out: repetitions (same rule, client and
  /// timestamp), and times more than 30 minutes ago or more than 10 minutes ahead.
  void Add(const std::string& rule_name, const Report& report, std::int64_t now_ns);
  /// Drops windows that are older than 30 minutes; Add does so too.
  void Prune(std::int64_t now_ns);
  /// A deleted rule disappears.
  void Forget(const std::string& rule_name);
  /// rule -> window start (Unix seconds) -> counts.
  [[nodiscard]] const Windows& windows() const { return windows_; }

 private:
  Windows windows_;
  /// When booked (Unix seconds) -> (rule, client, timestamp) hashes, to know repetitions.
  std::map<std::int64_t, std::set<std::uint64_t>> booked_;
};

}  // namespace fluoro::sampling
