#include "rollup/trace_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/rng.h"
#include "model/summary.h"
#include "model/testing.h"
#include "rollup/testing.h"
#include "rollup/trace_sampler.h"

namespace fluoro::rollup {
namespace {

using model::Span;
using model::SpanFlag;
using model::SpanKind;
using model::testing::MakeTrace;
using model::testing::OtelSpan;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;

class IgnoreSamples : public SampleSink {
 public:
  void Add(const NodeSample&) override {}
  void Add(const EdgeSample&) override {}
};

std::string TextOf(const std::set<std::string>& keys) {
  std::string text = "{";
  for (const std::string& key : keys) text += key + ", ";
  return text + "}";
}

// What Summarise says of the trace, as text.
std::string Expected(const model::AssembledTrace& trace) {
  const model::TraceSummary summary = model::Summarise(trace);
  const model::Entity& root = *trace.Root();
  std::set<std::string> services[model::kServiceSets];
  for (const std::int32_t service : summary.services)
    services[0].insert(testing::Print(trace.services[static_cast<std::size_t>(service)].key));
  bool inferred = false;
  for (const model::Entity& entity : trace.entities) {
    if (!entity.IsSegment()) continue;
    inferred = inferred || entity.role == model::EntityRole::kInferred ||
               (entity.span->source == model::SpanSource::kXRay &&
                entity.span->Has(SpanFlag::kSentInferred));
    const auto key = testing::Print(trace.services[static_cast<std::size_t>(entity.service)].key);
    if (entity.fault) services[1].insert(key);
    if (entity.error) services[2].insert(key);
    if (entity.throttle) services[3].insert(key);
  }
  std::string text = std::to_string(summary.start_ns) + " " + std::to_string(summary.duration_ns) +
                     " " + (summary.response_ns ? std::to_string(*summary.response_ns) : "none") +
                     (summary.has_fault ? " fault" : "") + (summary.has_error ? " error" : "") +
                     (root.throttle ? " throttle" : "") +
                     (summary.has_throttle ? " any throttle" : "") +
                     (summary.is_partial ? " partial" : "") + (inferred ? " inferred" : "") +
                     " status " + (summary.http.status ? std::to_string(*summary.http.status) : "");
  text += " root " + root.span->span_id.ToHex() + " ";
  if (summary.entry_point >= 0)
    text += testing::Print(trace.services[static_cast<std::size_t>(summary.entry_point)].key);
  for (const auto& set : services) text += TextOf(set);
  return text;
}

// The same of what the join tells.
std::string Told(const TraceFacts& trace, const std::vector<Span>& spans, const FactsTable& table) {
  const Facts& root = table.At(trace.root_facts);
  const int status = trace.root_is_synthetic ? Facts::kNoStatus : root.status;
  std::string text =
      std::to_string(trace.start_ns) + " " + std::to_string(trace.end_ns - trace.start_ns) + " " +
      (root.in_progress ? "none" : std::to_string(trace.root_end_ns - trace.root_start_ns)) +
      (root.fault ? " fault" : "") + (root.error ? " error" : "") +
      (root.throttle ? " throttle" : "") + (trace.throttle ? " any throttle" : "") +
      (trace.in_progress ? " partial" : "") + (trace.inferred ? " inferred" : "") + " status " +
      (status >= 0 ? std::to_string(status) : "");
  text += " root " + spans[trace.root].span_id.ToHex() + " ";
  if (trace.root_is_segment) text += testing::Print(table.keys().KeyAt(root.key));
  for (const auto& keys : trace.services) {
    std::set<std::string> names;
    for (const KeyId key : keys) names.insert(testing::Print(table.keys().KeyAt(key)));
    EXPECT_EQ(names.size(), keys.size()) << "a service twice";
    text += TextOf(names);
  }
  return text;
}

class TraceFactsTest : public ::testing::Test {
 protected:
  // Whether the join tells anything; what it tells is what Summarise says.
  bool TellsRight(const std::shared_ptr<const model::Trace>& trace) {
    model::SpanBatch batch;
    for (const Span& span : trace->spans) batch.AppendSpan(span);
    std::vector<TraceSampler::Row> rows(batch.size());
    for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = {.batch = &batch, .row = i};
    sampler_.Forget();
    sampler_.Sample(rows, sink_);
    if (!sampler_.Tell(facts_)) return false;
    EXPECT_EQ(Told(facts_, trace->spans, table_), Expected(model::Assemble(trace)));
    if (table_.IsFull()) table_.Clear();
    return true;
  }
  bool TellsRight(const std::vector<Span>& spans) { return TellsRight(MakeTrace(spans)); }

