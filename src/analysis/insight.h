// Incidents: anomalies that hang together, under the service that caused them.
// Source: X-Ray API, Insight, InsightEvent, GetInsightImpactGraph; docs/insights.md.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analysis/anomaly.h"
#include "analysis/graph_minute.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// Requests of a service, or of all clients, while an insight lasted.
struct ImpactCounts {
  double fault = 0;
  double ok = 0;
  double total = 0;
  void Add(const RequestSums& sums);
  bool operator==(const ImpactCounts&) const = default;
};

/// Stored by name: "ACTIVE", "CLOSED".
enum class InsightState : std::uint8_t { kActive, kClosed };

struct InsightEvent {
  std::int64_t time_ns = 0;
  std::string summary;
  ImpactCounts clients;
  ImpactCounts root_cause;
  std::vector<model::ServiceKey> top_services;
  bool operator==(const InsightEvent&) const = default;
};

/// Services that were affected, and who calls whom among them.
struct ImpactGraph {
  static constexpr std::size_t kServicesMax = 100;
  struct Service {
    model::ServiceKey key;
    bool client = false;  ///< the clients in front of the service `key`
    std::int64_t first_ns = 0;
    std::int64_t last_ns = 0;  ///< of the last minute in which it was affected
    bool operator==(const Service&) const = default;
  };
  std::vector<Service> services;
  std::set<std::pair<std::int32_t, std::int32_t>> calls;  ///< indexes into services
  bool operator==(const ImpactGraph&) const = default;
};

struct Insight {
  static constexpr std::size_t kEventsMax = 50;
  static constexpr std::size_t kTopServicesMax = 10;

  std::string id;  ///< a UUID
  AnomalyCategory category = AnomalyCategory::kFault;
  InsightState state = InsightState::kActive;
  model::ServiceKey root_cause;
  std::int64_t start_ns = 0;   ///< of the first minute above the band
  std::int64_t end_ns = 0;     ///< end of the last one so far
  std::int64_t update_ns = 0;  ///< end of the minute that changed it last
  std::string summary;
  ImpactCounts clients;
  ImpactCounts root_cause_counts;
  /// By their own part in it, the root cause first. Never empty.
  std::vector<model::ServiceKey> top_services;
  /// Services whose anomalies it explains, while it is active.
  std::set<model::ServiceKey> affected;
  std::vector<InsightEvent> events;  ///< oldest first; the first and the newest stay
  ImpactGraph graph;
  /// Of the service that stood out most: the worst share of faults, or p95 in seconds, and the most
  /// that is usual.
  double seen = 0;
  double usual_max = 0;
  std::string merged_into;  ///< closed since that older insight has the same root cause
  bool operator==(const Insight&) const = default;
};

/// The farthest service downstream that explains most of a service's excess: as long as some callee
/// that is suspect too (or cannot be judged) explains it, the search goes there.
ServiceNumber RootCauseOf(const AnomalyDetector& detector, ServiceNumber service,
                          AnomalyCategory category);

/// Opens, updates and closes insights. At most kActiveMax are active. Not thread-safe. No clock.
class InsightTracker {
 public:
  static constexpr std::size_t kActiveMax = 200;
  /// `active`: those of an earlier run. `new_id` yields UUIDs.
  InsightTracker(std::vector<Insight> active, std::function<std::string()> new_id);

  /// After detector.Observe(minute). Those that changed, as they are now.
  std::vector<Insight> Update(const AnomalyDetector& detector, const GraphMinute& minute);
  [[nodiscard]] const std::vector<Insight>& active() const { return active_; }
  /// Anomalies for which there was no room.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }

 private:
  void Attribute(const AnomalyDetector& detector, AnomalyCategory category);
  void FindRoots(const AnomalyDetector& detector, std::size_t known);
  void Refresh(const AnomalyDetector& detector, Insight& insight, const GraphMinute& minute);
  void Count(Insight& insight, std::int64_t from_ns) const;

  std::vector<Insight> active_;
  std::function<std::string()> new_id_;
  std::deque<GraphMinute> recent_;  ///< without times of requests
  std::uint64_t crowded_out_ = 0;
};

}  // namespace fluoro::analysis
