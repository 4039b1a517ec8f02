#include "model/root_cause.h"

#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using testing::AssembleSpans;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::OtelSpan;
using testing::SpanBuilder;
using testing::XRaySegment;
using testing::XRaySubsegment;

// "shop-web[shop-web payments*] payments[payments(GatewayTimeout)]": * remote, @ coverage in per
// mille.
std::string Print(const RootCause& cause) {
  std::string text = cause.client_impacting ? "!" : "";
  for (const RootCauseService& service : cause.services) {
    if (text.size() > 1) text += " ";
    text += service.name + (service.inferred ? "?" : "") + "[";
    for (const RootCauseEntity& entity : service.entity_path) {
      if (!text.ends_with('[')) text += " ";
      text += entity.name + (entity.remote ? "*" : "");
      for (const RootCauseException& exception : entity.exceptions) {
        text += "(" + exception.name + ")";
      }
      if (entity.coverage) {
        text += "@" + std::to_string(static_cast<int>(*entity.coverage * 1000 + 0.5));
      }
    }
    text += "]";
  }
  return text;
}

std::vector<std::string> Print(const std::vector<RootCause>& causes) {
  std::vector<std::string> texts;
  for (const RootCause& cause : causes) texts.push_back(Print(cause));
  return texts;
}

TEST(FindRootCauses, FaultChainEndsAtTheDeepestFault) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "shop-web").Between(0, 6200).Flags(SpanFlag::kFault),
       XRaySubsegment(2, 1, "payments", "remote").Between(100, 6100).Flags(SpanFlag::kFault),
       XRaySegment(3, "payments")
           .Parent(2)
           .Between(200, 6000)
           .Flags(SpanFlag::kFault)
           .Exception("GatewayTimeout", "bank did not answer within 5 s")}));
  EXPECT_THAT(Print(causes.fault),
              ElementsAre("!shop-web[shop-web payments*] payments[payments(GatewayTimeout)]"));
  EXPECT_THAT(causes.error, IsEmpty());
  EXPECT_THAT(Print(causes.response_time),
              ElementsAre("!shop-web[shop-web@1000 payments*@968] payments[payments@935]"));
}

TEST(FindRootCauses, HandledErrorIsNotClientImpactingAndInferredCalleesEndTheSlowPath) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "support-agent").Between(0, 12'400),
       XRaySubsegment(2, 1, "api.openai.com", "remote").Between(500, 9'500),
       XRaySubsegment(3, 1, "crm", "remote").Between(9'600, 12'000).Flags(SpanFlag::kError),
       XRaySegment(4, "crm")
           .Parent(3)
           .Between(9'700, 11'900)
           .Flags(SpanFlag::kError)
           .Exception("NotFound", "contact 9 does not exist")}));
  EXPECT_THAT(Print(causes.error),
              ElementsAre("support-agent[support-agent crm*] crm[crm(NotFound)]"));
  EXPECT_THAT(Print(causes.response_time),
              ElementsAre("!support-agent[support-agent@1000 api.openai.com*@726] "
                          "api.openai.com?[api.openai.com@726]"));
}

TEST(FindRootCauses, FaultyCallWithoutCalleeEndsAtTheInferredService) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "app").Between(0, 9),
       XRaySubsegment(2, 1, "DynamoDB", "aws").Between(1, 2).Flags(SpanFlag::kFault)}));
  EXPECT_THAT(Print(causes.fault), ElementsAre("app[app DynamoDB*] DynamoDB?[DynamoDB]"));
}

TEST(FindRootCauses, ErrorsOnAFaultyCulpritAreNotErrorCauses) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "app").Between(0, 9).Flags(SpanFlag::kFault | SpanFlag::kError)}));
  EXPECT_THAT(Print(causes.fault), ElementsAre("!app[app]"));
  EXPECT_THAT(causes.error, IsEmpty());
}

