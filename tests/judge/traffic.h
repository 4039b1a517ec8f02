// Traffic that is replayed from recorded traces, with the noise of real systems and with faults on
// demand. No clock and no files: the judge of insights runs days in seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/assembly.h"
#include "rollup/rollup.h"

namespace fluoro::judge {

/// A trace as gaps and calls, so that whatever takes longer moves all that waits for it.
struct Plan {
  struct Call {
    std::int32_t after = -1;    ///< the call that ended last before it; -1: the segment's start
    std::int64_t gap_ns = 0;    ///< from there
    std::int64_t there_ns = 0;  ///< on the way to the callee
    std::int64_t back_ns = 0;
    std::int32_t callee = -1;  ///< segment
  };
  struct Segment {
    std::int32_t service = 0;  ///< index into Traffic::services
    bool inferred = false;
    std::vector<Call> calls;      ///< in order of start
    std::int32_t end_after = -1;  ///< as Call::after
    std::int64_t end_gap_ns = 0;
  };
  struct Root {
    std::int32_t segment = 0;
    std::int64_t start_ns = 0;  ///< from the trace's start
    bool client = false;
  };
  std::vector<Segment> segments;
  std::vector<Root> roots;
};

struct Traffic {
  std::string name;
  std::vector<model::ServiceKey> services{};
  std::vector<Plan> plans{};  ///< drawn with equal chance
  double traces_per_minute = 100;

  std::int32_t ServiceAt(const model::ServiceKey& key);
  void Add(const model::AssembledTrace& trace);
};

/// Ten services and two databases, with the calls of a shop: for machines without recorded traces.
Traffic MadeUpTraffic(std::uint64_t seed);

enum class FaultKind : std::uint8_t {
  kDelay,    ///< each request waits in the service
  kCpu,      ///< the service's own work takes several times as long, unevenly
  kNetwork,  ///< the way to the service takes longer; the service itself notices nothing
  kErrors,   ///< a share of requests ends in a fault, which most callers pass on
};
std::string_view FaultKindName(FaultKind kind);

struct InjectedFault {
  std::int32_t service = 0;
  FaultKind kind = FaultKind::kDelay;
  double share = 1;           ///< of requests
  std::int64_t delay_ns = 0;  ///< kDelay, kNetwork; kCpu: mean of the wait for a processor
  double slower = 1;          ///< kCpu: at most so many times
  std::int64_t from_ns = 0;
  std::int64_t until_ns = 0;
};

/// How steady a system is. The defaults: times differ by a fifth from request to request; each
/// service drifts by a tenth within minutes; load moves times by a tenth and traffic by four tenths
/// over the day; of 1000 requests one to five fail, by service; now and then a service has a
/// minute that is several times as slow, or in which a tenth of its requests fail.
struct Noise {
  double request = 0.2;
  double drift = 0.1;
  double daily_times = 0.1;
  double daily_traffic = 0.4;
  double faults = 0.003;
  double bad_minutes_per_day = 4;  ///< of each service
};

/// Adds the samples of traces that start in [from_ns, until_ns). Deterministic by seed.
class Replay {
 public:
  Replay(const Traffic& traffic, const Noise& noise, std::uint64_t seed);
  void Run(std::int64_t from_ns, std::int64_t until_ns, const std::optional<InjectedFault>& fault);
  /// The first plan, once.
  void RunOnce(std::int64_t start_ns) { RunPlan(traffic_.plans.front(), start_ns); }
  /// Takes the minutes before `until_ns` away.
  rollup::Rollup TakeUntil(std::int64_t until_ns);

 private:
  struct Ended {
    std::int64_t end_ns = 0;
    bool fault = false;
  };
  void NextMinute(std::int64_t minute_ns);
  void RunPlan(const Plan& plan, std::int64_t start_ns);
  Ended RunSegment(const Plan& plan, std::int32_t segment, std::int64_t start_ns);
  std::int64_t Work(std::int64_t gap_ns, std::int32_t service);
  double Normal();
  double Exponential();

  const Traffic& traffic_;
  Noise noise_;
  Rng rng_;
  std::vector<double> drift_;    ///< by service, logarithm
  std::vector<double> slower_;   ///< by service, in this minute
  std::vector<double> failing_;  ///< by service, in this minute
  std::vector<double> usual_faults_;
  std::optional<InjectedFault> fault_;
  bool fault_now_ = false;  ///< for the trace that runs
  rollup::KeyTable keys_;
  std::vector<rollup::KeyId> key_ids_;
  std::vector<rollup::KeyId> client_ids_;
  rollup::Rollup sums_{rollup::kMinuteNs};
  std::optional<rollup::Rollup::Sink> sink_;
};

/// The samples of a plan as it was recorded, without noise: what SampleTrace gives for its trace.
rollup::Rollup SumsOf(const Traffic& traffic, const Plan& plan, std::int64_t start_ns);

}  // namespace fluoro::judge
