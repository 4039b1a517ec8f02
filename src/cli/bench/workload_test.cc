#include "cli/bench/workload.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/clock.h"
#include "cli/bench/load.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::int64_t kNowNs = 1'795'000'000 * kNsPerSecond;

std::vector<model::Span> MakeSpans(const LoadOptions& options) {
  std::vector<model::Span> spans;
  TraceStream stream(options, kNowNs);
  for (auto trace = stream.Next(); !trace.empty(); trace = stream.Next())
    std::ranges::move(trace, std::back_inserter(spans));
  return spans;
}

std::string Bytes(const LoadOptions& options) {
  RequestStream stream(options, kNowNs);
  std::string bytes;
  for (const Request& request : Take(stream)) bytes += request.body;
  return bytes;
}

TEST(Workload, SameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  for (const WorkloadKind kind :
       {WorkloadKind::kFlat, WorkloadKind::kCluster, WorkloadKind::kGenAi}) {
    const LoadOptions options{.spans = 3'000, .seed = 7, .workload = kind};
    LoadOptions other = options;
    other.seed = 8;
    // A difference of megabytes is not for printing.
    EXPECT_TRUE(Bytes(options) == Bytes(options));
    EXPECT_FALSE(Bytes(options) == Bytes(other));
  }
}

TEST(Workload, RequestsTakenInPartsAreTheSameRequests) {
  const LoadOptions options{.spans = 5'000, .seed = 3};
  RequestStream whole(options, kNowNs);
  RequestStream parts(options, kNowNs);
  for (const Request& request : Take(whole)) {
    const auto one = Take(parts, 1);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_TRUE(one[0].body == request.body);
  }
  EXPECT_TRUE(Take(parts).empty());
  EXPECT_EQ(parts.sample().traces.size(), whole.sample().traces.size());
}

TEST(Workload, FlatSetHasTheShapeItsFiguresAreMadeFor) {
  const LoadOptions options{.spans = 50'000, .seed = 1};
  const auto spans = MakeSpans(options);
  ASSERT_EQ(spans.size(), 50'000U);
  std::map<model::TraceId, std::size_t> spans_of;
  std::set<std::string_view> services;
  std::set<std::pair<std::string_view, std::string_view>> operations;
  std::map<std::string_view, std::set<std::string_view>> texts;
  std::size_t errors = 0;
  for (const auto& span : spans) {
    ++spans_of[span.trace_id];
    services.insert(span.service());
    operations.insert({span.service(), span.name});
    EXPECT_EQ(span.resource->attributes.size(), 6U);
    ASSERT_EQ(span.attributes.size(), 15U);
    EXPECT_GT(span.end_ns, span.start_ns);
    errors += span.status == model::StatusCode::kError ? 1 : 0;
    for (const auto& attribute : span.attributes) {
      if (const std::string* text = attribute.value.AsString()) texts[attribute.key].insert(*text);
    }
  }
  EXPECT_EQ(spans_of.size(), 5'000U);
  for (const auto& [id, count] : spans_of) EXPECT_EQ(count, 10U);
  EXPECT_EQ(services.size(), 20U);
  EXPECT_EQ(operations.size(), 200U);
  EXPECT_NEAR(static_cast<double>(errors) / 50'000, 0.01, 0.003);
  ASSERT_EQ(texts.size(), 11U);
  std::size_t low = 0, medium = 0, high = 0;
  for (const auto& [key, values] : texts)
    ++(values.size() <= 100 ? low : values.size() <= 1'000 ? medium : high);
  EXPECT_EQ(low, 7U);
  EXPECT_EQ(medium, 1U);
  EXPECT_EQ(high, 3U);
}

TEST(Workload, FlatSetTakesAbout677BytesASpan) {
  const LoadOptions options{.spans = 50'000, .seed = 1};
  EXPECT_NEAR(static_cast<double>(Bytes(options).size()) / 50'000, 677, 7);
}

TEST(Workload, EveryParentIsInItsTrace) {
  for (const WorkloadKind kind :
       {WorkloadKind::kFlat, WorkloadKind::kCluster, WorkloadKind::kGenAi}) {
    auto workload = Workload::Make(kind, 5);
    for (int i = 0; i < 50; ++i) {
      std::set<model::SpanId> ids;
      for (const auto& span : workload->NextTrace(kNowNs)) {
        EXPECT_EQ(span.parent_id.IsZero(), ids.empty());
        if (!ids.empty()) {
          EXPECT_TRUE(ids.contains(span.parent_id));
        }
        ids.insert(span.span_id);
      }
    }
  }
}

TEST(Workload, SegmentDocumentIsADocumentWhoseIdsStandWhereTheyShould) {
  auto workload = Workload::Make(WorkloadKind::kFlat, 5);
  for (const auto& span : workload->NextTrace(kNowNs)) {
    const std::string document = SegmentDocument(span);
    EXPECT_EQ(document.substr(kDocumentIdAt, 16), span.span_id.ToHex());
    EXPECT_EQ(document.substr(kDocumentTraceIdAt, 24), span.trace_id.ToHex().substr(8));
    EXPECT_NEAR(static_cast<double>(document.size()), 950, 150);
  }
}

}  // namespace
}  // namespace fluoro::cli::bench
