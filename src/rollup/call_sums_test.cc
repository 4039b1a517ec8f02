#include "rollup/call_sums.h"

#include <gtest/gtest.h>

#include "rollup/call_testing.h"

namespace fluoro::rollup {
namespace {

using testing::Print;

genai::Call CallOf(std::string_view model, std::string_view tenant, std::int64_t end_ns = 0) {
  return {.kind = genai::StepKind::kLlm,
          .provider = "openai",
          .model = model,
          .tool = {},
          .tenant = tenant,
          .route = "/chat",
          .start_ns = end_ns - 5'000'000,
          .end_ns = end_ns,
          .prompt_tokens = 7,
          .completion_tokens = 3,
          .cost_nano_usd = std::nullopt};
}

std::int64_t CallsIn(const CallSums& sums) {
  std::int64_t calls = 0;
  for (const CallSums::Row& row : sums.Rows()) calls += row.cell->calls;
  return calls;
}

TEST(CallSums, AddAndTakeAwayCancelOutInAnyOrder) {
  Rng rng(3);
  const std::vector<std::string> models = {"a", "b", ""};
  CallSums sums(kMinuteNs);
  CallSums wanted(kMinuteNs);
  std::vector<genai::Call> calls;
  for (int i = 0; i < 200; ++i) {
    calls.push_back(CallOf(models[rng.Below(3)], models[rng.Below(3)],
                           static_cast<std::int64_t>(rng.Below(5)) * kMinuteNs));
    if (rng.Chance(0.5)) calls.back().cost_nano_usd = static_cast<std::int64_t>(rng.Below(900));
  }
  for (std::size_t i = 0; i < calls.size(); i += 2) sums.Add(calls[i], -1);
  for (const genai::Call& call : calls) sums.Add(call);
  for (std::size_t i = 1; i < calls.size(); i += 2) wanted.Add(calls[i]);
  EXPECT_EQ(Print(sums), Print(wanted));
  CallSums minus(kMinuteNs);
  minus.Merge(wanted, -1);
  minus.Merge(sums);
  EXPECT_TRUE(minus.Rows().empty());
}

TEST(CallSums, DimensionsLeftOutAreSummedOver) {
  CallSums by_model(0, kByModel);
  for (const std::string_view tenant : {"x", "y", "z"}) {
    by_model.Add(CallOf("a", tenant));
    by_model.Add(CallOf("b", tenant));
  }
  ASSERT_EQ(by_model.Rows().size(), 2U);
  EXPECT_EQ(by_model.Rows()[0].cell->calls, 3);
  EXPECT_EQ(by_model.Rows()[0].cell->prompt_tokens, 21);
  // However finely they were summed before.
  CallSums all(kMinuteNs);
  for (const std::string_view tenant : {"x", "y", "z"}) {
    all.Add(CallOf("a", tenant, kMinuteNs));
    all.Add(CallOf("b", tenant));
  }
  CallSums merged(0, kByModel);
  merged.Merge(all);
  EXPECT_EQ(Print(merged), Print(by_model));
}

TEST(CallSums, BeyondTheLimitsCallsAreOther) {
  CallSums sums(kMinuteNs);
  for (int i = 0; i < 10'050; ++i) sums.Add(CallOf("m", "tenant-" + std::to_string(i)));
  sums.Add(CallOf("m", "tenant-1"));
  EXPECT_EQ(sums.Rows().size(), 10'001U);
  EXPECT_EQ(CallsIn(sums), 10'051);
  EXPECT_EQ(sums.crowded_out(), 50U);
  const auto rows = sums.Rows();
  const auto other = std::ranges::find_if(rows, [&](const CallSums::Row& row) {
    return sums.series()[row.series].kind == CallSeries::kOther;
  });
  ASSERT_NE(other, rows.end());
  EXPECT_EQ(other->cell->calls, 50);
  // Another minute has room of its own.
  sums.Add(CallOf("m", "tenant-10049", kMinuteNs));
  EXPECT_EQ(sums.crowded_out(), 50U);
}

TEST(CallSums, NeitherSeriesNorTextsGrowBeyondTheirLimit) {
  CallSums sums(kMinuteNs, kByAllDimensions,
                {.series_per_period_max = 10, .cells_max = 100, .series_max = 20});
  for (int i = 0; i < 1'000; ++i)
    sums.Add(CallOf("m", "tenant-" + std::to_string(i), i * kMinuteNs));
  EXPECT_EQ(CallsIn(sums), 1'000);
  EXPECT_LE(sums.series().size(), 21U);
  EXPECT_LE(sums.texts(), 30U);
  EXPECT_GT(sums.crowded_out(), 900U);
}

}  // namespace
}  // namespace fluoro::rollup
