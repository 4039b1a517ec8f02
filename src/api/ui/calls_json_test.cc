#include "api/ui/calls_json.h"

#include <gmock/gmock.h>

#include <simdjson.h>

#include <map>

#include "genai/trace_cost.h"
#include "model/assembly.h"
#include "model/testing.h"
#include "rollup/call_testing.h"

namespace fluoro::api::ui {
namespace {

using ::testing::HasSubstr;

store::CallsResult Sums(std::uint16_t dimensions) {
  store::CallsResult result;
  result.sums = rollup::CallSums(0, dimensions);
  genai::Call call{.kind = genai::StepKind::kLlm,
                   .provider = "openai",
                   .model = "m",
                   .tool = {},
                   .tenant = "acme",
                   .route = {},
                   .start_ns = 0,
                   .end_ns = 1'000'000,
                   .prompt_tokens = 10,
                   .completion_tokens = 1,
                   .cost_nano_usd = 1'500'000};
  result.sums.Add(call);
  call.cost_nano_usd.reset();
  call.failed = true;
  result.sums.Add(call);
  result.sums.Add({.kind = genai::StepKind::kTool,
                   .provider = {},
                   .model = {},
                   .tool = "search",
                   .tenant = {},
                   .route = {},
                   .cost_nano_usd = std::nullopt});
  return result;
}

const genai::ModelPrices& NoPrices() {
  static const auto prices = genai::ModelPrices::With({});
  return prices;
}
// USD per million tokens; from the third day on the output costs twice as much.
genai::ModelPrices PricesOfM() {
  std::vector<genai::ModelPrice> entries;
  for (const std::string_view json :
       {R"({"id":"m","match":["m"],"valid_from":"1970-01-01","input":1,"output":2,
            "tiers":[{"when":{"prompt_tokens_gt":200000},"input":10},
                     {"when":{"service_tier":["flex"]},"input":0.5}]})",
        R"({"id":"m","match":["m"],"valid_from":"1970-01-03","input":1,"output":4})"})
    entries.push_back(*genai::ParseModelPrice(json, 0));
  return genai::ModelPrices::With(std::move(entries));
}
genai::Call CallOfM(std::int64_t end_ns, std::int64_t in, std::int64_t out) {
  return {.kind = genai::StepKind::kLlm,
          .provider = "openai",
          .model = "m",
          .tool = {},
          .tenant = "acme",
          .route = {},
          .start_ns = end_ns,
          .end_ns = end_ns,
          .prompt_tokens = in,
          .completion_tokens = out,
          .cost_nano_usd = std::nullopt};
}

