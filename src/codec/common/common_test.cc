#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/common/bounds.h"
#include "codec/common/text.h"

namespace fluoro::codec::common {
namespace {

using model::AttributeValue;

model::Attribute Text(std::string key, std::string value) {
  return {.key = std::move(key), .value = {std::move(value)}};
}

TEST(Bounds, CutRepairAndCount) {
  model::Limits limits;
  limits.attributes_max = 2;
  limits.events_max = 1;
  limits.links_max = 1;
  limits.key_bytes_max = 4;
  limits.value_bytes_max = 5;
  limits.name_bytes_max = 3;
  model::Span span;
  span.name = "abcdef";
  span.status_message = "123456";
  span.attributes = {Text("a-long-key", "v"), Text("k", "abcd\xc3\xa9"), Text("gone", "1")};
  span.events = {{.time_ns = 1,
                  .name = "\xff",
                  .attributes = {Text("a", "1"), Text("b", "2"), Text("c", "3")}},
                 {.time_ns = 2, .name = "gone", .attributes = {}}};
  span.links.resize(3);
  model::DecodeStats stats;
  ApplyLimits(limits, span, stats);
  EXPECT_EQ(span.name, "abc");
  EXPECT_EQ(span.status_message, "12345");
  EXPECT_THAT(span.attributes, ::testing::ElementsAre(Text("a-lo", "v"), Text("k", "abcd")));
  EXPECT_EQ(span.dropped_attributes, 1U);
  ASSERT_EQ(span.events.size(), 1U);
  EXPECT_EQ(span.events[0].name, "\xef\xbf\xbd");
  EXPECT_EQ(span.events[0].dropped_attributes, 1U);
  EXPECT_EQ(span.dropped_events, 1U);
  EXPECT_EQ(span.links.size(), 1U);
  EXPECT_EQ(span.dropped_links, 2U);
  EXPECT_TRUE(span.Has(model::kTruncated));
  EXPECT_TRUE(span.Has(model::kTextRepaired));
  EXPECT_EQ(stats.truncated_values, 4U);
  EXPECT_EQ(stats.repaired_texts, 1U);
  EXPECT_EQ(stats.dropped_attributes, 2U);
  EXPECT_EQ(stats.dropped_events, 1U);
  EXPECT_EQ(stats.dropped_links, 2U);
}

TEST(Bounds, LeaveAGoodSpanAlone) {
  model::Span span;
  span.name = "GET /";
  span.attributes = {Text("k", "v")};
  const model::Span before = span;
  model::DecodeStats stats;
  ApplyLimits({}, span, stats);
  EXPECT_EQ(span, before);
}

TEST(NsFromUs, IsExactAndRefusesWhatDoesNotFit) {
  EXPECT_EQ(NsFromUs(std::int64_t{1'485'467'191'639'875}), 1'485'467'191'639'875'000);
  EXPECT_EQ(NsFromUs(1'485'467'191'639'875.25), 1'485'467'191'639'875'250);
  EXPECT_EQ(NsFromUs(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(NsFromUs(INT64_MAX), std::nullopt);
  EXPECT_EQ(NsFromUs(-0.5), std::nullopt);
  EXPECT_EQ(NsFromUs(1e300), std::nullopt);
}

TEST(Ids, ArePaddedOnTheLeft) {
  EXPECT_EQ(ParseTraceIdPadded("0ED2e63cbe71f5a8")->ToHex(), "00000000000000000ed2e63cbe71f5a8");
  EXPECT_EQ(ParseSpanIdPadded("1")->ToHex(), "0000000000000001");
  EXPECT_EQ(ShortTraceId(*ParseTraceIdPadded("1")), "0000000000000001");
  EXPECT_EQ(ShortTraceId(*ParseTraceIdPadded("4d1e00c0db9010db86154a4ba6e91385")),
            "4d1e00c0db9010db86154a4ba6e91385");
  for (const std::string_view bad : {"", "0", "x", "11112222333344445", "-1"}) {
    EXPECT_EQ(ParseSpanIdPadded(bad).error().message,
              "1 to 16 hex digits, not all zero, were expected");
  }
}

TEST(ValueText, WritesEveryType) {
  const AttributeValue array{AttributeValue::Array{{{std::int64_t{1}}, {std::string("a\"b")}}}};
  const AttributeValue list{
      AttributeValue::KvList{{{"k", {true}}, {"b", {AttributeValue::Bytes{"foo"}}}}}};
  EXPECT_EQ(ValueText({}), "");
  EXPECT_EQ(ValueText({std::string("x")}), "x");
  EXPECT_EQ(ValueText({false}), "false");
  EXPECT_EQ(ValueText({std::int64_t{-7}}), "-7");
  EXPECT_EQ(ValueText({1.5}), "1.5");
  EXPECT_EQ(ValueText({AttributeValue::Bytes{"foo"}}), "Zm9v");
  EXPECT_EQ(ValueText(array), R"([1,"a\"b"])");
  EXPECT_EQ(ValueText(list), R"({"k":true,"b":"Zm9v"})");
}

}  // namespace
}  // namespace fluoro::codec::common
