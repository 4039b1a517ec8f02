#include "analysis/compare/experiments.h"

#include <algorithm>
#include <cmath>

#include "analysis/compare/significance.h"

namespace fluoro::analysis::compare {
namespace {

// Of a mismatch of shares one in a thousand is false, since all else hangs on it.
constexpr double kRatioFalseFinds = 0.001;

constexpr std::array<std::string_view, kMetrics> kNames{
    "latency_mean", "latency_p50", "latency_p95", "ttft_mean",  "ttft_p50",
    "ttft_p95",     "cost_mean",   "tokens_mean", "error_rate", "timeout_rate"};

constexpr bool IsMean(Metric metric) {
  return metric == Metric::kLatencyMean || metric == Metric::kTtftMean || metric == Metric::kCost ||
         metric == Metric::kTokens;
}

constexpr auto kControlNames = std::to_array<std::string_view>(
    {"control", "Control", "baseline", "Baseline", "default", "off", "A", "a"});

template <class Arms>
std::string ControlOf(const Arms& arms, const std::string& wanted) {
  if (arms.contains(wanted)) return wanted;
  for (const std::string_view name : kControlNames) {
    if (arms.contains(name)) return std::string(name);
  }
  return arms.begin()->first;
}

// The mean over all requests of something that only some have: the others add nothing.
Estimate MeanOverAll(const WeightedSums& some, const WeightedSums& all) {
  Estimate out;
  if (all.weight() <= 0) return out;
  const double share = some.weight() / all.weight();
  out.value = some.mean() * share;
  const double n = static_cast<double>(all.count());
  if (n < 2) return out;
  // Sum of w^2 (x - m)^2 with x = 0 for the others.
  const double within = some.square_sum_from(out.value);
  const double others = (all.squares() - some.squares()) * out.value * out.value;
  out.error = std::sqrt(std::max(0.0, within + others)) / all.weight() * std::sqrt(n / (n - 1));
  out.degrees = std::max(1.0, all.effective() - 1);
  return out;
}

std::vector<Weighted> Sorted(std::vector<Weighted> values) {
  std::ranges::sort(values, {}, &Weighted::value);
  return values;
}

}  // namespace

std::string_view MetricName(Metric metric) { return kNames.at(static_cast<std::size_t>(metric)); }

std::string_view MetricUnit(Metric metric) {
  switch (metric) {
    case Metric::kCost:
      return "nano_usd";
    case Metric::kTokens:
      return "tokens";
    case Metric::kErrorRate:
    case Metric::kTimeoutRate:
      return "share";
    default:
      return "ns";
  }
}

void Experiments::Add(const Observation& request) {
  auto experiment = experiments_.find(request.experiment);
  if (experiment == experiments_.end()) {
    if (experiments_.size() >= kExperimentsMax) {
      ++left_out_;
      return;
    }
    experiment = experiments_.try_emplace(std::string(request.experiment)).first;
  }
  auto& arms = experiment->second.arms;
  auto found = arms.find(request.arm);
  if (found == arms.end()) {
    if (arms.size() >= kArmsMax) {
      ++experiment->second.arms_left_out;
      return;
    }
    found = arms.try_emplace(std::string(request.arm)).first;
  }
  ArmSums& arm = found->second;
  const double weight = request.weight;
  arm.all.Add(1, weight);
  const auto time = [&](std::optional<std::int64_t> ns, WeightedSums& sums,
                        std::vector<Weighted>& values) {
    if (!ns) return;
    sums.Add(static_cast<double>(*ns), weight);
    values.push_back({static_cast<double>(*ns), weight});
  };
  time(request.latency_ns, arm.latency_ns, arm.latency);
  time(request.ttft_ns, arm.ttft_ns, arm.ttft);
  if (request.cost_nano_usd) {
    arm.cost_nano_usd.Add(static_cast<double>(*request.cost_nano_usd), weight);
  } else {
    ++arm.unpriced;
  }
  arm.tokens.Add(static_cast<double>(request.tokens), weight);
  arm.failed.Add(request.failed ? 1 : 0, weight);
  arm.timeout.Add(request.timeout ? 1 : 0, weight);
  for (const StepPart& part : request.steps) {
    auto step = arm.steps.find(part.step);
    if (step == arm.steps.end()) {
      const bool room = arm.steps.size() < kStepsMax;
      step = arm.steps.try_emplace(room ? std::string(part.step) : "(other)").first;
    }
    step->second.path_ns.Add(static_cast<double>(part.path_ns), weight);
    step->second.cost_nano_usd.Add(static_cast<double>(part.cost_nano_usd), weight);
  }
}

Arm Experiments::ArmOf(const std::string& name, const ArmSums& sums) {
  Arm arm{.name = name,
          .requests = sums.all.count(),
          .weight = sums.all.weight(),
          .unpriced = sums.unpriced,
          .steps = {}};
  const auto put = [&](Metric metric, std::uint64_t requests, const Estimate& estimate) {
    arm.metrics.at(static_cast<std::size_t>(metric)) = {.requests = requests, .estimate = estimate};
  };
  const auto mean = [&](Metric metric, const WeightedSums& of) {
    put(metric, of.count(), MeanOf(of));
  };
  const auto rate = [&](Metric metric, const WeightedSums& of) {
    put(metric, of.count(), RateOf(of));
  };
  const auto times = [&](Metric p50, Metric p95, const std::vector<Weighted>& of) {
    const std::vector<Weighted> sorted = Sorted(of);
    put(p50, of.size(), QuantileOf(sorted, 0.5));
    put(p95, of.size(), QuantileOf(sorted, 0.95));
  };
  mean(Metric::kLatencyMean, sums.latency_ns);
  times(Metric::kLatencyP50, Metric::kLatencyP95, sums.latency);
  mean(Metric::kTtftMean, sums.ttft_ns);
  times(Metric::kTtftP50, Metric::kTtftP95, sums.ttft);
  mean(Metric::kCost, sums.cost_nano_usd);
  mean(Metric::kTokens, sums.tokens);
  rate(Metric::kErrorRate, sums.failed);
  rate(Metric::kTimeoutRate, sums.timeout);
  return arm;
}

void Experiments::CompareSteps(Arm& arm, const ArmSums& of_arm, const ArmSums& of_control) {
  std::map<std::string_view, std::array<const StepSums*, 2>> steps;
  for (const auto& [name, sums] : of_control.steps) steps[name][0] = &sums;
  for (const auto& [name, sums] : of_arm.steps) steps[name][1] = &sums;
  static const StepSums kNone;
  for (const auto& [name, sides] : steps) {
    const StepSums& a = sides[0] == nullptr ? kNone : *sides[0];
    const StepSums& b = sides[1] == nullptr ? kNone : *sides[1];
    arm.steps.push_back(
        {.step = std::string(name),
         .path_ns = DifferenceOfMeans(MeanOverAll(a.path_ns, of_control.all),
                                      MeanOverAll(b.path_ns, of_arm.all)),
         .cost_nano_usd = DifferenceOfMeans(MeanOverAll(a.cost_nano_usd, of_control.all),
                                            MeanOverAll(b.cost_nano_usd, of_arm.all))});
  }
  std::ranges::stable_sort(arm.steps, std::greater<>(),
                           [](const StepDifference& step) { return std::abs(step.path_ns.value); });
  if (arm.steps.size() > kStepsShown) arm.steps.resize(kStepsShown);
}

Experiment Experiments::ExperimentOf(const std::string& id, const ExperimentSums& sums,
                                     const ExperimentOptions& options) {
  Experiment out{.id = id,
                 .control = ControlOf(sums.arms, options.control),
                 .arms = {},
                 .arms_left_out = sums.arms_left_out};
  double weight = 0;
  double squares = 0;
  double declared = 0;
  for (const auto& [name, arm] : sums.arms) {
    weight += arm.all.weight();
    squares += arm.all.squares();
    const auto share = options.shares.find(name);
    declared += share == options.shares.end() ? 0 : share->second;
  }
  // Declared shares count where every arm has one.
  const bool all_declared = std::ranges::all_of(sums.arms, [&](const auto& arm) {
    const auto share = options.shares.find(arm.first);
    return share != options.shares.end() && share->second > 0;
  });
  double chi_square = 0;
  for (const auto& [name, arm_sums] : sums.arms) {
    Arm arm = ArmOf(name, arm_sums);
    arm.share = arm.weight / weight;
    arm.expected_share = all_declared ? options.shares.at(name) / declared
                                      : 1 / static_cast<double>(sums.arms.size());
    chi_square += std::pow(arm.weight - arm.expected_share * weight, 2) /
                  (arm.expected_share * weight) * (weight / squares);
    out.arms.push_back(std::move(arm));
  }
  if (out.arms.size() > 1) {
    out.ratio_p = ChiSquareTail(chi_square, static_cast<double>(out.arms.size()) - 1);
    out.ratio_mismatch = out.ratio_p < kRatioFalseFinds;
  }
  std::ranges::stable_partition(out.arms, [&](const Arm& arm) { return arm.name == out.control; });

  const ArmSums& control_sums = sums.arms.at(out.control);
  const Arm& control = out.arms.front();
  std::vector<double> p_values;
  std::vector<MetricDifference*> tested;
  for (std::size_t i = 1; i < out.arms.size(); ++i) {
    Arm& arm = out.arms[i];
    for (std::size_t m = 0; m < kMetrics; ++m) {
      const MetricEstimate& a = control.metrics.at(m);
      const MetricEstimate& b = arm.metrics.at(m);
      if (a.requests < 2 || b.requests < 2) continue;
      MetricDifference& out_of = arm.differences.at(m);
      out_of.known = true;
      out_of.difference = IsMean(static_cast<Metric>(m)) ? DifferenceOfMeans(a.estimate, b.estimate)
                                                         : DifferenceOf(a.estimate, b.estimate);
      if (std::isfinite(out_of.difference.growth)) {
        out_of.more_requests = std::ceil(std::max(0.0, out_of.difference.growth - 1) *
                                         static_cast<double>(a.requests + b.requests));
      }
      p_values.push_back(out_of.difference.p);
      tested.push_back(&out_of);
    }
    CompareSteps(arm, sums.arms.at(arm.name), control_sums);
  }
  const std::vector<double> q_values = AdjustForMany(p_values);
  for (std::size_t i = 0; i < tested.size(); ++i) {
    tested[i]->q = q_values[i];
    tested[i]->differs = q_values[i] <= kFalseFinds;
  }
  return out;
}

std::vector<Experiment> Experiments::Report(const ExperimentOptions& options) const {
  std::vector<Experiment> out;
  for (const auto& [id, sums] : experiments_) out.push_back(ExperimentOf(id, sums, options));
  return out;
}

}  // namespace fluoro::analysis::compare
