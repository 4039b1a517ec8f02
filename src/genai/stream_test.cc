#include "genai/stream.h"

#include <gmock/gmock.h>

#include <map>
#include <numeric>
#include <random>

#include "genai/flags.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanBatch;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::string_view kChunk = "gen_ai.content.completion.chunk";

SpanBuilder Chat(std::uint64_t id = 2) {
  return OtelSpan(id, SpanKind::kClient, "chat")
      .Parent(1)
      .Between(1000, 7000)
      .Set("gen_ai.operation.name", "chat")
      .Set("gen_ai.usage.output_tokens", 240);
}

SpanBatch BatchOf(const std::vector<Span>& spans) {
  SpanBatch batch;
  for (const Span& span : spans) batch.AppendSpan(span);
  return batch;
}

double Field(const Span& span, std::string_view name) {
  const auto value = CanonicalField(span, name);
  return value && value->AsDouble() != nullptr ? *value->AsDouble() : -1;
}

TEST(FoldChunks, KeepsWhatTheChunksTell) {
  SpanBuilder span = Chat();
  // First at 1 s, then every 10 ms, with one pause of 700 ms.
  std::int64_t at = 2000;
  for (int i = 0; i < 100; ++i, at += i == 50 ? 700 : 10) span.Event(kChunk, {}, at * kMs);
  SpanBatch batch = BatchOf({span});
  const Folded folded = FoldChunks(batch);
  EXPECT_EQ(folded.chunks, 100U);
  EXPECT_EQ(folded.spans, 1U);
  const Span after = batch.MakeSpan(0);
  EXPECT_TRUE(after.events.empty());
  const auto stream = StreamOf(after);
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->chunks, 100);
  EXPECT_EQ(stream->first_ns, 1000 * kMs);
  EXPECT_EQ(stream->last_ns, (1000 + 98 * 10 + 700) * kMs);
  EXPECT_EQ(stream->gap_p50_ns, 10 * kMs);
  EXPECT_EQ(stream->gap_p95_ns, 10 * kMs);
  EXPECT_EQ(stream->gap_max_ns, 700 * kMs);
  EXPECT_EQ(stream->stalls, 1);
  EXPECT_EQ(stream->stall_ns, 700 * kMs);
  EXPECT_THAT(stream->longest_stalls,
              ElementsAre(Stall{.at_ns = (1000 + 490) * kMs, .gap_ns = 700 * kMs}));
  EXPECT_EQ(std::accumulate(stream->gaps.begin(), stream->gaps.end(), 0U), 99U);
  EXPECT_EQ(Field(after, "ttft_ms"), 1000);
  EXPECT_EQ(Field(after, "itl_p50_ms"), 10);
  EXPECT_EQ(Field(after, "itl_max_ms"), 700);
  EXPECT_EQ(*CanonicalField(after, "stream")->AsBool(), true);
  EXPECT_EQ(stream, StreamOf(span)) << "the fields are the same before and after";
}

TEST(FoldChunks, LeavesEverythingElseAlone) {
  const Span plain = OtelSpan(1, SpanKind::kServer, "POST /chat")
                         .Between(0, 9000)
                         .Service("web")
                         .Set("http.route", "/chat")
                         .Exception("ValueError", "x");
  SpanBuilder streamed = Chat();
  streamed.Event("gen_ai.user.message", {{"content", "hi"}}, 1000 * kMs)
      .Event(kChunk, {}, 1500 * kMs)
      .Event("llm.content.completion.chunk", {}, 1600 * kMs)
      .Event(kChunk, {{"text", "kept, since it says something"}}, 1700 * kMs)
      .Exception("Warning", "w");
  const std::vector<Span> spans = {plain, streamed, Chat(3), plain};
  SpanBatch batch = BatchOf(spans);
  EXPECT_EQ(FoldChunks(batch).chunks, 2U);
  EXPECT_EQ(batch.MakeSpan(0), spans[0]);
  EXPECT_EQ(batch.MakeSpan(2), spans[2]);
  EXPECT_EQ(batch.MakeSpan(3), spans[3]);
  Span after = batch.MakeSpan(1);
  ASSERT_EQ(after.events.size(), 3U);
  EXPECT_EQ(after.events[1].Find("text")->AsString()->substr(0, 4), "kept");
  EXPECT_EQ(StreamOf(after)->chunks, 3);
  // The rest of it is as it was.
  const Span before = streamed;
  EXPECT_TRUE(
      std::equal(before.attributes.begin(), before.attributes.end(), after.attributes.begin()));
  EXPECT_EQ(after.dropped_events, before.dropped_events);
  // Folding again changes nothing.
  const SpanBatch once = batch;
  EXPECT_EQ(FoldChunks(batch).chunks, 0U);
}

TEST(FoldChunks, ABatchWithoutChunksIsTheSame) {
  SpanBatch batch = BatchOf({Chat(), Chat(3).Exception("ValueError", "x")});
  const SpanBatch before = batch;
  EXPECT_EQ(FoldChunks(batch).spans, 0U);
  EXPECT_TRUE(batch.SameSpans(before));
}

