#include "analysis/critical_path.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "model/testing.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using model::Entity;
using model::EntityRole;
using model::Span;
using model::SpanFlag;
using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::TestSpanId;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Span Work(std::uint64_t id, std::uint64_t parent, std::string_view name, std::int64_t start_ms,
          std::int64_t end_ms) {
  return OtelSpan(id, parent == 0 ? SpanKind::kServer : SpanKind::kInternal, name)
      .Service("s")
      .Parent(parent)
      .Between(start_ms, end_ms);
}

const std::string& NameAt(const AssembledTrace& trace, std::int32_t entity) {
  return trace.entities[static_cast<std::size_t>(entity)].span->name;
}

// "name start-end" in milliseconds.
std::vector<std::string> Print(const AssembledTrace& trace) {
  std::vector<std::string> texts;
  for (const PathInterval& part : CriticalPath(trace)) {
    texts.push_back(NameAt(trace, part.entity) + " " + std::to_string(part.start_ns / 1'000'000) +
                    "-" + std::to_string(part.end_ns / 1'000'000));
  }
  return texts;
}

std::map<std::string, std::int64_t> OwnMs(const AssembledTrace& trace) {
  std::map<std::string, std::int64_t> own;
  for (const PathInterval& part : CriticalPath(trace)) {
    own[NameAt(trace, part.entity)] += (part.end_ns - part.start_ns) / 1'000'000;
  }
  return own;
}

TEST(CriticalPath, RagChatRequest) {
  const AssembledTrace trace = AssembleSpans({
      Work(1, 0, "gateway", 0, 2480),
      Work(2, 1, "guardrail", 5, 65),
      Work(3, 1, "chain", 70, 2470),
      Work(4, 3, "embedding", 75, 135),
      Work(5, 3, "retriever", 140, 330),
      Work(6, 5, "search", 150, 320),
      Work(7, 3, "reranker", 335, 515),
      Work(8, 3, "cache", 520, 523),
      Work(9, 3, "llm", 525, 2440),
      Work(10, 9, "http", 530, 2435),
      Work(11, 3, "insert", 2442, 2466),
  });
  EXPECT_THAT(
      OwnMs(trace),
      ElementsAre(std::pair("cache", 3), std::pair("chain", 28), std::pair("embedding", 60),
                  std::pair("gateway", 20), std::pair("guardrail", 60), std::pair("http", 1905),
                  std::pair("insert", 24), std::pair("llm", 10), std::pair("reranker", 180),
                  std::pair("retriever", 20), std::pair("search", 170)));
}

TEST(CriticalPath, ParallelToolsOnlyTheLastToFinishCounts) {
  const AssembledTrace trace = AssembleSpans({
      Work(1, 0, "gateway", 0, 9320),
      Work(2, 1, "agent", 10, 9310),
      Work(3, 2, "llm 1", 20, 1520),
      Work(4, 2, "get_order", 1530, 1770),
      Work(5, 2, "search_kb", 1530, 2330),
      Work(6, 2, "refund_quote", 1530, 5630),
      Work(7, 6, "attempt 0", 1530, 4530),
      Work(8, 6, "attempt 1", 5030, 5630),
      Work(9, 2, "llm 2", 5640, 9290),
  });
  EXPECT_THAT(OwnMs(trace), ElementsAre(std::pair("agent", 50), std::pair("attempt 0", 3000),
                                        std::pair("attempt 1", 600), std::pair("gateway", 20),
                                        std::pair("llm 1", 1500), std::pair("llm 2", 3650),
                                        std::pair("refund_quote", 500)));
}

TEST(CriticalPath, ChildrenAreClippedToTheirParent) {
  const AssembledTrace trace = AssembleSpans({
      Work(1, 0, "root", 10, 20),
      Work(2, 1, "early", 0, 12),
      Work(3, 1, "late", 18, 40),
      Work(4, 3, "later", 19, 50),
      Work(5, 1, "outside", 30, 40),
  });
  EXPECT_THAT(Print(trace), ElementsAre("early 10-12", "root 12-18", "late 18-19", "later 19-20"));
}

TEST(CriticalPath, OverlappingChildrenDoNotOverlapOnThePath) {
  const AssembledTrace trace = AssembleSpans({
      Work(1, 0, "root", 0, 20),
      Work(2, 1, "a", 1, 12),
      Work(3, 1, "b", 10, 18),
      Work(4, 1, "c", 2, 9),
  });
  EXPECT_THAT(Print(trace), ElementsAre("root 0-2", "c 2-9", "root 9-10", "b 10-18", "root 18-20"));
}

