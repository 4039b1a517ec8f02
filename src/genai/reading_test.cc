#include "genai/reading.h"

#include <gmock/gmock.h>

#include <limits>

#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::AttributeValue;
using model::testing::ToValue;

TEST(Coerce, CountsAreWholeAndInRange) {
  const AttributeValue whole{std::int64_t{128}};
  EXPECT_EQ(Coerce(ToValue(128), Form::kCount), whole);
  EXPECT_EQ(Coerce(ToValue(128.0), Form::kCount), whole);
  EXPECT_EQ(Coerce(ToValue("128"), Form::kCount), whole);
  EXPECT_EQ(Coerce(ToValue("128.0"), Form::kCount), whole);
  for (const AttributeValue& bad :
       {ToValue(-1), ToValue(1.5), ToValue("x"), ToValue(""), ToValue(true),
        ToValue(std::numeric_limits<double>::quiet_NaN()),
        ToValue(std::numeric_limits<double>::infinity()), ToValue(1e300),
        ToValue(std::int64_t{1} << 54)}) {
    EXPECT_FALSE(Coerce(bad, Form::kCount));
  }
}

TEST(Coerce, Flags) {
  EXPECT_EQ(Coerce(ToValue("True"), Form::kFlag), ToValue(true));
  EXPECT_EQ(Coerce(ToValue(0), Form::kFlag), ToValue(false));
  EXPECT_FALSE(Coerce(ToValue(30), Form::kFlag));
}

TEST(Coerce, TextLosesJsonQuotes) {
  EXPECT_EQ(Coerce(ToValue("\"LLM\""), Form::kText), ToValue("LLM"));
  EXPECT_FALSE(Coerce(ToValue(""), Form::kText));
}

TEST(MemberOf, ReadsJsonPythonDictsAndLists) {
  EXPECT_EQ(MemberOf(ToValue(R"({"input":5})"), "input"), ToValue(5));
  EXPECT_EQ(MemberOf(ToValue("{'cache_read': 12}"), "cache_read"), ToValue(12));
  EXPECT_EQ(MemberOf(AttributeValue{AttributeValue::KvList{{{"a", ToValue(1)}}}}, "a"), ToValue(1));
  EXPECT_FALSE(MemberOf(ToValue("{\"input\""), "input"));
  EXPECT_FALSE(MemberOf(ToValue(R"({"input":{}})"), "input"));
  EXPECT_FALSE(MemberOf(ToValue(std::string(1000, '[') + "input"), "input"));
}

TEST(ParseIsoTime, ZonesAndFractions) {
  EXPECT_EQ(ParseIsoTime("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(ParseIsoTime("\"2016-11-04T21:02:41.271Z\""), 1478293361271000000);
  EXPECT_EQ(ParseIsoTime("1970-01-01T01:00:00.5+01:00"), 500'000'000);
  EXPECT_EQ(ParseIsoTime("1969-12-31T23:00:00-0100"), 0);
  for (const char* bad : {"", "1970", "1970-13-01T00:00:00Z", "1016-11-04T21:02:41Z",
                          "9999-01-01T00:00:00Z", "1970-01-01Txx:00:00Z"}) {
    EXPECT_FALSE(ParseIsoTime(bad)) << bad;
  }
}

}  // namespace
}  // namespace fluoro::genai
