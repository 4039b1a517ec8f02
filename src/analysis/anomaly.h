// Which services fail, or answer late, as they usually do not: each against its own past.
// Source of the rule: docs/insights.md.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/band.h"
#include "analysis/graph_minute.h"
#include "model/assembly.h"

namespace fluoro::analysis {

enum class AnomalyCategory : std::uint8_t { kFault, kLatency };
inline constexpr std::array kAnomalyCategories{AnomalyCategory::kFault, AnomalyCategory::kLatency};

struct AnomalyOptions {
  int open_minutes = 3;   ///< above the band in a row
  int close_minutes = 5;  ///< inside it in a row
  std::size_t services_max = 1'000;
  std::size_t calls_max = 4'000;  ///< pairs of caller and callee
  /// What lasts longer is how things are now: the past is forgotten.
  std::int64_t anomaly_ns_max = 6LL * 3600 * 1'000'000'000;
};

/// One category of one service, after the last minute.
struct Watch {
  bool open = false;
  int above = 0;                   ///< minutes in a row, those that tell nothing left out
  int inside = 0;                  ///< likewise
  int unknown = 0;                 ///< minutes in a row that told nothing
  std::int64_t start_ns = 0;       ///< of the first minute above
  std::int64_t last_above_ns = 0;  ///< of the last one
  /// What was seen in the last minute above: the share of faults, or p95 in seconds.
  double seen = 0;
  double usual_max = 0;  ///< the most that is usual of it
  [[nodiscard]] bool IsSuspect() const { return open || above > 0; }
};

using ServiceNumber = std::int32_t;

/// Learns what is usual of each service, minute by minute, and watches for what is not. Holds at
/// most services_max services and calls_max calls; more are counted and left out, what was not seen
/// for two days makes room. Not thread-safe. No clock: minutes bring their time.
class AnomalyDetector {
 public:
  static constexpr std::int64_t kMinuteNs = rollup::kMinuteNs;
  static constexpr std::int64_t kSeasonNs = 15 * kMinuteNs;

  explicit AnomalyDetector(const AnomalyOptions& options = {});
  ~AnomalyDetector();
  AnomalyDetector(AnomalyDetector&&) noexcept;

  /// The next minute. They come in order; one without requests comes empty, or not at all.
  void Observe(const GraphMinute& minute);
  /// A period of kSeasonNs of an earlier day: what is usual at that time of day.
  void LearnSeason(const GraphMinute& period);

  /// Services ever seen have numbers below this.
  [[nodiscard]] ServiceNumber services_end() const;
  [[nodiscard]] bool Has(ServiceNumber service) const;
  [[nodiscard]] std::optional<ServiceNumber> Find(const model::ServiceKey& key) const;
  [[nodiscard]] const model::ServiceKey& KeyOf(ServiceNumber service) const;
  [[nodiscard]] const Watch& WatchOf(ServiceNumber service, AnomalyCategory category) const;

  /// Who a service called within the last quarter of an hour.
  [[nodiscard]] std::vector<ServiceNumber> CalleesOf(ServiceNumber service) const;
  /// Faults, or seconds, of the last minutes (1..15) beyond what is usual for so many requests. Of
  /// a service: its own view or its callers', whichever is more.
  [[nodiscard]] double ExcessOf(ServiceNumber service, AnomalyCategory category, int minutes) const;
  [[nodiscard]] double CallExcess(ServiceNumber from, ServiceNumber to, AnomalyCategory category,
                                  int minutes) const;
  /// What is left of a service's excess when that of its calls is taken away.
  [[nodiscard]] double OwnExcess(ServiceNumber service, AnomalyCategory category,
                                 int minutes) const;

  /// Requests and calls for which there was no room.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }

 private:
  struct Service;
  struct Calls;
  struct Judgement;
  using CallKey = std::pair<ServiceNumber, ServiceNumber>;

  [[nodiscard]] const Service& At(ServiceNumber service) const;
  Service& At(ServiceNumber service);
  std::optional<ServiceNumber> NumberOf(const model::ServiceKey& key, std::int64_t now_ns);
  void Advance(std::int64_t start_ns);
  void Forget(std::int64_t now_ns);
  [[nodiscard]] Judgement JudgeFaults(const Service& service, std::int64_t start_ns) const;
  [[nodiscard]] Judgement JudgeTimes(const Service& service, std::int64_t start_ns) const;
  void Follow(Watch& watch, const Judgement& judgement, std::int64_t start_ns) const;
  void Judge(Service& service, std::int64_t start_ns);
  void LearnCalls(std::int64_t start_ns);

  AnomalyOptions options_;
  std::vector<std::unique_ptr<Service>> services_;
  std::vector<ServiceNumber> free_;
  std::map<model::ServiceKey, ServiceNumber> numbers_;
  std::map<CallKey, std::unique_ptr<Calls>> calls_;
  std::int64_t last_ns_ = INT64_MIN;
  std::int64_t forgot_ns_ = INT64_MIN;
  std::uint64_t crowded_out_ = 0;
};

}  // namespace fluoro::analysis
