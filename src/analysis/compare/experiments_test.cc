// Laws: equal arms raise no alarm, planted effects are found and named by their step, arms of wrong
// size are found, and what is not known is not told.
#include "analysis/compare/experiments.h"

#include <gmock/gmock.h>

#include <cmath>

#include "analysis/compare/request.h"
#include "analysis/compare/significance.h"
#include "analysis/compare/traffic_for_test.h"
#include "base/rng.h"

namespace fluoro::analysis::compare {
namespace {

using testing::Normal;

struct ArmLaw {
  double slower = 1;  ///< factor on the model's time
  double dearer = 1;
  double fails = 0.03;
  double share = 0.5;
};

struct Traffic {
  ArmLaw a, b;
  int requests = 1'000;
  double kept = 1;  ///< of requests that did not fail; they weigh 1/kept
};

void Send(Experiments& experiments, Rng& rng, const Traffic& traffic) {
  for (int i = 0; i < traffic.requests; ++i) {
    const bool b = rng.Chance(traffic.b.share / (traffic.a.share + traffic.b.share));
    const ArmLaw& law = b ? traffic.b : traffic.a;
    const double model_ms = 800 * law.slower * std::exp(0.4 * Normal(rng));
    const double search_ms = 200 * std::exp(0.4 * Normal(rng));
    const bool reranks = rng.Chance(0.3);
    const double rerank_ms = reranks ? 100 * std::exp(0.3 * Normal(rng)) : 0;
    const bool failed = rng.Chance(law.fails);
    const auto cost = static_cast<std::int64_t>(9.8e6 * law.dearer * std::exp(0.3 * Normal(rng)));
    const double weight = failed ? 1 : 1 / traffic.kept;
    if (!failed && !rng.Chance(traffic.kept)) continue;
    const auto ns = [](double ms) { return static_cast<std::int64_t>(ms * 1e6); };
    std::vector<StepPart> steps{{"llm", ns(model_ms), cost}, {"retriever", ns(search_ms), 0}};
    if (reranks) steps.push_back({"reranker", ns(rerank_ms), 0});
    experiments.Add({.experiment = "rerank_v2",
                     .arm = b ? "B" : "A",
                     .weight = weight,
                     .latency_ns = ns(model_ms + search_ms + rerank_ms),
                     .ttft_ns = ns(search_ms + model_ms / 4),
                     .cost_nano_usd = cost,
                     .tokens = static_cast<std::int64_t>(6'000 * std::exp(0.2 * Normal(rng))),
                     .failed = failed,
                     .timeout = failed && rng.Chance(0.3),
                     .steps = steps});
  }
}

Experiment ReportOf(const Traffic& traffic, std::uint64_t seed,
                    const ExperimentOptions& options = {}) {
  Rng rng(seed);
  Experiments experiments;
  Send(experiments, rng, traffic);
  return experiments.Report(options).at(0);
}

const MetricDifference& Of(const Arm& arm, Metric metric) {
  return arm.differences.at(static_cast<std::size_t>(metric));
}

TEST(Experiments, EqualArmsRaiseNoAlarm) {
  constexpr int kSeeds = 400;
  for (const double kept : {1.0, 0.2}) {
    int alarms = 0;
    int mismatches = 0;
    for (int seed = 1; seed <= kSeeds; ++seed) {
      const Experiment experiment = ReportOf({.a = {}, .b = {}, .requests = 800, .kept = kept},
                                             static_cast<std::uint64_t>(seed));
      ASSERT_EQ(experiment.arms.size(), 2U);
      EXPECT_EQ(experiment.control, "A");
      bool alarm = false;
      for (const MetricDifference& one : experiment.arms[1].differences)
        alarm = alarm || one.differs;
      alarms += alarm ? 1 : 0;
      mismatches += experiment.ratio_mismatch ? 1 : 0;
    }
    EXPECT_LE(alarms, kSeeds / 20) << kept;
    EXPECT_LE(mismatches, 2) << kept;
  }
}

struct EffectCase {
  std::string_view name;
  ArmLaw b;
  Metric metric;
  double sign;
};

TEST(Experiments, PlantedEffectsAreFoundAndNothingElseIsBlamed) {
  const EffectCase cases[] = {
      {"slower", {.slower = 1.15}, Metric::kLatencyMean, 1},
      {"faster", {.slower = 0.85}, Metric::kLatencyP50, -1},
      {"first token", {.slower = 1.3}, Metric::kTtftMean, 1},
      {"dearer", {.dearer = 1.1}, Metric::kCost, 1},
      {"fails", {.fails = 0.09}, Metric::kErrorRate, 1},
  };
  for (const EffectCase& one : cases) {
    for (const double kept : {1.0, 0.3}) {
      int found = 0;
      for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const Experiment experiment =
            ReportOf({.a = {}, .b = one.b, .requests = 3'000, .kept = kept}, seed);
        const MetricDifference& difference = Of(experiment.arms[1], one.metric);
        found += difference.differs && difference.difference.value * one.sign > 0 ? 1 : 0;
      }
      EXPECT_GE(found, 36) << one.name << " kept " << kept;
    }
  }
}

TEST(Experiments, NamesTheStepThatDiffers) {
  const Experiment experiment =
      ReportOf({.a = {}, .b = {.slower = 1.25, .dearer = 1.2}, .requests = 4'000}, 3);
  const Arm& arm = experiment.arms[1];
  ASSERT_EQ(arm.steps.size(), 3U);
  const StepDifference& first = arm.steps[0];
  EXPECT_EQ(first.step, "llm");
  // A quarter of 800 ms and of their spread.
  const double expected_ns = 0.25 * 800e6 * std::exp(0.08);
  EXPECT_LT(first.path_ns.low, expected_ns);
  EXPECT_GT(first.path_ns.high, expected_ns);
  EXPECT_LT(first.path_ns.p, 1e-6);
  EXPECT_GT(first.cost_nano_usd.low, 0);
  for (std::size_t i = 1; i < 3; ++i) EXPECT_GT(arm.steps[i].path_ns.p, 0.001) << arm.steps[i].step;
  // What the steps add is what the latency differs by.
  double sum = 0;
  for (const StepDifference& step : arm.steps) sum += step.path_ns.value;
  EXPECT_NEAR(sum, Of(arm, Metric::kLatencyMean).difference.value, 10);
}

TEST(Experiments, FindsArmsOfWrongSize) {
  EXPECT_TRUE(ReportOf({.a = {}, .b = {.share = 0.6}, .requests = 5'000}, 1).ratio_mismatch);
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    found += ReportOf({.a = {}, .b = {.share = 0.65}, .requests = 5'000, .kept = 0.3}, seed)
                     .ratio_mismatch
                 ? 1
                 : 0;
  EXPECT_GE(found, 17);
  const ExperimentOptions declared{.control = {}, .shares = {{"A", 90}, {"B", 10}}};
  EXPECT_TRUE(ReportOf({.a = {}, .b = {}, .requests = 500}, 1, declared).ratio_mismatch);
  const Traffic ninety{.a = {.share = 0.9}, .b = {.share = 0.1}, .requests = 5'000};
  EXPECT_FALSE(ReportOf(ninety, 1, declared).ratio_mismatch);
  EXPECT_TRUE(ReportOf(ninety, 1).ratio_mismatch);
  const Experiment experiment = ReportOf(ninety, 1, declared);
  EXPECT_NEAR(experiment.arms[1].expected_share, 0.1, 1e-12);
  EXPECT_NEAR(experiment.arms[1].share, 0.1, 0.02);
}

TEST(Experiments, ThinnedRequestsStandForThoseThatWent) {
  const Traffic whole{.a = {}, .b = {.slower = 1.2}, .requests = 20'000};
  Traffic thinned = whole;
  thinned.kept = 0.1;
  const Experiment before = ReportOf(whole, 5);
  const Experiment after = ReportOf(thinned, 6);
  for (std::size_t arm = 0; arm < 2; ++arm) {
    EXPECT_NEAR(after.arms[arm].weight / before.arms[arm].weight, 1, 0.1);
    const auto rate = static_cast<std::size_t>(Metric::kErrorRate);
    EXPECT_NEAR(after.arms[arm].metrics.at(rate).estimate.value, 0.03, 0.006);
    const auto latency = static_cast<std::size_t>(Metric::kLatencyMean);
    EXPECT_NEAR(after.arms[arm].metrics.at(latency).estimate.value /
                    before.arms[arm].metrics.at(latency).estimate.value,
                1, 0.05);
  }
}

TEST(Experiments, SaysHowManyMoreAreNeeded) {
  // 4 and 6 of 200 fail. By the textbook: (1.96 + 0.84)^2 (0.02 * 0.98 + 0.03 * 0.97) / 0.01^2 =
  // 3,823 on each side.
  Experiments experiments;
  for (int i = 0; i < 400; ++i) {
    experiments.Add({.experiment = "e",
                     .arm = i % 2 == 0 ? "off" : "on",
                     .latency_ns = 1,
                     .ttft_ns = 1,
                     .cost_nano_usd = 1,
                     .failed = i % 2 == 0 ? i < 8 : i < 12});
  }
  const Experiment few = experiments.Report({}).at(0);
  const MetricDifference& rate = Of(few.arms[1], Metric::kErrorRate);
  ASSERT_TRUE(rate.more_requests.has_value());
  EXPECT_NEAR(*rate.more_requests + 400, 2 * 3'823, 60);
  const Experiment many = ReportOf({.a = {}, .b = {.slower = 1.5}, .requests = 3'000}, 2);
  EXPECT_EQ(Of(many.arms[1], Metric::kLatencyMean).more_requests, 0);
}

TEST(Experiments, WhatIsNotKnownIsNotTold) {
  Experiments experiments;
  for (int i = 0; i < 5; ++i) {
    experiments.Add({.experiment = "e",
                     .arm = "on",
                     .latency_ns = std::nullopt,
                     .ttft_ns = std::nullopt,
                     .cost_nano_usd = std::nullopt});
    experiments.Add({.experiment = "e",
                     .arm = "off",
                     .latency_ns = 5,
                     .ttft_ns = std::nullopt,
                     .cost_nano_usd = 7});
  }
  experiments.Add(
      {.experiment = "one", .arm = "x", .latency_ns = 1, .ttft_ns = 1, .cost_nano_usd = 1});
  const std::vector<Experiment> report = experiments.Report({});
  ASSERT_EQ(report.size(), 2U);
  EXPECT_EQ(report[0].control, "off");
  const Arm& on = report[0].arms[1];
  EXPECT_EQ(on.unpriced, 5U);
  for (const Metric metric : {Metric::kLatencyMean, Metric::kTtftMean, Metric::kCost})
    EXPECT_FALSE(Of(on, metric).known) << MetricName(metric);
  EXPECT_TRUE(Of(on, Metric::kErrorRate).known);
  EXPECT_FALSE(Of(on, Metric::kErrorRate).more_requests.has_value());
  EXPECT_EQ(report[1].arms.size(), 1U);
  EXPECT_FALSE(report[1].ratio_mismatch);
  EXPECT_EQ(Experiments().Report({}).size(), 0U);
}

// A chat over HTTP, priced by the built-in table: 1,000 tokens in at 2 USD a million, 100 out
// at 10.
TEST(Experiments, PartsOfARequestSumToItsTimeAndCost) {
  using model::SpanKind;
  using model::testing::OtelSpan;
  const auto trace = model::testing::AssembleSpans(
      {OtelSpan(1, SpanKind::kServer, "POST /chat").Service("s").Between(0, 1'000),
       OtelSpan(2, SpanKind::kClient, "chat")
           .Service("s")
           .Parent(1)
           .Between(100, 900)
           .Set("gen_ai.operation.name", "chat")
           .Set("gen_ai.provider.name", "anthropic")
           .Set("gen_ai.request.model", "claude-sonnet-5")
           .Set("gen_ai.response.time_to_first_chunk", 0.25)
           .Set("gen_ai.usage.input_tokens", 1'000)
           .Set("gen_ai.usage.output_tokens", 100),
       OtelSpan(3, SpanKind::kClient, "POST")
           .Service("s")
           .Parent(2)
           .Between(110, 890)
           .Set("http.request.method", "POST"),
       OtelSpan(4, SpanKind::kClient, "lookup")
           .Service("s")
           .Parent(1)
           .Between(910, 950)
           .Set("gen_ai.operation.name", "execute_tool")
           .Set("gen_ai.tool.name", "search")});
  const genai::TraceCost cost = genai::PriceTrace(trace, genai::ModelPrices::BuiltIn());
  EXPECT_EQ(cost.cost_nano_usd, 3'000'000);
  std::vector<std::string> parts;
  std::int64_t path_ns = 0;
  for (const RequestPart& part : PartsOf(trace, cost)) {
    path_ns += part.path_ns;
    parts.push_back(part.step + " " + std::to_string(part.path_ns / 1'000'000) + " " +
                    std::to_string(part.cost_nano_usd));
  }
  EXPECT_THAT(parts, ::testing::ElementsAre("gateway 160 0", "llm claude-sonnet-5 800 3000000",
                                            "tool search 40 0"));
  EXPECT_EQ(path_ns, trace.Root()->duration_ns());
  EXPECT_EQ(FirstTokenOf(trace), 350'000'000);
}

TEST(Experiments, BoundsHoldAndTell) {
  Experiments experiments;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::string name = "e" + std::to_string(i);
    const StepPart step{.step = name, .path_ns = 1, .cost_nano_usd = 0};
    experiments.Add({.experiment = "many arms",
                     .arm = name,
                     .latency_ns = 1,
                     .ttft_ns = 1,
                     .cost_nano_usd = 1});
    experiments.Add({.experiment = "steps",
                     .arm = i % 2 == 0 ? "a" : "b",
                     .latency_ns = 1,
                     .ttft_ns = 1,
                     .cost_nano_usd = 1,
                     .steps = {&step, 1}});
    experiments.Add(
        {.experiment = name, .arm = "a", .latency_ns = 1, .ttft_ns = 1, .cost_nano_usd = 1});
  }
  const std::vector<Experiment> report = experiments.Report({});
  EXPECT_EQ(report.size(), Experiments::kExperimentsMax);
  EXPECT_EQ(experiments.left_out(), 300 + 2 - Experiments::kExperimentsMax);
  const auto arms = std::ranges::find(report, "many arms", &Experiment::id);
  ASSERT_NE(arms, report.end());
  EXPECT_EQ(arms->arms.size(), Experiments::kArmsMax);
  EXPECT_EQ(arms->arms_left_out, 300 - Experiments::kArmsMax);
  const auto steps = std::ranges::find(report, "steps", &Experiment::id);
  ASSERT_NE(steps, report.end());
  EXPECT_EQ(steps->arms[1].steps.size(), Experiments::kStepsShown);
}

}  // namespace
}  // namespace fluoro::analysis::compare
