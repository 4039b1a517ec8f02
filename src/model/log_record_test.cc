#include "model/log_record.h"

#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using ::testing::ElementsAre;
using testing::OtelSpan;
using testing::SpanBuilder;

SpanBuilder Record(std::uint64_t id, std::uint64_t of, std::string_view name,
                   std::int64_t time_ns) {
  return OtelSpan(id, SpanKind::kInternal, name)
      .Parent(of)
      .BetweenNs(time_ns, time_ns)
      .Flags(kLogRecord)
      .Event(name, {{"a", "b"}}, time_ns);
}

std::vector<std::string> EventsOf(const Span& span) {
  std::vector<std::string> names;
  for (const Event& event : span.events) names.push_back(event.name);
  return names;
}

TEST(AttachLogRecords, EventsGoToTheirSpanInOrderOfTime) {
  std::vector<Span> spans = {
      Record(7, 1, "first", 10),
      OtelSpan(1, SpanKind::kServer, "root").Between(0, 100).Event("second", {}, 20),
      Record(8, 1, "third", 30), OtelSpan(2, SpanKind::kClient, "call").Parent(1).Between(0, 50),
      Record(9, 2, "of the call", 5)};
  AttachLogRecords(spans);
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_THAT(EventsOf(spans[0]), ElementsAre("first", "second", "third"));
  EXPECT_THAT(EventsOf(spans[1]), ElementsAre("of the call"));
  EXPECT_EQ(spans[0].events[0].attributes.size(), 1U);
}

TEST(AttachLogRecords, WhatNamesNoSpanStays) {
  std::vector<Span> spans = {OtelSpan(1, SpanKind::kServer, "root").Between(0, 100),
                             Record(7, 99, "lost", 10), Record(8, 7, "of a record", 10)};
  const std::vector<Span> before = spans;
  AttachLogRecords(spans);
  EXPECT_EQ(spans, before);
}

TEST(AttachLogRecords, TracesWithoutRecordsAreTheSame) {
  // Events out of order stay as they were sent.
  std::vector<Span> spans = {OtelSpan(1, SpanKind::kServer, "root")
                                 .Between(0, 100)
                                 .Event("late", {}, 20)
                                 .Event("early", {}, 10)};
  const std::vector<Span> before = spans;
  AttachLogRecords(spans);
  EXPECT_EQ(spans, before);
}

}  // namespace
}  // namespace fluoro::model