TEST(FindRootCauses, EqualPathsAreReportedOnceAndAtMostTwentyFive) {
  std::vector<Span> spans = {XRaySegment(1, "app").Between(0, 9)};
  for (std::uint64_t i = 0; i < 3; ++i) {
    spans.push_back(XRaySubsegment(10 + i, 1, "retry").Between(1, 2).Flags(SpanFlag::kFault));
  }
  EXPECT_EQ(FindRootCauses(AssembleSpans(spans)).fault.size(), 1U);
  for (std::uint64_t i = 0; i < 40; ++i) {
    spans.push_back(XRaySubsegment(100 + i, 1, "step " + std::to_string(i))
                        .Between(1, 2)
                        .Flags(SpanFlag::kFault));
  }
  EXPECT_EQ(FindRootCauses(AssembleSpans(spans)).fault.size(), 25U);
}

TEST(FindRootCauses, CauseReferencesResolveByExceptionAndBySubsegment) {
  for (const char* reference : {"AABBCCDDEEFF0011", "0000000000000002"}) {
    const RootCauses causes =
        FindRootCauses(AssembleSpans({XRaySegment(1, "app")
                                          .Between(0, 9)
                                          .Flags(SpanFlag::kFault)
                                          .Set("aws.xray.cause", reference),
                                      XRaySubsegment(2, 1, "work")
                                          .Between(1, 2)
                                          .Exception("First", "a")
                                          .Exception("ValueError", "b", "aabbccddeeff0011")}));
    EXPECT_THAT(Print(causes.fault), ElementsAre("!app[app(ValueError)]")) << reference;
  }
  const RootCauses unresolved = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "app").Between(0, 9).Flags(SpanFlag::kFault).Set("aws.xray.cause", "gone")}));
  EXPECT_THAT(Print(unresolved.fault), ElementsAre("!app[app]"));
}

TEST(FindRootCauses, TiesGiveOneSlowPathEach) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "app").Between(0, 100), XRaySubsegment(2, 1, "a").Between(0, 60),
       XRaySubsegment(3, 1, "b").Between(40, 100), XRaySubsegment(4, 1, "c").Between(0, 59)}));
  EXPECT_THAT(Print(causes.response_time),
              ElementsAre("!app[app@1000 a@600]", "!app[app@1000 b@600]"));
}

TEST(FindRootCauses, SlowPathStopsBelowHalf) {
  const RootCauses causes = FindRootCauses(AssembleSpans(
      {XRaySegment(1, "app").Between(0, 100), XRaySubsegment(2, 1, "a").Between(0, 49)}));
  EXPECT_THAT(Print(causes.response_time), ElementsAre("!app[app@1000]"));
}

TEST(FindRootCauses, NothingToSayOfEmptyAndUnfinishedTraces) {
  const RootCauses empty = FindRootCauses(AssembleSpans({}));
  EXPECT_TRUE(empty.fault.empty() && empty.error.empty() && empty.response_time.empty());
  EXPECT_THAT(FindRootCauses(AssembleSpans({XRaySegment(1, "a").InProgressSince(0)})).response_time,
              IsEmpty());
}

TEST(FindRootCauses, OrphansStandForTheirSegment) {
  const RootCauses causes = FindRootCauses(
      AssembleSpans({XRaySubsegment(2, 9, "handler").Flags(SpanFlag::kFault).Between(0, 9)}));
  EXPECT_THAT(Print(causes.fault), ElementsAre("!handler[handler]"));
}

TEST(FindRootCauses, DeepTracesEndWithTheirEndsKept) {
  std::vector<Span> spans;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    spans.push_back(OtelSpan(i, SpanKind::kInternal, "n" + std::to_string(i))
                        .Service("s")
                        .Parent(i - 1)
                        .Between(0, 9)
                        .Status(i == 20'000 ? StatusCode::kError : StatusCode::kUnset));
  }
  const RootCauses causes = FindRootCauses(AssembleSpans(std::move(spans)));
  ASSERT_EQ(causes.fault.size(), 1U);
  const auto& path = causes.fault[0].services[0].entity_path;
  EXPECT_EQ(path.size(), 1'000U);
  EXPECT_EQ(path.front().name, "s");
  EXPECT_EQ(path.back().name, "n20000");
}

}  // namespace
}  // namespace fluoro::model
