#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bounded_queue.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/utf8.h"

namespace fluoro {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  FLUORO_TRY(const int half, Half(value));
  FLUORO_TRY(const int quarter, Half(half));
  return quarter;
}

TEST(ResultTest, TryReturnsTheErrorUpward) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Quarter(6).error().With("quarter").message, "quarter: odd");
}

TEST(JsonWriterTest, WritesCompactJsonAndRepairsText) {
  JsonWriter json;
  json.BeginObject()
      .Key("a")
      .Int(-1)
      .Key("b\xff")
      .String("x\n\xc3(")
      .Key("d")
      .Double(0.1)
      .Key("n")
      .Double(1.0 / 0.0);
  json.Key("t").Seconds(1'478'293'361'271'000'000).Key("r").Raw("[1,2]").EndObject();
  EXPECT_EQ(json.Take(),
            "{\"a\":-1,\"b\xef\xbf\xbd\":\"x\\n\xef\xbf\xbd(\",\"d\":0.1,\"n\":null,\"t\":"
            "1478293361.271,\"r\":[1,2]}");
}

TEST(JsonDepthTest, CountsOnlyBracketsOutsideStrings) {
  EXPECT_FALSE(JsonDepthExceeds(R"({"a":"[[[[","b":[1]})", 2));
  EXPECT_TRUE(JsonDepthExceeds(R"({"a":[[1]]})", 2));
  std::string deep;
  deep.resize(10'000'000, '[');
  EXPECT_TRUE(JsonDepthExceeds(deep, 64));
}

TEST(DecimalSecondsTest, IsExactAndShort) {
  EXPECT_EQ(DecimalSeconds(0), "0");
  EXPECT_EQ(DecimalSeconds(1), "0.000000001");
  EXPECT_EQ(DecimalSeconds(-1'500'000'000), "-1.5");
}

TEST(HexTest, RoundTripsAndRefusesOtherText) {
  std::uint8_t bytes[2];
  ASSERT_TRUE(FromHex("0aFf", bytes));
  EXPECT_EQ(ToHex(bytes), "0aff");
  EXPECT_FALSE(FromHex("0aF", bytes));
  EXPECT_FALSE(FromHex("0aFg", bytes));
}

TEST(Utf8Test, TruncatesBetweenCodePoints) {
  EXPECT_EQ(TruncateUtf8("a\xc3\xa4z", 2), "a");
  EXPECT_EQ(TruncateUtf8("a\xc3\xa4z", 3), "a\xc3\xa4");
  EXPECT_FALSE(IsValidUtf8("\xed\xa0\x80"));
}

TEST(BoundedQueueTest, RefusesWhenFullAndDrainsAfterClose) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.TryPush(1));
  EXPECT_TRUE(queue.TryPush(2));
  EXPECT_FALSE(queue.TryPush(3));
  queue.Close();
  EXPECT_FALSE(queue.TryPush(4));
  EXPECT_EQ(queue.Pop({}), 1);
  EXPECT_EQ(queue.Pop({}), 2);
  EXPECT_EQ(queue.Pop({}), std::nullopt);
}

TEST(MetricsTest, SameNameAndLabelsShareOneValue) {
  Metrics metrics;
  metrics.GetCounter("fluoro_x_total", "x", {{"reason", "a"}}).Add(2);
  metrics.GetCounter("fluoro_x_total", "x", {{"reason", "a"}}).Add();
  EXPECT_THAT(metrics.Render(), testing::HasSubstr("fluoro_x_total{reason=\"a\"} 3"));
}

}  // namespace
}  // namespace fluoro