TEST(CallsRequest, ReadsEveryMemberAndNamesTheBadOne) {
  const auto request = ParseCallsRequest(
      R"({"from":1,"to":90,"of":"tools","by":["tool","tenant"],"step_minutes":5})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->from_ns, 1);
  EXPECT_EQ(request->until_ns, 90);
  EXPECT_EQ(request->step_ns, 5 * rollup::kMinuteNs);
  EXPECT_EQ(request->dimensions, rollup::kByTool | rollup::kByTenant);
  EXPECT_EQ(PlanOf(*request, NoPrices(), 0).dimensions,
            rollup::kByTool | rollup::kByTenant | rollup::kByPriced);
  const auto where =
      ParseCallsRequest(R"({"by":["arm"],"where":{"experiment":"e1","kind":"llm","agent":null}})");
  ASSERT_TRUE(where);
  EXPECT_EQ(where->where,
            (std::map<rollup::CallDimension, std::string>{
                {rollup::kByKind, "llm"}, {rollup::kByAgent, ""}, {rollup::kByExperiment, "e1"}}));
  EXPECT_EQ(PlanOf(*where, NoPrices(), 0).dimensions,
            rollup::kByArm | rollup::kByExperiment | rollup::kByAgent | rollup::kByPriced);
  EXPECT_EQ(ParseCallsRequest("")->dimensions, rollup::kByKind);
  EXPECT_EQ(ParseCallsRequest(R"({"of":"models","by":null})")->dimensions,
            rollup::kByProvider | rollup::kByModel);
  for (const auto& [body, member] :
       std::map<std::string, std::string>{{R"({"of":"x"})", "of"},
                                          {R"({"of":3})", "of"},
                                          {R"({"by":"tool"})", "by"},
                                          {R"({"by":["user"]})", "by"},
                                          {R"({"step_minutes":-1})", "step_minutes"},
                                          {R"({"step_minutes":1.5})", "step_minutes"},
                                          {R"({"where":[]})", "where"},
                                          {R"({"where":{"user":"x"}})", "where"},
                                          {R"({"where":{"tenant":3}})", "where.tenant"},
                                          {R"({"where":{"kind":"x"}})", "where.kind"},
                                          {R"({"expression":"fault"})", "expression"},
                                          {R"([])", "body"},
                                          {R"({"from":3,"to":3})", "from"}}) {
    const auto bad = ParseCallsRequest(body);
    ASSERT_FALSE(bad) << body;
    EXPECT_THAT(bad.error().message, HasSubstr(member));
  }
}

std::string JsonOf(const CallsRequest& request, const std::vector<genai::Call>& calls,
                   const genai::ModelPrices& prices) {
  const store::CallsPlan plan = PlanOf(request, prices, 0);
  store::CallsResult result;
  result.sums = rollup::CallSums(plan.period_ns, plan.dimensions);
  for (const genai::Call& call : calls) result.sums.Add(call);
  return CallsJson(request, result, prices);
}

TEST(CallsJson, ModelsAndToolsAreApartAndCostsExact) {
  const auto json = [](const CallsRequest& request) {
    return CallsJson(request, Sums(PlanOf(request, NoPrices(), 0).dimensions), NoPrices());
  };
  EXPECT_EQ(
      json(*ParseCallsRequest(R"({"of":"models"})")),
      R"({"from":null,"to":null,"step_minutes":0,"rows":[{"provider":"openai","model":"m","calls":2,"failed":1,"throttled":0,"timeouts":0,"retries":0,"prompt_tokens":20,"completion_tokens":2,"cached_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"cost_usd":0.0015,"stated_cost_usd":0.0015,"unpriced_calls":1,"unpriced_tokens":11,"usage_missing":0,"price_flags":[],"sum_ns":2000000,"p50_ns":1013644,"p95_ns":1013644,"p99_ns":1013644,"streamed":0}],"prices_dated":"2026-08-21","truncated":false,"complete":true,"damaged":[]})");
  EXPECT_THAT(json(*ParseCallsRequest(R"({"of":"tools"})")),
              HasSubstr(R"("rows":[{"tool":"search","calls":1,)"));
  EXPECT_THAT(json(*ParseCallsRequest(R"({"by":[]})")), HasSubstr(R"("rows":[{"calls":3,)"));
}

