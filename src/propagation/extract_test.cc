// Baggage, and several headers at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "propagation/context.h"

namespace fluoro::propagation {
namespace {

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

using Headers = std::map<std::string, std::string, std::less<>>;

HeaderLookup In(const Headers& headers) {
  return [&headers](std::string_view name) -> std::optional<std::string> {
    const auto it = headers.find(name);
    if (it == headers.end()) return std::nullopt;
    return it->second;
  };
}

const std::string kTraceparent = "00-5759e988bd862e3fe1be46a994272793-1111111111111111-01";
const std::string kXRaySame =
    "Self=1-1-2;Root=1-5759e988-bd862e3fe1be46a994272793;Parent=2222222222222222;Sampled=0;"
    "CalledFrom=app";
const std::string kXRayOther = "Root=1-67891233-abcdef012345678912345678;Sampled=1;CalledFrom=app";
const std::string kB3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1";

TEST(Extract, TakesTheFirstWholeFormat) {
  const Headers b3_multi = {{"x-b3-traceid", "64fe8b2a57d3eff7"},
                            {"x-b3-spanid", "e457b5a2e4d86bd1"},
                            {"x-b3-sampled", "1"}};
  Headers headers = b3_multi;
  EXPECT_EQ(Extract(In(headers))->format, "b3multi");
  headers["b3"] = kB3;
  EXPECT_EQ(Extract(In(headers))->format, "b3");
  headers["x-amzn-trace-id"] = kXRayOther;
  EXPECT_EQ(Extract(In(headers))->format, "xray");
  headers["traceparent"] = kTraceparent;
  const auto found = Extract(In(headers));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->format, "w3c");
  EXPECT_TRUE(found->context.extras.empty());  // of another trace
  // An invalid header counts as absent.
  headers["traceparent"] = "00-0-0-0";
  EXPECT_EQ(Extract(In(headers))->format, "xray");
  headers["x-amzn-trace-id"] = "Root=nonsense";
  EXPECT_EQ(Extract(In(headers))->format, "b3");
  headers["b3"] = "nonsense";
  EXPECT_EQ(Extract(In(headers))->format, "b3multi");
  headers["x-b3-spanid"] = "nonsense";
  EXPECT_EQ(Extract(In(headers)), std::nullopt);
  EXPECT_EQ(Extract(In({})), std::nullopt);
}

TEST(Extract, FollowsAConfiguredOrder) {
  const Headers headers = {
      {"traceparent", kTraceparent}, {"x-amzn-trace-id", kXRayOther}, {"b3", kB3}};
  const std::string_view xray_first[] = {kFormatXRay, kFormatW3c};
  EXPECT_EQ(Extract(In(headers), xray_first)->format, "xray");
  const std::string_view only_b3[] = {kFormatB3};
  EXPECT_EQ(Extract(In(headers), only_b3)->format, "b3");
  const std::string_view unknown[] = {"jaeger"};
  EXPECT_EQ(Extract(In(headers), unknown), std::nullopt);
}

TEST(Extract, JoinsTwoHeadersOfTheSameTrace) {
  const Headers headers = {
      {"traceparent", kTraceparent}, {"tracestate", "a=1"}, {"x-amzn-trace-id", kXRaySame}};
  const std::string_view xray_first[] = {kFormatXRay, kFormatW3c};
  for (const auto& found : {Extract(In(headers)), Extract(In(headers), xray_first)}) {
    ASSERT_TRUE(found);
    EXPECT_EQ(found->context.parent_id->ToHex(), "1111111111111111");
    EXPECT_EQ(found->context.sampled, Sampled::kYes);
    EXPECT_EQ(found->context.trace_state, "a=1");
    EXPECT_EQ(found->context.self, "1-1-2");
    EXPECT_THAT(found->context.extras, ElementsAre(Pair("CalledFrom", "app")));
  }
}

TEST(Extract, InLambdaTheVariableIsTheFallback) {
  const std::string variable =
      "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  EXPECT_EQ(ExtractInLambda(In({{"traceparent", kTraceparent}}), variable)->format, "w3c");
  EXPECT_EQ(ExtractInLambda(In({}), variable)->context.parent_id->ToHex(), "53995c3f42cd8ad8");
  EXPECT_EQ(ExtractInLambda(In({{"traceparent", "bad"}}), variable)->format, "xray");
  EXPECT_EQ(ExtractInLambda(In({{"b3", "0"}}), variable)->format, "xray");
  EXPECT_EQ(ExtractInLambda(In({}), ""), std::nullopt);
}

TEST(Inject, WritesTheEnabledFormats) {
  const auto context = ParseW3c(kTraceparent, "a=1");
  ASSERT_TRUE(context);
  EXPECT_THAT(
      Inject(*context),
      ElementsAre(
          Pair("traceparent", kTraceparent), Pair("tracestate", "a=1"),
          Pair("x-amzn-trace-id",
               "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=1111111111111111;Sampled=1")));
  const std::string_view b3[] = {kFormatB3, kFormatB3Multi};
  EXPECT_THAT(Inject(*context, b3),
              ElementsAre(Pair("b3", "5759e988bd862e3fe1be46a994272793-1111111111111111-1"),
                          Pair("x-b3-traceid", "5759e988bd862e3fe1be46a994272793"),
                          Pair("x-b3-spanid", "1111111111111111"), Pair("x-b3-sampled", "1")));
  EXPECT_TRUE(Inject({}).empty());
}

TEST(Inject, IsReadBackByExtract) {
  auto context = ParseXRay(kXRaySame);
  ASSERT_TRUE(context);
  context->trace_state = "v=1";
  context->trace_flags = kRandomFlag;
  Headers headers;
  for (auto& [name, value] : Inject(*context)) headers.emplace(name, value);
  auto found = Extract(In(headers));
  ASSERT_TRUE(found);
  context->self.clear();  // never forwarded
  EXPECT_EQ(found->context, *context);
}

TEST(Inject, PassesBaggageOn) {
  const std::string_view variable = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
  const Headers headers = {{"traceparent", kTraceparent},
                           {"x-amzn-trace-id", kXRaySame},
                           {"baggage", "session.id=7;p=x, bad member,user=%C3%A9"}};
  const auto found = Extract(In(headers));
  ASSERT_TRUE(found);
  EXPECT_THAT(Inject(found->context), Contains(Pair("baggage", "session.id=7;p=x,user=%C3%A9")));
  const std::string_view b3[] = {kFormatB3};
  EXPECT_THAT(Inject(found->context, b3), Contains(Pair("baggage", _)));
  const Headers only = {{"baggage", "session.id=7"}};
  const auto in_lambda = ExtractInLambda(In(only), variable);
  ASSERT_TRUE(in_lambda);
  EXPECT_THAT(Inject(in_lambda->context), Contains(Pair("baggage", "session.id=7")));
}

TEST(Baggage, ReadsMembersAndLeavesBadOnesOut) {
  EXPECT_THAT(ParseBaggage("k=v;prop=x , k2 = v%202 ;a;b=c,, bad, =x, sp ace=1, q=\"x\",e="),
              ElementsAre(BaggageEntry{"k", "v", "prop=x"}, BaggageEntry{"k2", "v 2", "a;b=c"},
                          BaggageEntry{"e", "", ""}));
  EXPECT_THAT(
      ParseBaggage("session.id=abc%2C%3B%25,u=%C3%A9,bad=%FF,percent=100%,z=%zz"),
      ElementsAre(BaggageEntry{"session.id", "abc,;%", ""}, BaggageEntry{"u", "\xc3\xa9", ""},
                  BaggageEntry{"bad", "\xef\xbf\xbd", ""}, BaggageEntry{"percent", "100%", ""},
                  BaggageEntry{"z", "%zz", ""}));
  EXPECT_THAT(ParseBaggage("a=1,b=2,a=3"),
              ElementsAre(BaggageEntry{"a", "3", ""}, BaggageEntry{"b", "2", ""}));
  EXPECT_TRUE(ParseBaggage("").empty());
  EXPECT_TRUE(ParseBaggage("a=x\r\ny").empty());
}

TEST(Baggage, ComesBackEqual) {
  const std::vector<BaggageEntry> entries = {
      {"k", "a b,c;d=e\\\"%\xc3\xa9\n", "p=1;q"}, {"empty", "", ""}, {"e", "x=y", ""}};
  EXPECT_EQ(ParseBaggage(PrintBaggage(entries)), entries);
  EXPECT_EQ(
      PrintBaggage({{"k", "a b", "p"}, {"bad key", "v", ""}, {"x", "y", "a,b"}, {"e", "", ""}}),
      "k=a%20b;p,e=");
}

TEST(Baggage, ChecksItsLimits) {
  std::string header;
  std::vector<BaggageEntry> entries;
  for (int i = 0; i < 200; ++i) {
    header += (i == 0 ? "" : ",") + ("k" + std::to_string(i)) + "=v";
    entries.push_back({"k" + std::to_string(i), "v", ""});
  }
  EXPECT_EQ(ParseBaggage(header).size(), kBaggageMembersMax);
  EXPECT_EQ(ParseBaggage(PrintBaggage(entries)).size(), kBaggageMembersMax);
  const std::string big(kBaggageMemberBytesMax - 2, 'x');
  EXPECT_EQ(ParseBaggage("a=" + big).size(), 1U);
  EXPECT_TRUE(ParseBaggage("a=x" + big).empty());
  // A member that does not fit is left out, a smaller one behind it is taken.
  EXPECT_THAT(ParseBaggage("a=" + big + ",b=" + big + ",c=1"),
              ElementsAre(BaggageEntry{"a", big, ""}, BaggageEntry{"c", "1", ""}));
  EXPECT_LE(PrintBaggage({{"a", big, ""}, {"b", big, ""}, {"c", "1", ""}}).size(),
            kBaggageBytesMax);
}

}  // namespace
}  // namespace fluoro::propagation
