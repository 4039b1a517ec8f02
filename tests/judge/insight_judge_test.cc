// Insights find injected faults: fixed seeds, thresholds with room below what was measured
// (docs/insights.md).
#include "insight_judge.h"

#include <gtest/gtest.h>

#include "rollup/testing.h"

namespace fluoro::judge {
namespace {

void ExpectFound(const FaultReport& report, std::size_t faults_min, double share_min) {
  const auto faults = static_cast<double>(report.outcomes.size());
  EXPECT_GE(report.outcomes.size(), faults_min);
  EXPECT_GE(static_cast<double>(report.CountInTop(3)), share_min * faults) << report.traffic;
  EXPECT_LE(report.MeanDelay(), 6) << report.traffic;
}

TEST(InsightJudge, MadeUpTraffic) {
  const Traffic traffic = MadeUpTraffic(1);
  ExpectFound(JudgeFaults(traffic, 1, 1'000), 40, 0.95);
  const QuietReport quiet = JudgeQuiet(traffic, 1, 1);
  EXPECT_LE(quiet.fault_insights + quiet.latency_insights, 2U);
}

TEST(InsightJudge, ReplayedOnlineBoutique) {
  const auto folder = WorkloadsFolder();
  if (!folder) GTEST_SKIP() << "the recorded workloads are absent";
  const auto traffic = OnlineBoutique(*folder);
  ASSERT_TRUE(traffic.has_value()) << traffic.error().message;
  ExpectFound(JudgeFaults(*traffic, 1, 1'000), 30, 0.85);
}

TEST(InsightJudge, ReplayedTrainTicket) {
  const auto folder = WorkloadsFolder();
  if (!folder) GTEST_SKIP() << "the recorded workloads are absent";
  const auto traffic = TrainTicket(*folder);
  ASSERT_TRUE(traffic.has_value()) << traffic.error().message;
  ExpectFound(JudgeFaults(*traffic, 1, 1'000), 50, 0.8);
}

TEST(InsightJudge, RecordedNetworkDelay) {
  const auto folder = WorkloadsFolder();
  if (!folder) GTEST_SKIP() << "the recorded workloads are absent";
  const auto outcome = JudgeRecordedFault(*folder, 1);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  EXPECT_TRUE(outcome->found);
  EXPECT_LE(outcome->rank.value_or(99), 3) << outcome->named;
}

// What is replayed without noise and faults is what was recorded.
TEST(Replay, OfAPlanAddsUpToItsTrace) {
  const auto folder = WorkloadsFolder();
  if (!folder) GTEST_SKIP() << "the recorded workloads are absent";
  const auto traces = ReadTraces({*folder / "nezha-onlineboutique-2022-08-23-12_02.csv.gz"});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  std::size_t same = 0;
  for (const model::AssembledTrace& trace : *traces) {
    Traffic traffic{.name = {}, .services = {}, .plans = {}};
    traffic.Add(trace);
    ASSERT_EQ(traffic.plans.size(), 1U);
    rollup::Rollup recorded{rollup::kMinuteNs};
    rollup::KeyTable keys;
    rollup::Rollup::Sink sink(recorded, keys);
    rollup::SampleTrace(trace, keys, sink);
    const auto was = analysis::MinutesOf(recorded);
    const auto is = analysis::MinutesOf(SumsOf(traffic, traffic.plans.front(), trace.start_ns));
    const auto seconds = [](const auto& minutes) {
      double sum = 0;
      for (const auto& minute : minutes) {
        for (const auto& service : minute.services) sum += service.requests.seconds;
        for (const auto& call : minute.calls) sum += call.requests.seconds;
      }
      return sum;
    };
    if (std::abs(seconds(was) - seconds(is)) < 1e-3 * seconds(was)) ++same;
  }
  // Clocks of the others differ between callers and callees.
  EXPECT_GE(same, traces->size() * 9 / 10);
}

}  // namespace
}  // namespace fluoro::judge
