// Sums by minute inside blocks: where they come from, and what is left when they are damaged.
#include <gtest/gtest.h>

#include "rollup/testing.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/rollup_section.h"
#include "store/embedded/sums_store_for_test.h"

namespace fluoro::store {
namespace {

using rollup::kMinuteNs;
using rollup::Rollup;
using rollup::RollupWindow;
using testing::DecodeSums;
using testing::EncodedSums;
using testing::EncodeSums;
using testing::MakeTraceId;

Rollup RandomRollup(Rng& rng, std::int64_t minutes) {
  Rollup rollup(kMinuteNs);
  rollup::KeyTable keys;
  Rollup::Sink sink(rollup, keys);
  for (std::uint64_t i = 1 + rng.Below(30); i > 0; --i) {
    sink.set_sign(rng.Chance(0.1) ? -1 : 1);
    auto trace = std::make_shared<model::Trace>();
    trace->spans = rollup::testing::RandomGraphTrace(rng, MakeTraceId(1), {.minutes = minutes});
    model::Deduplicate(trace->spans);
    rollup::SampleTrace(model::Assemble(std::move(trace)), keys, sink);
  }
  return rollup;
}

TEST(RollupSection, GivesBackWhatWentIn) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const Rollup rollup = RandomRollup(rng, rng.Chance(0.3) ? 10'000 : 3);
    const EncodedSums encoded = EncodeSums(rollup);
    const auto table = DecodeMinuteTable<Rollup>(encoded.header);
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(table->first_ns, rollup.first_ns());
    EXPECT_EQ(table->last_ns, rollup.last_ns());
    Rollup total(0);
    total.Merge(rollup);
    EXPECT_EQ(rollup::testing::Print(table->total), rollup::testing::Print(total));
    ASSERT_EQ(table->chunks.size(), encoded.chunks.size());
    const RollupWindow window{.from_ns = rollup::testing::TraceShape().from_ns + kMinuteNs};
    for (const RollupWindow& minutes : {RollupWindow{}, window}) {
      Rollup wanted(kMinuteNs);
      wanted.Merge(rollup, minutes);
      ASSERT_EQ(rollup::testing::Print(DecodeSums(encoded, *table, minutes)),
                rollup::testing::Print(wanted))
          << "seed " << seed;
    }
  }
}

TEST(RollupSection, RefusesEveryCut) {
  Rng rng(5);
  const EncodedSums encoded = EncodeSums(RandomRollup(rng, 3));
  for (std::size_t bytes = 0; bytes < encoded.header.size(); ++bytes)
    EXPECT_FALSE(DecodeMinuteTable<Rollup>(std::string_view(encoded.header).substr(0, bytes)));
  const auto table = DecodeMinuteTable<Rollup>(encoded.header);
  for (std::size_t bytes = 0; bytes < encoded.chunks[0].size(); ++bytes) {
    Rollup to(kMinuteNs);
    std::vector<std::uint32_t> numbers;
    EXPECT_FALSE(AddMinuteChunk(std::string_view(encoded.chunks[0]).substr(0, bytes), *table, 0, {},
                                numbers, to));
  }
}

// Beyond as many as a reader takes: the rest is summed as other, and what was written is readable.
TEST(RollupSection, SeriesWithoutEndAreSummedAsOther) {
  Rollup rollup(kMinuteNs, {.series_per_period_max = SIZE_MAX});
  for (std::size_t i = 0; i < kMinuteSeriesMax + 10; ++i) {
    const rollup::KeyId key = rollup.keys().Find(
        model::ServiceKey{.name = std::to_string(i), .type = {}, .account_id = {}});
    rollup.At(0, rollup.FindSeries({.to = key})).seen = 1;
  }
  const auto table = DecodeMinuteTable<Rollup>(EncodeSums(rollup).header);
  ASSERT_TRUE(table) << table.error().message;
  std::size_t seen = 0;
  for (const Rollup::Row& row : table->total.Rows())
    seen += static_cast<std::size_t>(row.cell->seen);
  EXPECT_EQ(seen, kMinuteSeriesMax + 10);
}

class RollupStoreTest : public testing::SumsStoreTest {
 protected:
  void Append(std::uint64_t trace, std::uint64_t spans) {
    std::vector<model::Span> made;
    for (; spans > 0; --spans) {
      made.push_back(
          rollup::testing::RandomGraphSpan(rng_, MakeTraceId(trace), 1 + rng_.Below(12)));
    }
    AppendSpans(made);
  }
  [[nodiscard]] std::map<std::string, std::string> Naive(const RollupWindow& window = {}) const {
    Rollup naive(0);
    rollup::KeyTable keys;
    Rollup::Sink sink(naive, keys);
    sink.set_windows({&window, 1});
    for (const model::TraceId& id : model_.Ids()) {
      auto trace = std::make_shared<model::Trace>();
      trace->id = id;
      trace->spans = model_.Trace(id);
      rollup::SampleTrace(model::Assemble(std::move(trace)), keys, sink);
    }
    return rollup::testing::Print(naive, {.extent = false});
  }
  static std::map<std::string, std::string> Print(const Result<GraphResult>& result) {
    EXPECT_TRUE(result);
    return rollup::testing::Print(result->rollup, {.extent = false});
  }
};

TEST_F(RollupStoreTest, WholeMinutesComeFromSumsWithoutReadingSpans) {
  for (std::uint64_t trace = 0; trace < 30; ++trace) Append(trace, 6);
  ASSERT_TRUE(store_->SealAll());
  const auto all = store_->Graph({});
  EXPECT_EQ(Print(all), Naive());
  EXPECT_EQ(all->summed_blocks, 1U);
  EXPECT_EQ(all->spans_read, 0U);
  const std::int64_t minute = rollup::testing::TraceShape().from_ns + kMinuteNs;
  const auto one = store_->Graph({.from_ns = minute, .until_ns = minute + kMinuteNs});
  EXPECT_EQ(Print(one), Naive({.from_ns = minute, .until_ns = minute + kMinuteNs}));
  EXPECT_EQ(one->spans_read, 0U);
  const auto part = store_->Graph({.from_ns = minute + 7, .until_ns = minute + 3 * kMinuteNs});
  EXPECT_EQ(Print(part), Naive({.from_ns = minute + 7, .until_ns = minute + 3 * kMinuteNs}));
  EXPECT_GT(part->spans_read, 0U);
  const auto spans = store_->Graph({.from_spans = true});
  EXPECT_EQ(Print(spans), Naive());
  EXPECT_EQ(spans->summed_blocks, 0U);
}

TEST_F(RollupStoreTest, OfAKeyThatStandsTwiceTheFirstValueCountsWhereverItIsRead) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    model::Span& span =
        spans.emplace_back(rollup::testing::RandomGraphSpan(rng_, MakeTraceId(i % 4), i));
    span.kind = model::SpanKind::kClient;
    span.source = model::SpanSource::kOtlp;
    span.attributes.clear();
    span.parent_id = {};
    for (const std::string place : {"first-", "second-"}) {
      for (const char* const key : {"peer.service", "db.system", "db.name", "server.address"})
        span.attributes.push_back({key, {place + std::to_string(i % 3)}, {}});
    }
  }
  AppendSpans(spans);
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  EXPECT_EQ(Print(store_->Graph({.from_spans = true})), Naive());
}