  FactsTable table_;
  TraceSampler sampler_{table_};
  IgnoreSamples sink_;
  TraceFacts facts_;
};

TEST_F(TraceFactsTest, AreWhatSummariseSays) {
  std::uint64_t told = 0;
  for (std::uint64_t seed = 1; seed <= 8'000; ++seed) {
    Rng rng(seed);
    testing::TraceShape shape;
    shape.spans_max = rng.Chance(0.05) ? 150 : 12;
    auto spans = testing::RandomGraphTrace(rng, model::testing::TestTraceId(), shape);
    // Starts that are equal, and few oddities, so that the short ways are taken too.
    const bool is_plain = rng.Chance(0.5);
    for (Span& span : spans) {
      if (rng.Chance(0.5)) span.start_ns = shape.from_ns + static_cast<std::int64_t>(rng.Below(3));
      span.end_ns = std::max(span.end_ns, span.start_ns);
      if (is_plain) {
        span.links.clear();
        if (span.kind == SpanKind::kClient) span.parent_id = testing::SpanIdOf(1);
      }
    }
    told += TellsRight(MakeTrace(spans)) ? 1U : 0U;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(told, 5'000U);
}

TEST_F(TraceFactsTest, RootsOfEveryRank) {
  // A segment under an orphan; two of them at one time, one deeper than the other.
  EXPECT_TRUE(
      TellsRight({OtelSpan(1, SpanKind::kInternal, "orphan").Parent(9).Service("a").Between(0, 9),
                  OtelSpan(2, SpanKind::kInternal, "deep").Parent(1).Service("a").Between(5, 9),
                  OtelSpan(3, SpanKind::kServer, "s").Parent(2).Service("b").Between(5, 9),
                  OtelSpan(4, SpanKind::kServer, "t").Parent(1).Service("c").Between(5, 9)}));
  // Nothing but orphans.
  EXPECT_TRUE(
      TellsRight({OtelSpan(1, SpanKind::kInternal, "x").Parent(9).Service("a").Between(3, 9),
                  OtelSpan(2, SpanKind::kInternal, "y").Parent(8).Service("a").Between(1, 4)}));
  // One that was sent as inferred is the last that is asked.
  EXPECT_TRUE(TellsRight({XRaySegment(1, "made").Flags(SpanFlag::kSentInferred).Between(0, 9),
                          XRaySegment(2, "sent").Between(1, 9)}));
  EXPECT_TRUE(TellsRight({XRaySegment(1, "made").Flags(SpanFlag::kSentInferred).Between(0, 9)}));
  // A call that stands alone becomes two documents.
  EXPECT_TRUE(TellsRight({OtelSpan(1, SpanKind::kClient, "GET")
                              .Service("browser")
                              .Between(0, 9)
                              .Set("http.response.status_code", 503)}));
}

TEST_F(TraceFactsTest, WhatIsInProgressHasNoEnd) {
  EXPECT_TRUE(TellsRight({XRaySegment(1, "web").InProgressSince(1),
                          XRaySubsegment(2, 1, "db", "remote").Between(2, 5)}));
  EXPECT_TRUE(TellsRight({XRaySegment(1, "web").InProgressSince(1)}));
}

TEST_F(TraceFactsTest, SaysNothingRatherThanHalf) {
  // A service that looks like a client; a status that is none.
  EXPECT_FALSE(TellsRight({OtelSpan(1, SpanKind::kServer, "GET")
                               .Service("web")
                               .Resource("aws.xray.origin", "client")}));
  EXPECT_FALSE(TellsRight({OtelSpan(1, SpanKind::kServer, "GET")
                               .Service("web")
                               .Set("http.response.status_code", std::int64_t{1} << 40)}));
  EXPECT_FALSE(TellsRight(
      {OtelSpan(1, SpanKind::kServer, "GET").Service("web").Set("http.response.status_code", -2)}));
  // Parents that go round.
  EXPECT_FALSE(TellsRight({OtelSpan(1, SpanKind::kServer, "a").Parent(2).Service("a"),
                           OtelSpan(2, SpanKind::kServer, "b").Parent(1).Service("b")}));
}

}  // namespace
}  // namespace fluoro::rollup
