// Arms of experiments compared: what each costs in time, tokens, money and failures, how sure that
// is, and by which step they differ. Formulas and sources: docs/compare.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/compare/estimate.h"

namespace fluoro::analysis::compare {

enum class Metric : std::uint8_t {
  kLatencyMean,
  kLatencyP50,
  kLatencyP95,
  kTtftMean,
  kTtftP50,
  kTtftP95,
  kCost,         ///< mean of a request
  kTokens,       ///< likewise
  kErrorRate,    ///< requests whose root did not end well
  kTimeoutRate,  ///< requests in which a step met a time limit
};
inline constexpr std::size_t kMetrics = 10;
/// "latency_mean", ...
std::string_view MetricName(Metric metric);
/// Of the values: "ns", "nano_usd", "tokens", "share".
std::string_view MetricUnit(Metric metric);

/// What one step of a request took of the critical path and of the money.
struct StepPart {
  std::string_view step;
  std::int64_t path_ns = 0;
  std::int64_t cost_nano_usd = 0;
};

/// One request. Views are borrowed for the call of Add.
struct Observation {
  std::string_view experiment, arm;        ///< not empty
  double weight = 1;                       ///< 1/probability with which it was kept, > 0
  std::optional<std::int64_t> latency_ns;  ///< of the root; nullopt while it is in progress
  std::optional<std::int64_t> ttft_ns;
  std::optional<std::int64_t> cost_nano_usd;  ///< nullopt: a part of it has no price
  std::int64_t tokens = 0;
  bool failed = false;
  bool timeout = false;
  std::span<const StepPart> steps = {};  ///< one of a name
};

struct MetricEstimate {
  std::uint64_t requests = 0;  ///< that state it
  Estimate estimate;
};

struct MetricDifference {
  bool known = false;  ///< both arms have at least two requests that state it
  Difference difference;
  double q = 1;          ///< over all metrics and arms of the experiment
  bool differs = false;  ///< q <= 5 %
  /// Further requests of both arms together that a difference as large as this one needs to be
  /// found with a probability of 80 %; nullopt: there is none to be found.
  std::optional<double> more_requests;
};

/// What a step adds to an arm's mean request, less what it adds to the control's.
struct StepDifference {
  std::string step;
  Difference path_ns, cost_nano_usd;
};

struct Arm {
  std::string name;
  std::uint64_t requests = 0;
  double weight = 0;
  double share = 0;            ///< of the experiment's weight
  double expected_share = 0;   ///< as declared, else equal
  std::uint64_t unpriced = 0;  ///< requests of which the cost is not known
  std::array<MetricEstimate, kMetrics> metrics{};
  // Against the control; of the control itself nothing.
  std::array<MetricDifference, kMetrics> differences{};
  std::vector<StepDifference> steps;  ///< those whose path differs most first, at most kStepsShown
};

struct Experiment {
  std::string id;
  std::string control;              ///< name of the arm
  std::vector<Arm> arms;            ///< by name, the control first
  double ratio_p = 1;               ///< chi-square of the arms' weights against the expected shares
  bool ratio_mismatch = false;      ///< p < 0.001: what the arms say is not to be trusted
  std::uint64_t arms_left_out = 0;  ///< requests of arms for which there was no room
};

struct ExperimentOptions {
  std::string control;  ///< "": an arm called control, baseline, off or A, else the first
  std::map<std::string, double> shares;  ///< declared, by arm; empty: equal
};

/// Takes requests one by one. Memory: about 40 bytes a request, so what the caller bounds, and 200
/// bytes a step of an arm. Not thread-safe.
class Experiments {
 public:
  static constexpr std::size_t kExperimentsMax = 100;
  static constexpr std::size_t kArmsMax = 16;
  static constexpr std::size_t kStepsMax = 200;  ///< of an arm; further ones are "(other)"
  static constexpr std::size_t kStepsShown = 10;

  void Add(const Observation& request);
  /// Requests of experiments for which there was no room.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  /// By id.
  [[nodiscard]] std::vector<Experiment> Report(const ExperimentOptions& options) const;

 private:
  struct StepSums {
    WeightedSums path_ns, cost_nano_usd;  ///< of requests that have the step
  };
  struct ArmSums {
    WeightedSums all;  ///< of ones
    std::vector<Weighted> latency, ttft;
    WeightedSums latency_ns, ttft_ns, cost_nano_usd, tokens, failed, timeout;
    std::uint64_t unpriced = 0;
    std::map<std::string, StepSums, std::less<>> steps;
  };
  struct ExperimentSums {
    std::map<std::string, ArmSums, std::less<>> arms;
    std::uint64_t arms_left_out = 0;
  };

  static Arm ArmOf(const std::string& name, const ArmSums& sums);
  static void CompareSteps(Arm& arm, const ArmSums& of_arm, const ArmSums& of_control);
  static Experiment ExperimentOf(const std::string& id, const ExperimentSums& sums,
                                 const ExperimentOptions& options);

  std::map<std::string, ExperimentSums, std::less<>> experiments_;
  std::uint64_t left_out_ = 0;
};

}  // namespace fluoro::analysis::compare
