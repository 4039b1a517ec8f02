#include "api/ui/calls_json.h"

#include <gmock/gmock.h>
#include <simdjson.h>

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

TEST(CallsRequest, ReadsEveryMemberAndNamesTheBadOne) {
  const auto request = ParseCallsRequest(
      R"({"from":1,"to":90,"of":"tools","by":["tool","tenant"],"step_minutes":5})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->from_ns, 1);
  EXPECT_EQ(request->until_ns, 90);
  EXPECT_EQ(request->step_ns, 5 * rollup::kMinuteNs);
  EXPECT_EQ(request->dimensions, rollup::kByTool | rollup::kByTenant);
  EXPECT_EQ(PlanOf(*request, 0).dimensions, rollup::kByTool | rollup::kByTenant | rollup::kByKind);
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
                                          {R"({"expression":"fault"})", "expression"},
                                          {R"([])", "body"},
                                          {R"({"from":3,"to":3})", "from"}}) {
    const auto bad = ParseCallsRequest(body);
    ASSERT_FALSE(bad) << body;
    EXPECT_THAT(bad.error().message, HasSubstr(member));
  }
}

TEST(CallsJson, ModelsAndToolsAreApartAndCostsExact) {
  const CallsRequest models = *ParseCallsRequest(R"({"of":"models"})");
  EXPECT_EQ(
      CallsJson(models, Sums(PlanOf(models, 0).dimensions)),
      R"({"from":null,"to":null,"step_minutes":0,"rows":[{"provider":"openai","model":"m","calls":2,"failed":1,"throttled":0,"timeouts":0,"retries":0,"prompt_tokens":20,"completion_tokens":2,"cached_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"stated_cost_usd":0.0015,"calls_without_cost":1,"prompt_tokens_without_cost":10,"completion_tokens_without_cost":1,"sum_ns":2000000,"p50_ns":1013644,"p95_ns":1013644,"p99_ns":1013644}],"truncated":false,"complete":true,"damaged":[]})");
  const CallsRequest tools = *ParseCallsRequest(R"({"of":"tools"})");
  EXPECT_THAT(CallsJson(tools, Sums(PlanOf(tools, 0).dimensions)),
              HasSubstr(R"("rows":[{"tool":"search","calls":1,)"));
  const CallsRequest all = *ParseCallsRequest(R"({"by":[]})");
  EXPECT_THAT(CallsJson(all, Sums(PlanOf(all, 0).dimensions)), HasSubstr(R"("rows":[{"calls":3,)"));
}

}  // namespace
}  // namespace fluoro::api::ui
