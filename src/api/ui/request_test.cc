#include "api/ui/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "api/ui/trace_json.h"
#include "model/testing.h"

namespace fluoro::api::ui {
namespace {

using testing::HasSubstr;

TEST(QueryRequest, ReadsEveryMemberAndTakesNullAsAbsent) {
  const auto request = ParseQueryRequest(
      R"({"expression":"fault","from":1,"to":9000000000000000000,"limit":7,"group":null,"next_token":"42.4efaaf4d1e8720b39541901950019ee5","explain":true,"brief":true,"without_index":true,"from_spans":true,"later":1})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->expression, "fault");
  EXPECT_EQ(request->from_ns, 1);
  EXPECT_EQ(request->until_ns, 9'000'000'000'000'000'000);
  EXPECT_EQ(request->limit, 7U);
  EXPECT_TRUE(request->explain);
  EXPECT_TRUE(request->brief);
  EXPECT_FALSE(MakePlan(*request, 0)->use_index);
  EXPECT_TRUE(request->from_spans);
  ASSERT_TRUE(request->after);
  EXPECT_EQ(request->after->start_ns, 42);
  EXPECT_EQ(PrintToken(*request->after), "42.4efaaf4d1e8720b39541901950019ee5");
  EXPECT_TRUE(ParseQueryRequest(""));
  EXPECT_TRUE(MakePlan(*ParseQueryRequest("{}"), 0)->use_index);
}

TEST(QueryRequest, NamesTheBadMember) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "body"},
      {"{", "body"},
      {R"({"expression":1})", "expression"},
      {R"({"from":"x"})", "from"},
      {R"({"from":1.5})", "from"},
      {R"({"limit":0})", "limit"},
      {R"({"limit":10001})", "limit"},
      {R"({"limit":-1})", "limit"},
      {R"({"next_token":"x"})", "next_token"},
      {R"({"next_token":"1.zz"})", "next_token"},
      {R"({"from":5,"to":5})", "from"},
      {R"({"explain":"yes"})", "explain"},
      {R"({"brief":1})", "brief"},
      {R"({"without_index":1})", "without_index"},
      {R"({"from_spans":1})", "from_spans"},
      {R"({"a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}", "64 levels"}};
  for (const auto& [body, words] : cases) {
    const auto request = ParseQueryRequest(body);
    ASSERT_FALSE(request) << body.substr(0, 60);
    EXPECT_THAT(request.error().message, HasSubstr(words)) << body.substr(0, 60);
  }
}

TEST(MakePlan, ChecksTheFilterAndTheGroup) {
  QueryRequest request;
  request.expression = "responsetme > 1";
  EXPECT_THAT(MakePlan(request, 0).error().message, HasSubstr("responsetime"));
  request.expression = "fault";
  request.group = "mine";
  EXPECT_EQ(MakePlan(request, 0).error().code, ErrorCode::kNotFound);
  request.group = "Default";
  const auto plan = MakePlan(request, 5);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->deadline_ns, 5 + kQueryDeadlineNs);
}

TEST(ErrorAnswer, FitsTheCode) {
  EXPECT_EQ(ErrorAnswer({ErrorCode::kNotFound, "x"}).status, 404);
  EXPECT_EQ(ErrorAnswer({ErrorCode::kInvalidArgument, "x"}).status, 400);
  const auto busy = ErrorAnswer({ErrorCode::kUnavailable, "say \"when\""});
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.headers.at("retry-after"), "1");
  EXPECT_THAT(busy.body, HasSubstr(R"("message":"say \"when\"")"));
}

TEST(FormatUtc, KeepsNanoseconds) {
  EXPECT_EQ(FormatUtc(1'478'293'361'271'000'001), "2016-11-04T21:02:41.271000001Z");
  EXPECT_EQ(FormatUtc(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatUtc(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(TraceJson, TokensOfAModelCallCountOnceThoughItsCalleeIsInferred) {
  using namespace model::testing;
  const auto trace =
      AssembleSpans({OtelSpan(1, model::SpanKind::kServer, "GET /").Service("web").Between(0, 100),
                     OtelSpan(2, model::SpanKind::kClient, "chat m")
                         .Parent(1)
                         .Service("web")
                         .Set("gen_ai.operation.name", std::string("chat"))
                         .Set("gen_ai.request.model", std::string("m"))
                         .Set("gen_ai.usage.input_tokens", std::int64_t{120})
                         .Set("peer.service", std::string("llm"))
                         .Between(10, 90)});
  const std::string json = TraceJson(trace, genai::ModelPrices::BuiltIn());
  EXPECT_TRUE(std::ranges::any_of(trace.entities, [](const model::Entity& e) {
    return e.role == model::EntityRole::kInferred;
  }));
  EXPECT_THAT(json, HasSubstr(R"("prompt_tokens":120)"));
  EXPECT_THAT(json, HasSubstr(R"("unpriced_spans":1)"));
  EXPECT_THAT(json, HasSubstr(R"("cost_usd":null)"));
}

}  // namespace
}  // namespace fluoro::api::ui
