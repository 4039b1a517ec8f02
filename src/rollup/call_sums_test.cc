#include "rollup/call_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>

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

// Every number of a call by name, so that none can stand for another.
using Numbers = std::map<std::string, std::int64_t>;
Numbers NumbersOf(const genai::Call& call) {
  return {{"calls", 1},
          {"failed", call.failed ? 1 : 0},
          {"throttled", call.throttled ? 1 : 0},
          {"timeouts", call.timeout ? 1 : 0},
          {"retries", call.retries},
          {"prompt", call.prompt_tokens},
          {"completion", call.completion_tokens},
          {"cached", call.cached_tokens},
          {"cache_write", call.cache_write_tokens},
          {"reasoning", call.reasoning_tokens},
          {"cost", call.cost_nano_usd.value_or(0)},
          {"duration", std::max<std::int64_t>(0, call.end_ns - call.start_ns)},
          {"cache_write_1h", call.cache_write_1h_tokens},
          {"engine", call.engine_ns},
          {"units", call.milli_units},
          {"streamed", call.first_token_ns ? 1 : 0},
          {"first_token", call.first_token_ns.value_or(0)}};
}
Numbers NumbersOf(const CallCell& cell) {
  return {{"calls", cell.calls},
          {"failed", cell.failed},
          {"throttled", cell.throttled},
          {"timeouts", cell.timeouts},
          {"retries", cell.retries},
          {"prompt", cell.prompt_tokens},
          {"completion", cell.completion_tokens},
          {"cached", cell.cached_tokens},
          {"cache_write", cell.cache_write_tokens},
          {"reasoning", cell.reasoning_tokens},
          {"cost", cell.cost_nano_usd},
          {"duration", cell.duration_ns},
          {"cache_write_1h", cell.cache_write_1h_tokens},
          {"engine", cell.engine_ns},
          {"units", cell.milli_units},
          {"streamed", cell.streamed},
          {"first_token", cell.first_token_ns}};
}

std::string SeriesName(std::int64_t minute, const std::string& kind, CallBill bill,
                       int prompt_class, const std::vector<std::string_view>& texts) {
  std::string name = std::to_string(minute) + " " + kind + " " +
                     std::to_string(static_cast<int>(bill)) + " " + std::to_string(prompt_class);
  for (const std::string_view text : texts) name.append("|").append(text);
  return name;
}

// Texts of calls live as long as the list of them.
genai::Call RandomCall(Rng& rng) {
  static const std::vector<std::string> kTexts = {"", "a", "b"};
  const auto text = [&rng] { return std::string_view(kTexts[rng.Below(kTexts.size())]); };
  const auto number = [&rng] { return static_cast<std::int64_t>(rng.Below(1'000)); };
  const auto tokens = [&] { return rng.Chance(0.2) ? 0 : number() * 400; };
  genai::Call call{.kind = static_cast<genai::StepKind>(5 + rng.Below(3)),
                   .provider = text(),
                   .model = text(),
                   .asked_model = text(),
                   .tool = text(),
                   .tenant = text(),
                   .route = text(),
                   .agent = text(),
                   .experiment = text(),
                   .experiment_arm = text(),
                   .prompt = text(),
                   .service_tier = text(),
                   .failed = rng.Chance(0.5),
                   .throttled = rng.Chance(0.4),
                   .timeout = rng.Chance(0.3),
                   .retries = number(),
                   .prompt_tokens = tokens(),
                   .completion_tokens = tokens(),
                   .cached_tokens = number(),
                   .cache_write_tokens = number(),
                   .reasoning_tokens = number(),
                   .cache_write_1h_tokens = number(),
                   .engine_ns = number(),
                   .milli_units = number(),
                   .cost_nano_usd = std::nullopt};
  call.no_bill = static_cast<genai::NoBill>(rng.Below(7));
  call.is_request = rng.Chance(0.2);
  if (rng.Chance(0.5)) call.first_token_ns = number();
  if (rng.Chance(0.5)) call.cost_nano_usd = number();
  call.end_ns = (static_cast<std::int64_t>(rng.Below(4)) - 2) * kMinuteNs + number();
  call.start_ns = call.end_ns - number() + 200;
  return call;
}

TEST(CallSums, EveryNumberIsTheSumOfThoseOfTheCalls) {
  Rng rng(7);
  std::vector<std::uint16_t> choices = {kByAllDimensions, 0, kByModel | kByPrice,
                                        kByTenant | kByExperiment | kByArm};
  for (std::uint16_t one = kByKind; one <= kByPrice; one = static_cast<std::uint16_t>(one << 1U))
    choices.push_back(one);
  for (const std::uint16_t dimensions : choices) {
    const auto has = [dimensions](CallDimension one) { return (dimensions & one) != 0; };
    CallSums direct(kMinuteNs, dimensions);
    CallSums all(kMinuteNs);
    std::map<std::string, Numbers> wanted;
    for (int i = 0; i < 600; ++i) {
      const genai::Call call = RandomCall(rng);
      direct.Add(call);
      all.Add(call);
      const std::int64_t minute =
          call.end_ns < 0 ? -((-call.end_ns + kMinuteNs - 1) / kMinuteNs) : call.end_ns / kMinuteNs;
      std::vector<std::string_view> texts;
      for (const CallText& text : kCallTexts)
        texts.push_back(has(text.dimension) ? call.*text.of : "");
      const std::int64_t prompt = call.prompt_tokens;
      const int prompt_class = prompt > 272'000   ? 3
                               : prompt > 200'000 ? 2
                               : prompt > 128'000 ? 1
                                                  : 0;
      const std::string name =
          SeriesName(minute,
                     call.is_request ? "253"
                     : has(kByKind)  ? std::to_string(static_cast<int>(call.kind))
                                     : "any",
                     BillOf(call), has(kByPrice) ? prompt_class : 0, texts);
      for (const auto& [what, number] : NumbersOf(call)) wanted[name][what] += number;
    }
    CallSums merged(kMinuteNs, dimensions);
    merged.Merge(all);
    for (const CallSums* const sums : {&direct, &merged}) {
      std::map<std::string, Numbers> got;
      for (const CallSums::Row& row : sums->Rows()) {
        const CallSeries& series = sums->series()[row.series];
        const std::string kind =
            series.kind == CallSeries::kNoKind ? "any" : std::to_string(series.kind);
        std::vector<std::string_view> texts;
        for (const TextId text : series.texts) texts.push_back(sums->TextAt(text));
        got[SeriesName(row.period_ns / kMinuteNs, kind, series.bill, series.prompt_class, texts)] =
            NumbersOf(*row.cell);
        std::int64_t timed = 0;
        for (const auto& bucket : row.cell->times.Buckets()) timed += bucket.count;
        EXPECT_EQ(timed, row.cell->calls);
        std::int64_t streamed = 0;
        for (const auto& bucket : row.cell->first_tokens.Buckets()) streamed += bucket.count;
        EXPECT_EQ(streamed, row.cell->streamed);
      }
      EXPECT_EQ(got, wanted) << dimensions;
    }
  }
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