TEST(CriticalPath, FollowsCalleesButNotInferredOnesNorLinks) {
  const AssembledTrace trace = AssembleSpans({
      XRaySegment(1, "web").Between(0, 50),
      XRaySubsegment(2, 1, "call", "remote").Between(5, 20),
      XRaySegment(3, "api").Parent(2).Between(6, 18),
      XRaySubsegment(4, 1, "DynamoDB", "aws").Between(25, 30),
      OtelSpan(5, SpanKind::kConsumer, "process").Service("worker").LinkTo(4).Between(31, 49),
  });
  EXPECT_THAT(Print(trace), ElementsAre("web 0-5", "call 5-6", "api 6-18", "call 18-20",
                                        "web 20-25", "DynamoDB 25-30", "web 30-50"));
}

TEST(CriticalPath, EmptyTraceAndEmptyRoot) {
  EXPECT_THAT(CriticalPath(AssembleSpans({})), IsEmpty());
  EXPECT_THAT(Print(AssembleSpans({Work(1, 0, "root", 7, 7)})), ElementsAre("root 7-7"));
}

TEST(SelfTimes, SubtractTheUnionOfClippedChildren) {
  const AssembledTrace trace = AssembleSpans({
      Work(1, 0, "root", 0, 100),
      Work(2, 1, "a", 10, 50),
      Work(3, 1, "b", 40, 60),
      Work(4, 1, "c", 90, 130),
      Work(5, 1, "d", 20, 30),
  });
  const std::vector<std::int64_t> self = SelfTimes(trace);
  ASSERT_EQ(self.size(), 5U);
  EXPECT_EQ(self[static_cast<std::size_t>(trace.Find(TestSpanId(1)))], 40'000'000);
  EXPECT_EQ(self[static_cast<std::size_t>(trace.Find(TestSpanId(4)))], 40'000'000);
}

TEST(SelfTimes, InferredSegmentsLeaveTheTimeToTheCall) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySegment(1, "web").Between(0, 50), XRaySubsegment(2, 1, "S3", "aws").Between(5, 20)});
  ASSERT_EQ(trace.entities.back().role, EntityRole::kInferred);
  EXPECT_THAT(SelfTimes(trace), ElementsAre(35'000'000, 15'000'000, 0));
}

std::vector<Span> RandomSpans(std::mt19937_64& rng) {
  const std::uint64_t count = 1 + rng() % 50;
  std::vector<Span> spans;
  for (std::uint64_t id = 1; id <= count; ++id) {
    const auto start = static_cast<std::int64_t>(rng() % 200);
    const auto kind = static_cast<SpanKind>(rng() % 6);
    auto span = OtelSpan(id, kind, "n").Service("s" + std::to_string(rng() % 3));
    span.Parent(rng() % (count + 2))
        .BetweenNs(start, start + static_cast<std::int64_t>(rng() % 90));
    if (rng() % 8 == 0) span.BetweenNs(start, start).Flags(SpanFlag::kInProgress);
    spans.push_back(span);
  }
  return spans;
}

// The definition, nanosecond by nanosecond: which of these were covered by a child.
std::int64_t SelfTimeByCounting(const AssembledTrace& trace, const Entity& entity) {
  std::int64_t self = 0;
  for (std::int64_t at = entity.start_ns; at < entity.end_ns; ++at) {
    self += std::none_of(entity.children.begin(), entity.children.end(), [&](std::int32_t index) {
      const Entity& child = trace.entities[static_cast<std::size_t>(index)];
      return child.role != EntityRole::kInferred && child.start_ns <= at && at < child.end_ns;
    });
  }
  return self;
}

TEST(CriticalPath, TilesTheRootExactlyOnRandomForests) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 rng(seed);
    const AssembledTrace trace = AssembleSpans(RandomSpans(rng));
    const Entity* root = trace.Root();
    ASSERT_NE(root, nullptr);
    std::int64_t at = root->start_ns;
    for (const PathInterval& part : CriticalPath(trace)) {
      EXPECT_EQ(part.start_ns, at);
      EXPECT_TRUE(part.end_ns > part.start_ns || root->duration_ns() == 0);
      const Entity& entity = trace.entities[static_cast<std::size_t>(part.entity)];
      EXPECT_LE(entity.start_ns, part.start_ns);
      EXPECT_GE(entity.end_ns, part.end_ns);
      at = part.end_ns;
    }
    EXPECT_EQ(at, root->end_ns);
    const std::vector<std::int64_t> self = SelfTimes(trace);
    for (std::size_t i = 0; i < self.size(); ++i) {
      if (trace.entities[i].role == EntityRole::kInferred) continue;
      EXPECT_EQ(self[i], SelfTimeByCounting(trace, trace.entities[i]));
    }
  }
}

TEST(CriticalPath, DeepTracesEnd) {
  std::vector<Span> spans;
  for (std::uint64_t id = 1; id <= 50'000; ++id) spans.push_back(Work(id, id - 1, "n", 0, 9));
  const AssembledTrace trace = AssembleSpans(std::move(spans));
  EXPECT_THAT(Print(trace), ElementsAre("n 0-9"));
}

}  // namespace
}  // namespace fluoro::analysis