TEST_F(RollupStoreTest, ColumnsTooLargeToKeepAreSummedFromRows) {
  constexpr std::size_t kNameBytes = 4'000;
  constexpr std::size_t kSpans = 200;
  static_assert(kNameBytes * kSpans > BlockWriter::kUsedColumnBytesMax);
  for (std::uint64_t i = 0; i < kSpans; ++i) {
    model::Span span = rollup::testing::RandomGraphSpan(rng_, MakeTraceId(i / 2), 1 + i % 2);
    span.name = std::to_string(i) + std::string(kNameBytes, 'n');
    AppendSpans({span});
  }
  ASSERT_TRUE(store_->SealAll());
  const auto graph = store_->Graph({});
  EXPECT_EQ(Print(graph), Naive());
  EXPECT_EQ(graph->summed_blocks, 1U);
  EXPECT_EQ(graph->spans_read, 0U);
  const auto block = OpenBlock(1);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(std::ranges::none_of(block->meta().sections, [](const Section& section) {
    return section.type == SectionType::kSummaries;
  }));
}

TEST_F(RollupStoreTest, PiecesOfTracesAddUpOverBlocksAndAfterAStart) {
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 10; ++i) Append(rng_.Below(8), 2);
    ASSERT_TRUE(store_->SealAll());
    const auto graph = store_->Graph({});
    ASSERT_EQ(Print(graph), Naive()) << "round " << round;
    EXPECT_EQ(graph->spans_read, 0U);
    if (round % 2 == 1) Open();
  }
}

TEST_F(RollupStoreTest, DeletedTracesStayCountedAndMergesKeepThem) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
    ASSERT_TRUE(store_->SealAll());
  }
  ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(3), MakeTraceId(4)}));
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  MergeBlocks(3);
  const auto merged = store_->Graph({});
  EXPECT_EQ(merged->summed_blocks, 1U);
  EXPECT_EQ(Print(merged), Naive());
}

