// X-Amzn-Trace-Id, traceparent and tracestate, B3: one header at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json_tree.h"
#include "base/rng.h"
#include "propagation/context.h"

namespace fluoro::propagation {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr std::string_view kRoot = "1-5759e988-bd862e3fe1be46a994272793";
constexpr std::string_view kTraceHex = "5759e988bd862e3fe1be46a994272793";

std::string TraceOf(const Context& context) {
  return context.trace_id ? context.trace_id->ToHex() : "-";
}
std::string ParentOf(const Context& context) {
  return context.parent_id ? context.parent_id->ToHex() : "-";
}

TEST(XRayHeader, ReadsWhatTheSdksWrite) {
  struct Case {
    std::string header;
    std::string_view trace, parent;
    Sampled sampled;
  };
  const std::string root(kRoot);
  const Case cases[] = {
      {"Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1", kTraceHex, "53995c3f42cd8ad8",
       Sampled::kYes},
      {"Sampled=?;Root=" + root, kTraceHex, "-", Sampled::kRequested},
      {"Root=" + root, kTraceHex, "-", Sampled::kUnset},
      {"Root=1-5759E988-BD862E3FE1BE46A994272793", kTraceHex, "-", Sampled::kUnset},
      {"root=" + root + "; sampled=1", kTraceHex, "-", Sampled::kYes},
      {"ROOT=" + root + ";\tPARENT=53995C3F42CD8AD8 ; SAMPLED=0", kTraceHex, "53995c3f42cd8ad8",
       Sampled::kNo},
      {"Root=" + root + ";", kTraceHex, "-", Sampled::kUnset},
      {"Root=" + root + ";;k=v", kTraceHex, "-", Sampled::kUnset},
      {";;Root=" + root + ";Parent=;Sampled=", kTraceHex, "-", Sampled::kUnset},
      {"Root=" + root + ";Sampled=other", kTraceHex, "-", Sampled::kUnset},
      {"Root=1-59e988-bd862e3fe1be46a994272793", "0059e988bd862e3fe1be46a994272793", "-",
       Sampled::kUnset},
      {"Root=1-00000000-000000000000000000000001", "00000000000000000000000000000001", "-",
       Sampled::kUnset},
  };
  for (const Case& c : cases) {
    const auto context = ParseXRay(c.header);
    ASSERT_TRUE(context) << c.header << ": " << context.error().message;
    EXPECT_EQ(TraceOf(*context), c.trace) << c.header;
    EXPECT_EQ(ParentOf(*context), c.parent) << c.header;
    EXPECT_EQ(context->sampled, c.sampled) << c.header;
  }
}

TEST(XRayHeader, RefusesWhatNamesNoTrace) {
  struct Case {
    std::string header, message;
  };
  const std::string root(kRoot);
  const Case cases[] = {
      {"", "Root: missing"},
      {"Sampled=1", "Root: missing"},
      {"Parent=53995c3f42cd8ad8;Sampled=1", "Root: missing"},
      {"Root=5759e988bd862e3fe1be46a994272793;Sampled=1",
       "Root: 1-<8 hex digits>-<24 hex digits> was expected"},
      {"Root=2-5759e988-bd862e3fe1be46a994272793",
       "Root: 1-<8 hex digits>-<24 hex digits> was expected"},
      {"Root=1-abc-123", "Root: 1-<8 hex digits>-<24 hex digits> was expected"},
      {"Root=1--bd862e3fe1be46a994272793", "Root: 1-<8 hex digits>-<24 hex digits> was expected"},
      {"Root=" + root + ";BrokenKeyValue",
       "X-Amzn-Trace-Id: key=value was expected, not BrokenKeyValue"},
      {"Root=" + root + ";=v", "X-Amzn-Trace-Id: key=value was expected, not =v"},
      {"Root=" + root + "\r\nSet-Cookie: a",
       "X-Amzn-Trace-Id: characters other than visible ASCII"},
      {"Root=" + root + ";k=" + std::string(8'192, 'x'), "X-Amzn-Trace-Id: too long"},
  };
  for (const Case& c : cases) {
    const auto context = ParseXRay(c.header);
    ASSERT_FALSE(context) << c.header;
    EXPECT_EQ(context.error(), (Error{ErrorCode::kInvalidArgument, c.message}));
  }
  for (const std::string& header :
       {"Root=" + root + ";Parent=bad-spanid", "Root=" + root + ";Parent=0000000000000000",
        std::string("Root=1-00000000-000000000000000000000000"),
        std::string("Root=1-5759e98g-bd862e3fe1be46a994272793")}) {
    EXPECT_FALSE(ParseXRay(header)) << header;
  }
}

TEST(XRayHeader, ForwardsExtrasButNotSelf) {
  const auto context = ParseXRay(
      "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;"
      "CalledFrom=app;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2;eq=a=b");
  ASSERT_TRUE(context);
  EXPECT_EQ(context->self, "1-67891234-12456789abcdef012345678");
  EXPECT_THAT(context->extras,
              ElementsAre(Pair("CalledFrom", "app"),
                          Pair("Lineage", "a87bd80c:1|68fd508a:5|c512fbe3:2"), Pair("eq", "a=b")));
  EXPECT_EQ(PrintXRay(*context),
            "Root=1-67891233-abcdef012345678912345678;CalledFrom=app;"
            "Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2;eq=a=b");
}

TEST(XRayHeader, PrintsInCanonicalOrderAndNothingUnsafe) {
  Context context;
  EXPECT_EQ(PrintXRay(context), "");
  context.trace_id = *model::TraceId::Parse(kTraceHex);
  EXPECT_EQ(PrintXRay(context), "Root=" + std::string(kRoot));
  context.parent_id = *model::SpanId::Parse("53995c3f42cd8ad8");
  context.sampled = Sampled::kDebug;
  context.extras = {{"A", "1"},      {"", "x"},        {"B;", "x"},   {"C", "x;y"},
                    {"D", "a\r\nb"}, {"sampled", "0"}, {"Self", "1"}, {"E", ""}};
  EXPECT_EQ(PrintXRay(context),
            "Root=" + std::string(kRoot) + ";Parent=53995c3f42cd8ad8;Sampled=1;A=1;E=");
}

TEST(XRayHeader, AnswersTheDecisionOnlyWhereItWasAskedFor) {
  const auto asked = ParseXRay("Sampled=?;Root=" + std::string(kRoot));
  ASSERT_TRUE(asked);
  EXPECT_EQ(PrintXRayResponse(*asked, true), "Root=" + std::string(kRoot) + ";Sampled=1");
  EXPECT_EQ(PrintXRayResponse(*asked, false), "Root=" + std::string(kRoot) + ";Sampled=0");
  const auto told = ParseXRay("Root=" + std::string(kRoot) + ";Sampled=1");
  EXPECT_EQ(PrintXRayResponse(*told, true), "Root=" + std::string(kRoot));
}

TEST(XRayHeader, AgreesWithTheVectorsOfOpenTelemetry) {
  const std::filesystem::path path = "../shared/data/xray/vectors/trace-header.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  std::ifstream in(path, std::ios::binary);
  const auto tree = JsonTree::Parse(std::string{std::istreambuf_iterator<char>(in), {}});
  ASSERT_TRUE(tree);
  const JsonView group = tree->root()["groups"].Elements().at(0);
  ASSERT_GE(group["extract"].Elements().size(), 14U);
  for (const JsonView c : group["extract"].Elements()) {
    const auto context = ParseXRay(c["header"].String().value());
    ASSERT_EQ(context.has_value(), c["valid"].Bool().value()) << *c["name"].String();
    if (!context) continue;
    EXPECT_EQ(TraceOf(*context), c["trace_id"].String());
    EXPECT_EQ(ParentOf(*context), c["span_id"].String());
    EXPECT_EQ(context->sampled == Sampled::kYes, c["sampled"].Bool());
  }
  for (const JsonView c : group["inject"].Elements()) {
    Context context;
    context.trace_id = *model::TraceId::Parse(c["trace_id"].String().value());
    context.parent_id = *model::SpanId::Parse(c["span_id"].String().value());
    context.sampled = c["sampled"].Bool().value() ? Sampled::kYes : Sampled::kNo;
    EXPECT_EQ(PrintXRay(context), c["header"].String());
  }
}

TEST(Traceparent, BecomesAnXRayHeader) {
  const auto context = ParseW3c("00-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01", "");
  ASSERT_TRUE(context);
  EXPECT_EQ(PrintXRay(*context),
            "Root=1-4efaaf4d-1e8720b39541901950019ee5;Parent=53995c3f42cd8ad8;Sampled=1");
}

TEST(Traceparent, TakesWhatTheStandardTakes) {
  const std::string ids = "-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-";
  struct Case {
    std::string header;
    bool valid;
    std::string_view printed{};
  };
  const Case cases[] = {
      {"00" + ids + "01", true, "01"},
      {"00" + ids + "00", true, "00"},
      {"00" + ids + "03", true, "03"},
      {"00" + ids + "02", true, "02"},
      {"00" + ids + "ff", true, "03"},
      {" 00" + ids + "01\t", true, "01"},
      {"01" + ids + "01-extra", true, "01"},
      {"cc" + ids + "01", true, "01"},
      {"cc" + ids + "01-", true, "01"},
      {"00" + ids + "01-extra", false},
      {"00" + ids + "01-", false},
      {"01" + ids + "01.extra", false},
      {"01" + ids + "0", false},
      {"ff" + ids + "01", false},
      {"0g" + ids + "01", false},
      {"00" + ids + "0G", false},
      {"00-4EFAAF4D1E8720B39541901950019EE5-53995c3f42cd8ad8-01", false},
      {"00-4efaaf4d1e8720b39541901950019ee5-53995C3F42CD8AD8-01", false},
      {"00-00000000000000000000000000000000-53995c3f42cd8ad8-01", false},
      {"00-4efaaf4d1e8720b39541901950019ee5-0000000000000000-01", false},
      {"00_4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01", false},
      {"00" + ids + "01,00" + ids + "01", false},
      {"", false},
  };
  for (const Case& c : cases) {
    const auto context = ParseW3c(c.header, "");
    ASSERT_EQ(context.has_value(), c.valid) << c.header;
    const std::string printed = c.valid ? "00" + ids + std::string(c.printed) : "";
    EXPECT_EQ(PrintTraceparent(context.value_or(Context())), printed);
  }
  EXPECT_EQ(PrintTraceparent({}), "");
}

TEST(Tracestate, IsKeptOrDroppedWhole) {
  const std::string long_key(256, 'k');
  const std::string long_value(256, 'v');
  std::string full;
  for (int i = 0; i < 32; ++i) full += (i == 0 ? "" : ",") + ("k" + std::to_string(i)) + "=v";
  struct Case {
    std::string in, out;
  };
  const Case cases[] = {
      {"", ""},
      {"a=1", "a=1"},
      {" a=1 ,\tb=2", "a=1,b=2"},
      {",,a=1,, ,b=2,", "a=1,b=2"},
      {"a= lead", "a= lead"},
      {"1a@b/c*d-e_f=x", "1a@b/c*d-e_f=x"},
      {long_key + "=" + long_value, long_key + "=" + long_value},
      {full, full},
      {full + ",extra=1", ""},
      {"a=1,a=2", ""},
      {"a", ""},
      {"a=", ""},
      {"=1", ""},
      {"A=1", ""},
      {"_a=1", ""},
      {"a=b=c", ""},
      {"a=\x7f", ""},
      {"a=\xc3\xa9", ""},
      {"a =1", ""},
      {long_key + "k=1", ""},
      {"a=" + long_value + "v", ""},
      {"good=1,bad", ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(CleanTraceState(c.in), c.out) << c.in;
    const auto context = ParseW3c("00-4efaaf4d1e8720b39541901950019ee5-53995c3f42cd8ad8-01", c.in);
    ASSERT_TRUE(context) << c.in;
    EXPECT_EQ(context->trace_state, c.out);
  }
}

TEST(Tracestate, PutsAnUpdatedMemberInFront) {
  EXPECT_EQ(SetTraceStateMember("a=1,b=2,c=3", "b", "x"), "b=x,a=1,c=3");
  EXPECT_EQ(SetTraceStateMember("", "b", "x"), "b=x");
  EXPECT_FALSE(SetTraceStateMember("a=1", "B", "x"));
  EXPECT_FALSE(SetTraceStateMember("a=1", "b", "x,y"));
  std::string full;
  for (int i = 0; i < 32; ++i) full += (i == 0 ? "" : ",") + ("k" + std::to_string(i)) + "=v";
  const auto pushed = SetTraceStateMember(full, "new", "1");
  ASSERT_TRUE(pushed);
  EXPECT_TRUE(pushed->starts_with("new=1,k0=v,"));
  EXPECT_TRUE(pushed->ends_with(",k30=v"));
}

TEST(Tracestate, LosesLongMembersFirstThenThoseOnTheRight) {
  const std::string big = "big=" + std::string(130, 'x');
  EXPECT_EQ(CutTraceState("a=1," + big + ",b=2,c=3", 512), "a=1," + big + ",b=2,c=3");
  EXPECT_EQ(CutTraceState("a=1," + big + ",b=2,c=3", 100), "a=1,b=2,c=3");
  EXPECT_EQ(CutTraceState("a=1," + big + ",b=2,c=3", 8), "a=1,b=2");
  EXPECT_EQ(CutTraceState("a=1", 0), "");
}

TEST(B3, ReadsTheSingleHeader) {
  struct Case {
    std::string_view header;
    std::string_view trace, parent;
    Sampled sampled;
    std::string_view printed;
  };
  static constexpr Case kCases[] = {
      {"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
       "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1", Sampled::kYes,
       "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"},
      {"64fe8b2a57d3eff7-e457b5a2e4d86bd1", "000000000000000064fe8b2a57d3eff7", "e457b5a2e4d86bd1",
       Sampled::kUnset, "000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1"},
      {"64FE8B2A57D3EFF7-E457B5A2E4D86BD1-d", "000000000000000064fe8b2a57d3eff7",
       "e457b5a2e4d86bd1", Sampled::kDebug, "000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-d"},
      {"64fe8b2a57d3eff7-e457b5a2e4d86bd1-0", "000000000000000064fe8b2a57d3eff7",
       "e457b5a2e4d86bd1", Sampled::kNo, "000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-0"},
      {"0", "-", "-", Sampled::kNo, "0"},
      {" 1 ", "-", "-", Sampled::kYes, "1"},
      {"d", "-", "-", Sampled::kDebug, "d"},
  };
  for (const Case& c : kCases) {
    const auto context = ParseB3(c.header);
    ASSERT_TRUE(context) << c.header;
    EXPECT_EQ(TraceOf(*context), c.trace);
    EXPECT_EQ(ParentOf(*context), c.parent);
    EXPECT_EQ(context->sampled, c.sampled);
    EXPECT_EQ(PrintB3(*context), c.printed);
  }
}

TEST(B3, BecomesAnXRayHeaderWithAnEpochOfZero) {
  const auto context = ParseB3("64fe8b2a57d3eff7-e457b5a2e4d86bd1-d");
  ASSERT_TRUE(context);
  EXPECT_EQ(PrintXRay(*context),
            "Root=1-00000000-0000000064fe8b2a57d3eff7;Parent=e457b5a2e4d86bd1;Sampled=1");
  EXPECT_EQ(PrintTraceparent(*context), "00-000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-01");
}

TEST(B3, RefusesEverythingElse) {
  for (const std::string_view header :
       {"", "2", "64fe8b2a57d3eff7", "-e457b5a2e4d86bd1", "64fe8b2a57d3eff7-",
        "64fe8b2a57d3eff7-e457b5a2e4d86bd1-", "64fe8b2a57d3eff7-e457b5a2e4d86bd1-2",
        "64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-xyz", "64fe8b2a57d3eff-e457b5a2e4d86bd1-1",
        "64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-1",
        "0000000000000000-e457b5a2e4d86bd1", "64fe8b2a57d3eff7-0000000000000000",
        "1-5759e988-bd862e3fe1be46a994272793"}) {
    EXPECT_FALSE(ParseB3(header)) << header;
  }
}

TEST(B3Multi, ReadsTheHeaders) {
  const B3Headers ids{.trace_id = "64fe8b2a57d3eff7", .span_id = "e457b5a2e4d86bd1"};
  struct Case {
    std::optional<std::string> sampled, flags;
    Sampled result;
  };
  const Case cases[] = {
      {std::nullopt, std::nullopt, Sampled::kUnset},
      {"1", std::nullopt, Sampled::kYes},
      {"true", std::nullopt, Sampled::kYes},
      {"TRUE", std::nullopt, Sampled::kYes},
      {"0", std::nullopt, Sampled::kNo},
      {"False", std::nullopt, Sampled::kNo},
      {std::nullopt, "1", Sampled::kDebug},
      {"0", "1", Sampled::kDebug},
      {"1", "0", Sampled::kYes},
  };
  for (const Case& c : cases) {
    B3Headers headers = ids;
    headers.sampled = c.sampled;
    headers.flags = c.flags;
    const auto context = ParseB3Multi(headers);
    ASSERT_TRUE(context);
    EXPECT_EQ(TraceOf(*context), "000000000000000064fe8b2a57d3eff7");
    EXPECT_EQ(ParentOf(*context), "e457b5a2e4d86bd1");
    EXPECT_EQ(context->sampled, c.result);
    const auto again = ParseB3Multi(PrintB3Multi(*context));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *context);
  }
  EXPECT_EQ(ParseB3Multi({.sampled = "0"})->sampled, Sampled::kNo);
  EXPECT_EQ(ParseB3Multi({.flags = "1"})->sampled, Sampled::kDebug);
  EXPECT_FALSE(ParseB3Multi({}));
  EXPECT_FALSE(ParseB3Multi({.flags = "0"}));
  EXPECT_FALSE(ParseB3Multi({.trace_id = "64fe8b2a57d3eff7"}));
  EXPECT_FALSE(ParseB3Multi({.span_id = "64fe8b2a57d3eff7", .sampled = "1"}));
  EXPECT_FALSE(ParseB3Multi(
      {.trace_id = "64fe8b2a57d3eff7", .span_id = "e457b5a2e4d86bd1", .parent_span_id = "x"}));
  EXPECT_FALSE(ParseB3Multi(
      {.trace_id = "64fe8b2a57d3eff7", .span_id = "e457b5a2e4d86bd1", .sampled = "maybe"}));
}

TEST(Conversions, KeepIdsAndDecisionThroughEveryFormat) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Rng rng(seed);
    Context context;
    model::TraceId trace_id;
    model::SpanId parent_id;
    for (auto& byte : trace_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    for (auto& byte : parent_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    context.trace_id = trace_id;
    context.parent_id = parent_id;
    context.sampled = rng.Chance(0.5) ? Sampled::kYes : Sampled::kNo;
    const auto xray = ParseXRay(PrintXRay(context));
    const auto b3 = ParseB3(PrintB3(context));
    const auto multi = ParseB3Multi(PrintB3Multi(context));
    auto w3c = ParseW3c(PrintTraceparent(context), "");
    ASSERT_TRUE(xray && b3 && multi && w3c) << "seed " << seed;
    EXPECT_EQ(*xray, context) << "seed " << seed;
    EXPECT_EQ(*b3, context) << "seed " << seed;
    EXPECT_EQ(*multi, context) << "seed " << seed;
    EXPECT_EQ(w3c->trace_flags, context.sampled == Sampled::kYes ? kSampledFlag : 0);
    w3c->trace_flags = 0;
    EXPECT_EQ(*w3c, context) << "seed " << seed;
  }
}

}  // namespace
}  // namespace fluoro::propagation
