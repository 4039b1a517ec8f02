#include "api/xray/request.h"

#include <gtest/gtest.h>

#include <string>

namespace fluoro::api::xray {
namespace {

const Shape& InputOf(std::string_view path) { return *FindOperation(path)->input; }

ApiError ErrorOf(std::string_view path, std::string_view body) {
  const auto request = Request::Parse(body, InputOf(path));
  if (request) return {.status = 200, .type = "none"};
  return request.error();
}

TEST(Request, EmptyBodyIsAnEmptyObject) {
  for (const char* body : {"", "  \r\n", "{}", R"({"NextToken":null})"}) {
    const auto request = Request::Parse(body, InputOf("/GetSamplingRules"));
    ASSERT_TRUE(request) << body;
    EXPECT_FALSE(request->members().Text("NextToken")) << body;
  }
}

TEST(Request, UnknownMembersAreIgnored) {
  EXPECT_TRUE(
      Request::Parse(R"({"ClientID":["x"],"NextToken":"t"})", InputOf("/GetSamplingRules")));
}

TEST(Request, WhatIsNoObjectIsASerializationException) {
  for (const char* body :
       {"[]", "null", "3", "{", R"({"a":})", "{} {}", R"({"NextToken":5})", "\xff"}) {
    const ApiError error = ErrorOf("/GetSamplingRules", body);
    EXPECT_EQ(error.status, 400) << body;
    EXPECT_EQ(error.type, "SerializationException") << body;
  }
}

TEST(Request, DeepNestingIsRefused) {
  const std::string body = R"({"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(ErrorOf("/GetSamplingRules", body).type, "SerializationException");
}

TEST(Request, TooManyValuesAreRefused) {
  std::string body = R"({"x":[)";
  for (std::size_t i = 0; i < kBodyValuesMax; ++i) body += "0,";
  EXPECT_EQ(ErrorOf("/GetSamplingRules", body + "0]}").message,
            "The request body holds more than 1000000 values");
}

TEST(Request, MissingMembersAreNamedTogether) {
  EXPECT_EQ(ErrorOf("/TraceSummaries", R"({"EndTime":1})").message,
            "1 validation error detected: Value at 'startTime' failed to satisfy constraint: "
            "Member must not be null");
  EXPECT_EQ(ErrorOf("/TraceSummaries", "{}").message,
            "2 validation errors detected: Value at 'startTime' failed to satisfy constraint: "
            "Member must not be null; "
            "Value at 'endTime' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(ErrorOf("/TraceSummaries", "{}").type, "InvalidRequestException");
}

struct ConstraintCase {
  const char* path;
  const char* body;
  const char* message;
};

TEST(Request, BrokenConstraintsSayWhereAndWhich) {
  const ConstraintCase cases[] = {
      {"/Traces", R"({"TraceIds":[""]})",
       "Value at 'traceIds.1.member' failed to satisfy constraint: Member must have length greater "
       "than or equal to 1"},
      {"/Traces", R"({"TraceIds":["1-581cf771-a006649127e371903a2de9790"]})",
       "Value at 'traceIds.1.member' failed to satisfy constraint: Member must have length less "
       "than or equal to 35"},
      {"/Traces", R"({"TraceIds":["a",null]})",
       "Value at 'traceIds.2.member' failed to satisfy constraint: Member must not be null"},
      {"/TraceSummaries", R"({"StartTime":1,"EndTime":2,"TimeRangeType":"Trace"})",
       "Value at 'timeRangeType' failed to satisfy constraint: Member must satisfy enum value set: "
       "[TraceId, Event, Service]"},
      {"/TraceSummaries", R"({"StartTime":1,"EndTime":2,"SamplingStrategy":{"Name":"x"}})",
       "Value at 'samplingStrategy.name' failed to satisfy constraint: Member must satisfy enum "
       "value set: [PartialScan, FixedRate]"},
      {"/ServiceGraph", R"({"StartTime":1,"EndTime":2,"GroupARN":""})",
       "Value at 'groupARN' failed to satisfy constraint: Member must have length greater than or "
       "equal to 1"},
      {"/SamplingTargets",
       R"({"SamplingStatisticsDocuments":[{"RuleName":"Default","ClientID":"short","Timestamp":1,"RequestCount":-1,"SampledCount":0}]})",
       "Value at 'samplingStatisticsDocuments.1.member.clientID' failed to satisfy constraint: "
       "Member must have length greater than or "
       "equal to 24; Value at 'samplingStatisticsDocuments.1.member.requestCount' failed to "
       "satisfy constraint: Member must have value "
       "greater than or equal to 0"},
  };
  for (const ConstraintCase& c : cases) {
    const ApiError error = ErrorOf(c.path, c.body);
    EXPECT_EQ(error.type, "InvalidRequestException") << c.body;
    EXPECT_TRUE(error.message.ends_with(std::string("detected: ") + c.message)) << error.message;
  }
}

TEST(Request, ManyBrokenConstraintsAreCountedButNotAllTold) {
  std::string body = R"({"TraceIds":[null)";
  for (int i = 1; i < 10'000; ++i) body += ",null";
  const ApiError error = ErrorOf("/Traces", body + "]}");
  EXPECT_TRUE(error.message.starts_with("10000 validation errors detected: "))
      << error.message.substr(0, 100);
  EXPECT_LT(error.message.size(), 10'000U);
}

TEST(Request, WrongTypesAreNamed) {
  EXPECT_EQ(ErrorOf("/TraceSummaries", R"({"StartTime":"2020-01-01","EndTime":1})").message,
            "Value at 'startTime' must be a number of seconds since the epoch");
  EXPECT_EQ(ErrorOf("/Traces", R"({"TraceIds":"a"})").message,
            "Value at 'traceIds' must be a list");
  EXPECT_EQ(ErrorOf("/TimeSeriesServiceStatistics", R"({"StartTime":1,"EndTime":2,"Period":60.5})")
                .message,
            "Value at 'period' must be an integer");
  EXPECT_EQ(
      ErrorOf("/TimeSeriesServiceStatistics", R"({"StartTime":1,"EndTime":2,"Period":3000000000})")
          .message,
      "Value at 'period' must be an integer");
}

TEST(Request, IntegersMayBeWrittenAsFractions) {
  for (const char* number : {"60", "60.0", "6e1"}) {
    const auto request =
        Request::Parse(R"({"StartTime":1,"EndTime":2,"Period":)" + std::string(number) + "}",
                       InputOf("/TimeSeriesServiceStatistics"));
    ASSERT_TRUE(request) << number;
    EXPECT_EQ(request->members().Int("Period"), 60) << number;
  }
}

TEST(Request, TimesAreSecondsOrMilliseconds) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1530558121", 1'530'558'121'000'000'000},
      {"1530558121.0", 1'530'558'121'000'000'000},
      {"1.530558121E9", 1'530'558'121'000'000'000},
      {"1478293361.271", 1'478'293'361'271'000'000},
      {"1624257967000", 1'624'257'967'000'000'000},
      {"1624257967123", 1'624'257'967'123'000'000},
      {"0", 0},
      {"99999999999", 9'200'000'000'000'000'000},
      {"-1.5", -1'500'000'000},
      {"-1e300", -9'200'000'000'000'000'000},
  };
  for (const auto& [text, expected] : cases) {
    const auto request = Request::Parse(R"({"StartTime":)" + std::string(text) + R"(,"EndTime":2})",
                                        InputOf("/ServiceGraph"));
    ASSERT_TRUE(request) << text;
    EXPECT_EQ(request->members().TimeNs("StartTime"), expected) << text;
  }
}

TEST(Request, LengthsCountCodePoints) {
  const auto body = [](int times) {
    std::string name;
    for (int i = 0; i < times; ++i) name += "\xc3\xa9";
    return R"({"StartTime":1,"EndTime":2,"GroupName":")" + name + "\"}";
  };
  EXPECT_TRUE(Request::Parse(body(32), InputOf("/ServiceGraph")));
  EXPECT_FALSE(Request::Parse(body(33), InputOf("/ServiceGraph")));
}

}  // namespace
}  // namespace fluoro::api::xray