TEST_F(RollupStoreTest, SumsOutliveTheirBlocksAndEveryStart) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 10; ++i) Append(static_cast<std::uint64_t>(round) * 10 + i, 3);
    ASSERT_TRUE(store_->SealAll());
    clock_.Advance(kNsPerSecond);
  }
  ASSERT_TRUE(store_->DropBefore(kNow + kNsPerSecond + 1));
  for (int start = 0; start < 3; ++start) {
    const auto graph = store_->Graph({});
    EXPECT_EQ(Print(graph), Naive());
    EXPECT_EQ(graph->summed_blocks, 3U);
    EXPECT_TRUE(VerifyFolder(fs_, "data")->ok());
    Open();
  }
  EXPECT_EQ(fs_.List("data/rollup")->size(), 2U);
  EXPECT_EQ(fs_.List("data/blocks")->size(), 1U);
  clock_.Advance(options_.rollup_retention_ns + kNsPerSecond);
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_TRUE(fs_.List("data/rollup")->empty());
  EXPECT_TRUE(store_->Graph({})->rollup.empty());
}

TEST_F(RollupStoreTest, WhatAStartSeesOfADropIsNotUndoneByALaterPowerLoss) {
  for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
  ASSERT_TRUE(store_->Close());
  store_.reset();
  const auto disk = fs_.Snapshot();
  const auto traces = [this] {
    std::size_t count = 0;
    EXPECT_TRUE(store_->Search({}, [&count](const Match&) { return ++count != 0; }));
    return count;
  };
  int gone = 0;
  bool done = false;
  for (std::uint64_t calls = 1; !done; ++calls) {
    fs_.Load(disk);
    Open();
    fs_.CrashAfter(calls);
    done = store_->DropBefore(INT64_MAX).has_value();
    fs_.CutPower();
    store_.reset();
    fs_.EndProcess();
    Open();
    const std::size_t seen = traces();
    gone += seen == 0 ? 1 : 0;
    EXPECT_EQ(Print(store_->Graph({})), Naive()) << calls;
    fs_.CutPower();
    store_.reset();
    fs_.Restart(PowerLoss::kDropAll, calls);
    Open();
    EXPECT_EQ(traces(), seen) << calls;
    EXPECT_EQ(Print(store_->Graph({})), Naive()) << calls;
  }
  EXPECT_GT(gone, 2);
}

TEST_F(RollupStoreTest, ABlockThatIsThereBesideItsSumsCountsOnce) {
  for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
  ASSERT_TRUE(store_->SealAll());
  const std::string path = PathOf(1);
  const std::string content = *ReadFile(fs_, path);
  ASSERT_TRUE(store_->DropBefore(INT64_MAX));
  store_.reset();
  {  // as if the power went before the file was gone
    const auto file = fs_.Open(path, Fs::OpenMode::kCreate);
    ASSERT_TRUE((*file)->WriteAt(0, content));
  }
  Open();
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  EXPECT_FALSE(fs_.Exists(path));
  // Its number is not given again.
  Append(50, 3);
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  EXPECT_FALSE(fs_.Exists(path));
}

TEST_F(RollupStoreTest, SumsOfBlocksWithoutTracesAreKept) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 4; ++i) Append(i, 3);
    ASSERT_TRUE(store_->SealAll());
  }
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(i)}));
  MergeBlocks(3);
  EXPECT_EQ(store_->GetUsage().spans, 0U);
  EXPECT_EQ(Print(store_->Graph({})), Naive());
  Open();
  EXPECT_EQ(Print(store_->Graph({})), Naive());
}

class DamagedRollupTest : public RollupStoreTest,
                          public ::testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, DamagedRollupTest, ::testing::Values(0U, 1U));

TEST_P(DamagedRollupTest, IsNamedAndTheSpansOfItsBlockTell) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
    ASSERT_TRUE(store_->SealAll());
  }
  for (const std::uint64_t block : {2U, 3U}) {
    Damage(block, SectionType::kRollup, GetParam());
    Open();
    for (const std::int64_t period_ns : {std::int64_t{0}, kMinuteNs}) {
      if (period_ns == 0 && GetParam() > 0) continue;  // the total needs no chunk
      const auto graph = store_->Graph({.period_ns = period_ns});
      ASSERT_TRUE(graph);
      EXPECT_EQ(graph->damaged.size(), block - 1);
      Rollup total(0);
      total.Merge(graph->rollup);
      EXPECT_EQ(rollup::testing::Print(total, {.extent = false}), Naive());
    }
    const auto report = VerifyFolder(fs_, "data");
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->ok());
  }
  // A merge does not carry it on.
  MergeBlocks(3);
  const auto graph = store_->Graph({.period_ns = kMinuteNs});
  EXPECT_TRUE(graph->damaged.empty());
  Rollup total(0);
  total.Merge(graph->rollup);
  EXPECT_EQ(rollup::testing::Print(total, {.extent = false}), Naive());
}

}  // namespace
}  // namespace fluoro::store