TEST(CallsJson, WhatStatesNoCostIsPricedByItsDayItsTierAndItsSize) {
  const genai::ModelPrices prices = PricesOfM();
  genai::Call flex = CallOfM(kDayNs, 1'000'000, 0);
  flex.service_tier = "flex";
  flex.prompt_tokens = 100'000;
  genai::Call unknown = CallOfM(kDayNs, 70, 7);
  unknown.model = "nobody's";
  const std::vector<genai::Call> calls = {
      CallOfM(kDayNs, 1'000, 100),      // 1,000 x 1 + 100 x 2 millionths of a dollar
      CallOfM(2 * kDayNs, 1'000, 100),  // 1,000 x 1 + 100 x 4
      CallOfM(kDayNs, 250'000, 0),      // 250,000 x 10
      flex,                             // 100,000 x 0.5
      unknown};
  CallsRequest request = *ParseCallsRequest(R"({"by":["tenant"]})");
  EXPECT_THAT(JsonOf(request, calls, prices),
              HasSubstr(R"("cost_usd":2.5526,"stated_cost_usd":null,"unpriced_calls":1,)"
                        R"("unpriced_tokens":77,)"));
  // A window in which no price changes needs no days.
  request.from_ns = kDayNs;
  request.until_ns = 2 * kDayNs - 1;
  EXPECT_EQ(PlanOf(request, prices, 0).period_ns, 0);
  request.until_ns = 3 * kDayNs;
  EXPECT_EQ(PlanOf(request, prices, 0).period_ns, kDayNs);
}

// Whether one asks for a trace's bill or for sums: the same, but for rounding of each product.
TEST(CallsJson, SumsCostWhatTheirTracesCost) {
  std::vector<genai::ModelPrice> entries;
  for (
      const std::string_view json :
      {R"({"id":"m1","match":["m1*"],"valid_from":"1970-01-01","input":3,"output":20})",
       R"({"id":"m2","match":["m2"],"valid_from":"1970-01-01","input":7,"output":11,"cache_read":1})",
       R"({"id":"search","match":["search"],"valid_from":"1970-01-01","per_call":0.01})"}) {
    auto entry = genai::ParseModelPrice(json, 0);
    ASSERT_TRUE(entry) << entry.error().message;
    entries.push_back(*std::move(entry));
  }
  const auto prices = genai::ModelPrices::With(std::move(entries));
  Rng rng(11);
  const CallsRequest request = *ParseCallsRequest(R"({"by":["tenant"],"of":"all"})");
  store::CallsResult result;
  const store::CallsPlan plan = PlanOf(request, prices, 0);
  result.sums = rollup::CallSums(plan.period_ns, plan.dimensions);
  std::int64_t nano_usd = 0;
  std::int64_t unpriced = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t steps = 0;
  for (std::uint64_t round = 0; round < 400; ++round) {
    auto trace = std::make_shared<model::Trace>();
    trace->id.bytes[15] = static_cast<std::uint8_t>(1 + round % 250);
    for (std::uint64_t i = 1; i <= 1 + rng.Below(9); ++i)
      trace->spans.push_back(rollup::testing::RandomCallSpan(rng, trace->id, i));
    model::Deduplicate(trace->spans);
    rollup::testing::AddCalls(trace->spans, {}, result.sums);
    const genai::TraceCost cost = genai::PriceTrace(model::Assemble(trace), prices);
    nano_usd += cost.cost_nano_usd;
    unpriced += cost.unpriced_steps;
    unpriced_tokens += cost.unpriced_tokens;
    steps += static_cast<std::int64_t>(cost.steps.size());
  }
  simdjson::dom::parser parser;
  const simdjson::padded_string json(CallsJson(request, result, prices));
  double usd = 0;
  std::int64_t calls = 0;
  std::int64_t tokens = 0;
  for (const auto row : parser.parse(json)["rows"].get_array()) {
    double cost = 0;
    if (row["cost_usd"].get(cost) == simdjson::SUCCESS) usd += cost;
    calls += row["unpriced_calls"].get_int64();
    tokens += row["unpriced_tokens"].get_int64();
  }
  EXPECT_GT(nano_usd, 0);
  EXPECT_NEAR(usd * 1e9, static_cast<double>(nano_usd), static_cast<double>(3 * steps));
  EXPECT_EQ(calls, unpriced);
  EXPECT_EQ(tokens, unpriced_tokens);
  EXPECT_GT(unpriced, 20);
}

TEST(CallsJson, NothingPricedIsNotNothing) {
  const std::string json =
      JsonOf(*ParseCallsRequest(R"({"by":[]})"), {CallOfM(0, 5, 5)}, NoPrices());
  EXPECT_THAT(json, HasSubstr(R"("cost_usd":null,"stated_cost_usd":null,"unpriced_calls":1,)"));
}

TEST(CallsJson, OnlyWhatIsAskedForCounts) {
  genai::Call other = CallOfM(0, 5, 5);
  other.tenant = "globex";
  other.first_token_ns = 3'000'000;
  const std::vector<genai::Call> calls = {CallOfM(0, 5, 5), other, other};
  EXPECT_THAT(JsonOf(*ParseCallsRequest(R"({"where":{"tenant":"globex"}})"), calls, NoPrices()),
              HasSubstr(R"("rows":[{"kind":"llm","calls":2,)"));
  EXPECT_THAT(JsonOf(*ParseCallsRequest(R"({"by":[],"where":{"tenant":null}})"), calls, NoPrices()),
              HasSubstr(R"("rows":[])"));
  EXPECT_THAT(JsonOf(*ParseCallsRequest(R"({"by":["tenant"]})"), calls, NoPrices()),
              HasSubstr(R"("streamed":2,"ttft_p50_ns":)"));
}

}  // namespace
}  // namespace fluoro::api::ui