TEST(FoldChunks, AnEndBeforeTheLastChunkIsMovedThereAndFlagged) {
  SpanBatch batch = BatchOf(
      {Chat().Between(1000, 1100).Event(kChunk, {}, 1500 * kMs).Event(kChunk, {}, 4000 * kMs)});
  FoldChunks(batch);
  const Span after = batch.MakeSpan(0);
  EXPECT_EQ(after.end_ns, 4000 * kMs);
  EXPECT_TRUE(EndsEarly(after));
  EXPECT_THAT(FlagsOf(after), HasSubstr("early_end"));
  EXPECT_EQ(*after.Find("fluoro.stream.reported_end_ns")->AsInt(), 1100 * kMs);
  EXPECT_EQ(Field(after, "ttft_ms"), 500);
  // A few milliseconds are none.
  SpanBatch near = BatchOf({Chat().Between(1000, 1100).Event(kChunk, {}, 1140 * kMs)});
  FoldChunks(near);
  EXPECT_EQ(near.MakeSpan(0).end_ns, 1100 * kMs);
  EXPECT_FALSE(EndsEarly(near.MakeSpan(0)));
}

TEST(FoldChunks, ImpossibleTimesTellNothing) {
  SpanBatch batch = BatchOf({Chat()
                                 .Event(kChunk, {}, 999 * kMs)
                                 .Event(kChunk, {}, INT64_MAX)
                                 .Event(kChunk, {}, INT64_MIN)
                                 .Event(kChunk, {}, 0),
                             Chat(3).Event(kChunk, {}, INT64_MAX).Event(kChunk, {}, 2000 * kMs)});
  EXPECT_EQ(FoldChunks(batch).chunks, 6U);
  EXPECT_FALSE(StreamOf(batch.MakeSpan(0)));
  EXPECT_EQ(batch.MakeSpan(0).end_ns, 7000 * kMs);
  EXPECT_EQ(StreamOf(batch.MakeSpan(1))->chunks, 1);
}

TEST(FoldChunks, StallsAreBounded) {
  SpanBuilder span = Chat().Between(0, 3'000'000);
  std::int64_t at = 0;
  for (int i = 0; i < 400; ++i) span.Event(kChunk, {}, (at += i % 4 != 3 ? 1 : 1000 + i) * kMs);
  SpanBatch batch = BatchOf({span});
  FoldChunks(batch);
  const auto stream = StreamOf(batch.MakeSpan(0));
  EXPECT_EQ(stream->stalls, 100);
  ASSERT_EQ(stream->longest_stalls.size(), kStallsMax);
  EXPECT_EQ(stream->longest_stalls.back().gap_ns, 1399 * kMs);
  EXPECT_EQ(stream->longest_stalls.front().gap_ns, (1399 - 4 * 15) * kMs);
}

TEST(GapBuckets, GrowByHalfOctaves) {
  EXPECT_EQ(GapBucketBeginNs(0), 0);
  EXPECT_EQ(GapBucketBeginNs(1), 64'000);
  EXPECT_EQ(GapBucketBeginNs(3), 128'000);
  for (std::size_t i = 1; i < kGapBuckets; ++i) {
    EXPECT_LT(GapBucketBeginNs(i - 1), GapBucketBeginNs(i));
  }
  EXPECT_NEAR(static_cast<double>(GapBucketBeginNs(31)), 2.1e9, 0.01e9);
}

// Against what plain counting over the events gives.
TEST(FoldChunks, AgreesWithPlainCounting) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Span> spans;
    for (std::uint64_t id = 1; id < 6; ++id) {
      SpanBuilder span = Chat(id);
      std::int64_t at = 1'000 * kMs;
      const auto chunks = random() % 40;
      for (std::size_t i = 0; i < chunks; ++i) {
        at +=
            static_cast<std::int64_t>(random() % (random() % 10 == 0 ? 3'000'000'000 : 50'000'000));
        span.Event(kChunk, {}, at);
        if (random() % 5 == 0) span.Event("other", {{"a", "b"}}, at);
      }
      spans.push_back(span);
    }
    SpanBatch batch = BatchOf(spans);
    FoldChunks(batch);
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
      std::vector<std::int64_t> gaps;
      std::vector<std::int64_t> times;
      for (const model::Event& event : spans[i].events) {
        if (event.name == kChunk) times.push_back(event.time_ns);
      }
      for (std::size_t k = 1; k < times.size(); ++k) gaps.push_back(times[k] - times[k - 1]);
      const auto stream = StreamOf(batch.MakeSpan(i));
      ASSERT_EQ(stream.has_value(), !times.empty()) << "seed " << seed;
      if (!stream) continue;
      ASSERT_EQ(stream->chunks, static_cast<std::int64_t>(times.size()));
      ASSERT_EQ(stream->first_ns, times.front() - spans[i].start_ns);
      std::array<std::uint32_t, kGapBuckets> buckets{};
      for (const std::int64_t gap : gaps) {
        std::size_t bucket = 0;
        while (bucket + 1 < kGapBuckets && GapBucketBeginNs(bucket + 1) <= gap) ++bucket;
        ++buckets[bucket];
      }
      ASSERT_EQ(stream->gaps, buckets) << "seed " << seed;
      std::sort(gaps.begin(), gaps.end());
      if (gaps.empty()) continue;
      const auto at_rank = [&](double share) {
        return gaps[static_cast<std::size_t>(std::ceil(share * static_cast<double>(gaps.size())) -
                                             1)];
      };
      ASSERT_EQ(stream->gap_p50_ns, at_rank(0.5));
      ASSERT_EQ(stream->gap_p95_ns, at_rank(0.95));
      const std::int64_t limit = std::max<std::int64_t>(500 * kMs, 5 * at_rank(0.5));
      ASSERT_EQ(stream->stalls,
                std::count_if(gaps.begin(), gaps.end(), [&](auto gap) { return gap > limit; }));
    }
  }
}

}  // namespace
}  // namespace fluoro::genai
