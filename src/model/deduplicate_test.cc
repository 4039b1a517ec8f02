#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using testing::OtelSpan;
using testing::TestSpanId;
using testing::XRaySegment;
using testing::XRaySubsegment;

std::vector<std::string> Names(const std::vector<Span>& spans) {
  std::vector<std::string> names;
  for (const Span& span : spans) names.push_back(span.name);
  return names;
}

std::vector<std::string> NamesAfter(std::vector<Span> spans) {
  Deduplicate(spans);
  return Names(spans);
}

using ::testing::ElementsAre;

constexpr std::uint32_t kIndependent = SpanFlag::kIndependent;

TEST(Deduplicate, CompleteReplacesInProgressWhateverTheOrder) {
  const Span begun = XRaySegment(1, "begun").InProgressSince(0);
  const Span done = XRaySegment(1, "done").Between(0, 5);
  EXPECT_THAT(NamesAfter({begun, done}), ElementsAre("done"));
  EXPECT_THAT(NamesAfter({done, begun}), ElementsAre("done"));
}

TEST(Deduplicate, OfTwoCompleteOnesTheLaterWins) {
  const Span first = OtelSpan(1, SpanKind::kServer, "first").Between(0, 5);
  const Span second = OtelSpan(1, SpanKind::kServer, "second").Between(0, 6);
  EXPECT_THAT(NamesAfter({first, second}), ElementsAre("second"));
}

TEST(Deduplicate, EqualSpansAreKeptOnceInPlaceOfTheFirst) {
  const Span a = OtelSpan(1, SpanKind::kServer, "a").Between(0, 5);
  const Span b = OtelSpan(2, SpanKind::kClient, "b").Parent(1).Between(0, 5);
  EXPECT_THAT(NamesAfter({a, b, a, b, a}), ElementsAre("a", "b"));
}

TEST(Deduplicate, OfTwoInProgressOnesTheLaterWins) {
  EXPECT_THAT(NamesAfter({XRaySegment(1, "old").InProgressSince(0),
                          XRaySegment(1, "new").InProgressSince(0)}),
              ElementsAre("new"));
}

TEST(Deduplicate, EmbeddedBeatsIndependentIfBothAreComplete) {
  const Span segment = XRaySegment(1, "s").Between(0, 9);
  const Span embedded = XRaySubsegment(2, 1, "embedded").Between(1, 2);
  const Span independent = XRaySubsegment(2, 1, "independent").Flags(kIndependent).Between(1, 2);
  EXPECT_THAT(NamesAfter({segment, embedded, independent}), ElementsAre("s", "embedded"));
  EXPECT_THAT(NamesAfter({independent, segment, embedded}), ElementsAre("embedded", "s"));
}

TEST(Deduplicate, CompleteIndependentBeatsEmbeddedInProgress) {
  const Span segment = XRaySegment(1, "s").Between(0, 9);
  const Span embedded = XRaySubsegment(2, 1, "embedded").InProgressSince(1);
  const Span incomplete =
      XRaySubsegment(2, 1, "incomplete").Between(1, 1).Flags(SpanFlag::kIncompleteEmbedded);
  const Span independent = XRaySubsegment(2, 1, "independent").Flags(kIndependent).Between(1, 2);
  EXPECT_THAT(NamesAfter({segment, embedded, independent}), ElementsAre("s", "independent"));
  EXPECT_THAT(NamesAfter({independent, segment, embedded}), ElementsAre("independent", "s"));
  EXPECT_THAT(NamesAfter({independent, segment, incomplete}), ElementsAre("independent", "s"));
}

TEST(Deduplicate, ReplacingASegmentKeepsIndependentSubsegments) {
  EXPECT_THAT(NamesAfter({XRaySegment(1, "begun").InProgressSince(0),
                          XRaySubsegment(2, 1, "streamed").Flags(kIndependent).Between(1, 2),
                          XRaySegment(1, "done").Between(0, 9)}),
              ElementsAre("done", "streamed"));
}

TEST(Deduplicate, EmbeddedSubsegmentsGoWithTheirDocument) {
  const Span begun = XRaySegment(1, "begun").InProgressSince(0);
  const Span kept_then = XRaySubsegment(2, 1, "kept then").InProgressSince(1);
  const Span gone = XRaySubsegment(3, 2, "gone").InProgressSince(1);
  const Span done = XRaySegment(1, "done").Between(0, 9);
  const Span kept_now = XRaySubsegment(2, 1, "kept now").Between(1, 2);
  const Span added = XRaySubsegment(4, 1, "added").Between(2, 3);
  EXPECT_THAT(NamesAfter({begun, kept_then, gone, done, kept_now, added}),
              ElementsAre("done", "kept now", "added"));
  EXPECT_THAT(NamesAfter({done, kept_now, added, begun, kept_then, gone}),
              ElementsAre("done", "kept now", "added"));
}

TEST(Deduplicate, WorksAgainOnItsOwnResult) {
  std::vector<Span> spans = {XRaySegment(1, "begun").InProgressSince(0),
                             XRaySubsegment(2, 1, "two").InProgressSince(1),
                             XRaySegment(7, "other").Parent(2).Between(1, 2),
                             XRaySegment(1, "begun more").InProgressSince(0),
                             XRaySubsegment(2, 1, "two").InProgressSince(1),
                             XRaySubsegment(3, 2, "three").InProgressSince(2)};
  Deduplicate(spans);
  EXPECT_THAT(Names(spans), ElementsAre("begun more", "two", "other", "three"));
  spans.push_back(XRaySegment(1, "done").Between(0, 9));
  spans.push_back(XRaySubsegment(2, 1, "two done").Between(1, 9));
  Deduplicate(spans);
  EXPECT_THAT(Names(spans), ElementsAre("done", "two done", "other"));
}

TEST(Deduplicate, SameDocumentTwiceKeepsItsSubsegments) {
  const Span segment = XRaySegment(1, "s").Between(0, 9);
  const Span sub = XRaySubsegment(2, 1, "sub").Between(1, 2);
  EXPECT_THAT(NamesAfter({segment, sub, segment, sub}), ElementsAre("s", "sub"));
}

}  // namespace
}  // namespace fluoro::model
