#include "model/summary.h"

#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using testing::AssembleSpans;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::OtelSpan;
using testing::SpanBuilder;
using testing::ToValue;
using testing::XRaySegment;
using testing::XRaySubsegment;

TEST(Summarise, RootGivesTimesFlagsHttpAndEntryPoint) {
  const AssembledTrace trace =
      AssembleSpans({XRaySegment(1, "shop-web")
                         .Between(100, 300)
                         .Set("url.full", "https://shop.example.com/")
                         .Set("http.request.method", "POST")
                         .Set("http.response.status_code", 500)
                         .Flags(SpanFlag::kFault),
                     XRaySubsegment(2, 1, "payments", "remote").Between(110, 350),
                     XRaySegment(3, "payments")
                         .Parent(2)
                         .Between(120, 400)
                         .Set("http.response.status_code", 404)});
  const TraceSummary summary = Summarise(trace);
  EXPECT_EQ(summary.id, testing::TestTraceId());
  EXPECT_EQ(summary.start_ns, 100'000'000);
  EXPECT_EQ(summary.duration_ns, 300'000'000);
  EXPECT_EQ(summary.response_ns, 200'000'000);
  EXPECT_TRUE(summary.has_fault);
  EXPECT_FALSE(summary.has_error) << "the error of a callee is not the root's";
  EXPECT_FALSE(summary.has_throttle);
  EXPECT_FALSE(summary.is_partial);
  EXPECT_EQ(summary.http.url, "https://shop.example.com/");
  EXPECT_EQ(summary.http.status, 500);
  ASSERT_GE(summary.entry_point, 0);
  EXPECT_EQ(trace.services[static_cast<std::size_t>(summary.entry_point)].key.name, "shop-web");
  EXPECT_EQ(summary.services.size(), 2U) << "clients are left out";
}

TEST(Summarise, ThrottleOfAnyDocumentCounts) {
  const TraceSummary summary = Summarise(AssembleSpans(
      {XRaySegment(1, "a").Between(0, 9),
       XRaySubsegment(2, 1, "b", "remote").Set("http.response.status_code", 429).Between(1, 2)}));
  EXPECT_TRUE(summary.has_throttle);
  EXPECT_FALSE(summary.has_error);
}

TEST(Summarise, InProgressRootHasNoResponseTime) {
  const TraceSummary summary = Summarise(AssembleSpans(
      {XRaySegment(1, "a").InProgressSince(10), XRaySubsegment(2, 1, "b").Between(11, 15)}));
  EXPECT_FALSE(summary.response_ns);
  EXPECT_TRUE(summary.is_partial);
  EXPECT_EQ(summary.duration_ns, 5'000'000);
}

TEST(Summarise, AnnotationsListDistinctValuesWithTheirServices) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySegment(1, "a").Between(0, 9).Annotate("tenant", "acme").Annotate("n", 1),
       XRaySubsegment(2, 1, "b", "remote").Between(1, 8).Annotate("tenant", "acme"),
       XRaySegment(3, "b").Parent(2).Between(2, 7).Annotate("tenant", "acme").Annotate("n", "1")});
  const TraceSummary summary = Summarise(trace);
  ASSERT_EQ(summary.annotations.size(), 2U);
  const auto& tenants = summary.annotations.at("tenant");
  ASSERT_EQ(tenants.size(), 1U);
  EXPECT_THAT(tenants[0].services, ElementsAre(0, 1));
  const auto& numbers = summary.annotations.at("n");
  ASSERT_EQ(numbers.size(), 2U) << "1 and \"1\" are two values";
  EXPECT_EQ(numbers[0].value, ToValue(1));
  EXPECT_EQ(numbers[1].value, ToValue("1"));
}

TEST(Summarise, FiftyFirstKeyIsNotIndexed) {
  SpanBuilder late = XRaySegment(1, "a").Between(0, 9);
  for (int i = 0; i < 49; ++i) late.Annotate("k" + std::to_string(i), i);
  // Arrival counts, not start: `first` takes one of the fifty although it starts last.
  const Span first = XRaySubsegment(2, 1, "b").Between(5, 6).Annotate("first", true);
  const Span last = XRaySubsegment(3, 1, "c").Between(1, 2).Annotate("last", true);
  std::vector<Span> spans = {first, late, last};
  const TraceSummary summary = Summarise(AssembleSpans(spans));
  EXPECT_EQ(summary.annotations.size(), kIndexedAnnotationsMax);
  EXPECT_TRUE(summary.annotations.contains("first"));
  EXPECT_FALSE(summary.annotations.contains("last"));
}

TEST(Summarise, UnionsUsersPlacesAndResources) {
  const TraceSummary summary = Summarise(
      AssembleSpans({XRaySegment(1, "a")
                         .Between(0, 9)
                         .Set("enduser.id", "alice")
                         .Resource("host.id", "i-1")
                         .Resource("cloud.availability_zone", "z-1")
                         .Resource("aws.xray.resource_arn", "arn:1"),
                     XRaySubsegment(4, 1, "call", "remote").Between(1, 9),
                     XRaySegment(2, "b")
                         .Parent(4)
                         .Between(1, 9)
                         .Set("enduser.id", "alice")
                         .Resource("host.id", "i-2")
                         .Resource("cloud.availability_zone", "z-1"),
                     XRaySegment(3, "c").Parent(1).Between(2, 9).Set("enduser.id", "bob")}));
  ASSERT_EQ(summary.users.size(), 2U);
  EXPECT_EQ(summary.users[0].name, "alice");
  EXPECT_THAT(summary.users[0].services, ElementsAre(0, 1));
  EXPECT_THAT(summary.instance_ids, ElementsAre("i-1", "i-2"));
  EXPECT_THAT(summary.availability_zones, ElementsAre("z-1"));
  EXPECT_THAT(summary.resource_arns, ElementsAre("arn:1"));
}

TEST(Summarise, OrphansOnlyUseTheEarliestInTheRootsPlace) {
  const TraceSummary summary = Summarise(
      AssembleSpans({XRaySubsegment(2, 9, "late").Flags(SpanFlag::kIndependent).Between(20, 30),
                     XRaySubsegment(3, 9, "early")
                         .Flags(SpanFlag::kIndependent | SpanFlag::kFault)
                         .Between(10, 15)
                         .Annotate("k", 1)}));
  EXPECT_EQ(summary.response_ns, 5'000'000);
  EXPECT_TRUE(summary.has_fault);
  EXPECT_EQ(summary.entry_point, -1);
  EXPECT_THAT(summary.services, IsEmpty());
  EXPECT_THAT(summary.annotations.at("k")[0].services, IsEmpty());
}

TEST(Summarise, EmptyTraceHasAnEmptySummary) {
  const TraceSummary summary = Summarise(AssembleSpans({}));
  EXPECT_FALSE(summary.response_ns);
  EXPECT_EQ(summary.entry_point, -1);
  EXPECT_EQ(summary.duration_ns, 0);
}

}  // namespace
}  // namespace fluoro::model
