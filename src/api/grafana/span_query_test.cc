#include "api/grafana/span_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"

namespace fluoro::api::grafana {
namespace {

constexpr std::int64_t kNowNs = 1'700'000'000 * kNsPerSecond;

model::Span SpanOf(std::string name, std::int64_t start_ns, std::int64_t duration_ns) {
  model::Span span;
  span.name = std::move(name);
  span.start_ns = start_ns;
  span.end_ns = start_ns + duration_ns;
  span.resource = std::make_shared<model::Resource>();
  span.scope = std::make_shared<model::Scope>();
  return span;
}

SpanQuery QueryOf(Parameters parameters) {
  parameters.emplace_back("service", "shop");
  auto query = SpanQuery::Parse(parameters, kNowNs);
  EXPECT_TRUE(query) << query.error().message;
  return query ? *query : SpanQuery{};
}

TEST(GoDuration, TakesGoNotation) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1.5s", 1'500'000'000},
      {"200ms", 200'000'000},
      {"1m30s", 90'000'000'000},
      {"2h", 7'200'000'000'000},
      {"100us", 100'000},
      {"3\xc2\xb5s", 3'000},
      {"7ns", 7},
      {".5s", 500'000'000},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(ParseGoDuration(text).value_or(-1), expected) << text;
}

TEST(GoDuration, RefusesWhatIsNone) {
  for (const char* text :
       {"", "5", "s", "1.5", "-1s", "1e3s", "1x", "nan s", "99999999999999999999h", "1s "}) {
    EXPECT_FALSE(ParseGoDuration(text)) << text;
  }
}

TEST(JaegerTraceId, IsPaddedOnTheLeft) {
  EXPECT_EQ(ParseJaegerTraceId("abc")->ToHex(), "00000000000000000000000000000abc");
  EXPECT_EQ(ParseJaegerTraceId("0123456789abcdef")->ToHex(), "00000000000000000123456789abcdef");
  EXPECT_EQ(ParseJaegerTraceId("1-581cf771-a006649127e371903a2de979")->ToHex(),
            "581cf771a006649127e371903a2de979");
  for (const char* text : {"", "0", "xyz", "0123456789abcdef0123456789abcdef0"})
    EXPECT_FALSE(ParseJaegerTraceId(text)) << text;
}

TEST(SpanQuery, HasDefaults) {
  const SpanQuery query = QueryOf({{"operation", ""}, {"lookback", "1h"}});
  EXPECT_EQ(query.until_ns, kNowNs);
  EXPECT_EQ(query.from_ns, kNowNs - 48LL * 3600 * kNsPerSecond);
  EXPECT_EQ(query.limit, kTracesDefault);
  EXPECT_TRUE(query.tags.empty());
}

TEST(SpanQuery, TakesTagsInBothForms) {
  const SpanQuery query =
      QueryOf({{"tags", R"({"a":"1","b":"x"})"}, {"tag", "http.url:http://h:80/"}});
  EXPECT_THAT(query.tags, testing::ElementsAre(testing::Pair("a", "1"), testing::Pair("b", "x"),
                                               testing::Pair("http.url", "http://h:80/")));
}

TEST(SpanQuery, NamesTheBadParameter) {
  const std::pair<Parameters, const char*> cases[] = {
      {{}, "parameter 'service' is required"},
      {{{"service", "s"}, {"start", "yesterday"}}, "parameter 'start'"},
      {{{"service", "s"}, {"minDuration", "fast"}}, "parameter 'minDuration'"},
      {{{"service", "s"}, {"minDuration", "2s"}, {"maxDuration", "1s"}},
       "'maxDuration' must not be less"},
      {{{"service", "s"}, {"limit", "-1"}}, "parameter 'limit'"},
      {{{"service", "s"}, {"tag", "novalue"}}, "parameter 'tag'"},
      {{{"service", "s"}, {"tags", "{"}}, "parameter 'tags'"},
      {{{"service", "s"}, {"tags", R"({"a":1})"}}, "parameter 'tags'"},
      {{{"traceID", "zz"}}, "parameter 'traceID'"},
  };
  for (const auto& [parameters, message] : cases) {
    const auto query = SpanQuery::Parse(parameters, kNowNs);
    ASSERT_FALSE(query) << message;
    EXPECT_EQ(query.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(query.error().message.starts_with(message)) << query.error().message;
  }
}

TEST(SpanQuery, OneSpanMustAnswerEverything) {
  model::Span span = SpanOf("GET /", kNowNs - kNsPerSecond, 200 * kNsPerMs);
  span.attributes = {
      {"http.status_code", {std::int64_t{500}}}, {"retry", {true}}, {"peer", {std::string("db")}}};
  span.kind = model::SpanKind::kServer;
  span.status = model::StatusCode::kError;
  span.status_message = "timed out";
  span.trace_state = "k=v";
  model::Scope scope;
  scope.name = "lib";
  scope.version = "3.1";
  span.scope = std::make_shared<const model::Scope>(std::move(scope));
  span.events.push_back({.time_ns = 0,
                         .name = "exception",
                         .attributes = {{"exception.type", {std::string("E")}}},
                         .dropped_attributes = 0});

  EXPECT_TRUE(QueryOf({}).Matches(span, "shop"));
  EXPECT_FALSE(QueryOf({}).Matches(span, "other"));
  EXPECT_TRUE(QueryOf({{"operation", "GET /"}}).Matches(span, "shop"));
  EXPECT_FALSE(QueryOf({{"operation", "GET"}}).Matches(span, "shop"));
  EXPECT_TRUE(QueryOf({{"minDuration", "200ms"}, {"maxDuration", "0.2s"}}).Matches(span, "shop"));
  EXPECT_FALSE(QueryOf({{"minDuration", "201ms"}}).Matches(span, "shop"));
  EXPECT_FALSE(QueryOf({{"maxDuration", "199ms"}}).Matches(span, "shop"));
  for (const char* tag : {"http.status_code:500", "retry:true", "peer:db", "error:true",
                          "span.kind:server", "exception.type:E", "otel.status_code:ERROR",
                          "event:exception", "otel.status_description:timed out",
                          "otel.scope.name:lib", "otel.scope.version:3.1", "w3c.tracestate:k=v"}) {
    EXPECT_TRUE(QueryOf({{"tag", tag}}).Matches(span, "shop")) << tag;
  }
  for (const char* tag :
       {"http.status_code:50", "retry:false", "peer:cache", "error:false", "span.kind:client",
        "absent:1", "otel.scope.version:3", "otel.status_description:", "w3c.tracestate:"}) {
    EXPECT_FALSE(QueryOf({{"tag", tag}}).Matches(span, "shop")) << tag;
  }
  EXPECT_FALSE(QueryOf({{"tag", "peer:db"}, {"tag", "absent:1"}}).Matches(span, "shop"));
  EXPECT_FALSE(QueryOf({{"end", "1699999998000000"}}).Matches(span, "shop"));
  EXPECT_TRUE(QueryOf({{"start", "1699999999000000"}}).Matches(span, "shop"));
}

}  // namespace
}  // namespace fluoro::api::grafana
