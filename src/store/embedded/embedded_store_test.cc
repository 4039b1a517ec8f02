#include "store/embedded/embedded_store.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>

#include "base/memory_fs.h"
#include "store/embedded/block.h"
#include "store/embedded/store_fixture_for_test.h"
#include "store/trace_store_contract.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kNow = 1'700'010'000'000'000'000;

class EmbeddedHarness final : public StoreHarness {
 public:
  EmbeddedHarness() : fs_(std::make_unique<MemoryFs>()) { Open(); }
  /// On the operating system's files.
  explicit EmbeddedHarness(std::string folder) : fs_(MakePosixFs()), folder_(std::move(folder)) {
    Open();
  }
  ~EmbeddedHarness() override {
    store_.reset();
    if (folder_ != "data") std::filesystem::remove_all(folder_);
  }
  TraceStore& store() override { return *store_; }
  void Advance(std::int64_t ns) override { clock_.Advance(ns); }
  void Settle() override {
    ASSERT_TRUE(store_->SealAll());
    ASSERT_TRUE(store_->RunMaintenance());  // merges: the windows are short
  }
  void Reopen() override {
    store_.reset();
    Open();
  }
  [[nodiscard]] std::int64_t NowNs() const override { return clock_.UnixNs(); }

 private:
  void Open() {
    EmbeddedOptions options;
    options.folder = folder_;
    options.background_thread = false;
    options.wal_allocate_bytes = 4096;
    options.merge.window_ns[0] = 5 * kNsPerSecond;
    options.merge.window_ns[1] = 15 * kNsPerSecond;
    options.merge.fan_in = 3;
    options.merge.copy_spans =
        folder_ == "data" ? 4'096 : 2;  // rewrites in one, copies in the other
    auto opened = OpenEmbeddedStore(*fs_, clock_, metrics_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }
  std::unique_ptr<Fs> fs_;
  std::string folder_ = "data";
  ManualClock clock_{kNow};
  Metrics metrics_;
  std::unique_ptr<EmbeddedStore> store_;
};

class EmbeddedStoreTest : public StoreFixture {
 protected:
  EmbeddedStoreTest() : StoreFixture(kNow, 99) {}
  std::unique_ptr<EmbeddedStore> Open() { return OpenStore(); }
  std::vector<model::Span> Spans(std::uint64_t trace, std::size_t count) {
    return RandomSpans(MakeTraceId(trace), count);
  }
  static std::size_t Count(TraceStore& store, std::uint64_t trace) {
    const auto found = store.ReadTrace(MakeTraceId(trace));
    EXPECT_TRUE(found);
    return !found || !*found ? 0 : (*found)->spans.size();
  }
};

TEST_F(EmbeddedStoreTest, SealsTracesThatAreIdleOrOld) {
  const auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 2)), Durability::kSynced));
  clock_.Advance(5 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(fs_.List("data/blocks")->size(), 0U);
  clock_.Advance(5 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(fs_.List("data/blocks")->size(), 1U);
  EXPECT_EQ(store->GetUsage().head_bytes, 0U);
  for (int i = 0; i < 18; ++i) {  // never idle, but old in the end
    ASSERT_TRUE(store->Append(MakeBatch(Spans(2, 1)), Durability::kSynced));
    clock_.Advance(5 * kNsPerSecond);
    ASSERT_TRUE(store->RunMaintenance());
  }
  EXPECT_EQ(fs_.List("data/blocks")->size(), 2U);
  EXPECT_EQ(Count(*store, 2), 18U);
}

TEST_F(EmbeddedStoreTest, RetentionByAgeCountsFromArrival) {
  options_.retention_ns = 100 * kNsPerSecond;
  const auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 2)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  clock_.Advance(99 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(Count(*store, 1), 2U);
  clock_.Advance(2 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(Count(*store, 1), 0U);
  EXPECT_TRUE(fs_.List("data/blocks")->empty());
  EXPECT_TRUE(fs_.List("data/tmp")->empty());
}

TEST_F(EmbeddedStoreTest, RetentionByBytesDropsTheOldestButNeverTheNewest) {
  options_.retention_bytes = 40'000;
  options_.wal_file_bytes = 8'192;
  const auto store = Open();
  for (std::uint64_t trace = 1; trace <= 30; ++trace) {
    ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 20)), Durability::kSynced));
    clock_.Advance(kNsPerSecond);
    ASSERT_TRUE(store->SealAll());
    ASSERT_TRUE(store->RunMaintenance());
  }
  EXPECT_LE(store->GetUsage().disk_bytes, 60'000U);
  EXPECT_EQ(Count(*store, 1), 0U);
  EXPECT_EQ(Count(*store, 30), 20U);
}

TEST_F(EmbeddedStoreTest, OneProcessAFolder) {
  const auto store = Open();
  const auto second = OpenEmbeddedStore(fs_, clock_, metrics_, options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(EmbeddedStoreTest, NewerFormatIsRefusedAndADamagedOneIsNot) {
  Open().reset();
  std::string text = "fluoro-store 3";
  auto files = fs_.Snapshot();
  files["data/FORMAT"] = files["data/FORMAT"].substr(0, 13) + "9" + files["data/FORMAT"].substr(14);
  fs_.Load(files);
  auto store = Open();  // the sum says that a bit has flipped, not that a newer program was here
  ASSERT_TRUE(store);
  const auto result = store->Search({}, [](const Match&) { return true; });
  EXPECT_EQ(result->damaged.size(), 1U);
  store.reset();
  {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
    files["data/FORMAT"] = text + " " + digits + "\n";
  }
  fs_.Load(files);
  const auto newer = OpenEmbeddedStore(fs_, clock_, metrics_, options_);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
}

TEST_F(EmbeddedStoreTest, ReadersWithoutALockSeeHeadAndBlocks) {
  const auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 2)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 3)), Durability::kSynced));
  ASSERT_TRUE(store->Append(MakeBatch(Spans(2, 4)), Durability::kSynced));
  ASSERT_TRUE(store->Append(MakeBatch(Spans(3, 1)), Durability::kSynced));
  ASSERT_TRUE(store->Delete(std::vector{MakeTraceId(3)}));
  const std::uint64_t changes = fs_.changes();
  options_.read_only = true;
  const auto reader = Open();
  EXPECT_EQ(Count(*reader, 1), 5U);
  EXPECT_EQ(Count(*reader, 2), 4U);
  EXPECT_EQ(Count(*reader, 3), 0U);
  EXPECT_EQ(reader->Append(MakeBatch(Spans(4, 1)), Durability::kSynced).error().code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(fs_.changes(), changes);
  options_.folder = "nothing";
  EXPECT_EQ(OpenEmbeddedStore(fs_, clock_, metrics_, options_).error().code, ErrorCode::kNotFound);
}

TEST_F(EmbeddedStoreTest, RefusesWhatMemoryCannotHoldAndTakesItAfterASeal) {
  options_.memory_bytes = 1 << 20;  // 256 KiB of head
  const auto store = Open();
  std::uint64_t accepted = 0;
  Result<void> last;
  while (accepted < 10'000) {
    last = store->Append(MakeBatch(Spans(accepted, 5)), Durability::kSynced);
    if (!last) break;
    ++accepted;
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kUnavailable);
  EXPECT_LE(store->GetUsage().head_bytes, (1U << 18) / 10 * 9);
  // Maintenance seals the oldest although nothing is idle.
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_LE(store->GetUsage().head_bytes, 1U << 17);
  EXPECT_TRUE(store->Append(MakeBatch(Spans(20'000, 5)), Durability::kSynced));
  for (std::uint64_t trace = 0; trace < accepted; ++trace) EXPECT_EQ(Count(*store, trace), 5U);
  const auto huge = store->Append(MakeBatch(Spans(1, 3'000)), Durability::kSynced);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kTooLarge);
}

TEST_F(EmbeddedStoreTest, WhoSendsMoreThanCanBeSealedIsHeldUpRatherThanRefused) {
  constexpr std::uint64_t kWriters = 4;
  constexpr std::uint64_t kEach = 150;
  options_.memory_bytes = 1 << 20;  // 256 KiB of head
  options_.background_thread = true;
  const auto store = Open();
  std::vector<std::vector<model::SpanBatch>> batches(kWriters);
  for (std::uint64_t i = 0; i < kWriters * kEach; ++i)
    batches[i % kWriters].push_back(MakeBatch(Spans(i, 5)));
  std::atomic<std::uint64_t> refused = 0;
  {
    std::vector<std::jthread> writers;
    for (auto& mine : batches) {
      writers.emplace_back([&] {
        for (model::SpanBatch& batch : mine) {
          if (!store->Append(std::move(batch), Durability::kSynced)) ++refused;
        }
      });
    }
  }
  ASSERT_EQ(refused, 0U);
  EXPECT_LE(store->GetUsage().head_bytes, (1U << 18) / 10 * 9);
  for (std::uint64_t trace = 0; trace < kWriters * kEach; ++trace)
    EXPECT_EQ(Count(*store, trace), 5U);
}

TEST_F(EmbeddedStoreTest, ReplaysALogLargerThanMemory) {
  {
    const auto store = Open();
    for (std::uint64_t trace = 0; trace < 400; ++trace) {
      ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 20)), Durability::kSynced));
    }
    fs_.CrashAfter(1);
  }
  fs_.Restart(PowerLoss::kKeepAll, 1);
  options_.memory_bytes = 2 << 20;  // 512 KiB of head
  const auto store = Open();
  EXPECT_LE(store->GetUsage().head_bytes, std::uint64_t{512} << 10);
  EXPECT_GT(fs_.List("data/blocks")->size(), 3U);
  for (std::uint64_t trace = 0; trace < 400; ++trace) EXPECT_EQ(Count(*store, trace), 20U);
}

TEST_F(EmbeddedStoreTest, DuplicatesAndDisorderAreStoredOnce) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    options_.folder = "data" + std::to_string(seed);
    Rng rng(seed);
    const auto store = Open();
    auto complete = Spans(1, 6);
    for (auto& span : complete) {
      span.flags = 0;
      span.document.clear();
    }
    std::vector<std::vector<model::Span>> sends;
    for (const model::Span& span : complete) {
      auto begun = span;
      begun.flags = model::SpanFlag::kInProgress;
      begun.end_ns = begun.start_ns;
      sends.push_back({begun});
      for (std::uint64_t i = 1 + rng.Below(5); i > 0; --i) sends.push_back({span});
    }
    for (std::size_t i = sends.size(); i > 1; --i) std::swap(sends[i - 1], sends[rng.Below(i)]);
    for (const auto& spans : sends) {
      ASSERT_TRUE(store->Append(MakeBatch(spans), Durability::kSynced));
      clock_.Advance(static_cast<std::int64_t>(rng.Below(4)) * 3'600 * kNsPerSecond);
      if (rng.Chance(0.3)) {
        ASSERT_TRUE(store->SealAll());
      }
    }
    auto held = (*store->ReadTrace(MakeTraceId(1)))->spans;
    std::sort(held.begin(), held.end(),
              [](const auto& a, const auto& b) { return a.span_id < b.span_id; });
    EXPECT_EQ(held, complete) << seed;
  }
}

TEST_F(EmbeddedStoreTest, ATraceTooLargeForOneQuestionIsReadInPartsThatMakeItWhole) {
  options_.memory_bytes = std::uint64_t{4} << 20;
  Rng rng(17);
  std::vector<model::Span> sent;
  const auto store = Open();
  for (int round = 0; round < 30; ++round) {
    std::vector<model::Span> batch = Spans(1, 60);
    for (std::size_t i = 1; i < batch.size(); ++i) {
      if (!rng.Chance(0.7)) continue;  // an embedded subsegment of the span before
      batch[i].flags = model::SpanFlag::kSubsegment;
      batch[i].parent_id = batch[i - 1].span_id;
    }
    batch[0].flags = 0;
    if (round % 3 == 1) batch.insert(batch.begin(), sent.begin(), sent.begin() + 20);
    ASSERT_TRUE(store->Append(MakeBatch(batch), Durability::kSynced));
    if (round % 4 == 3) {
      ASSERT_TRUE(store->SealAll());
    }
    sent.insert(sent.end(), batch.begin(), batch.end());
  }
  model::Deduplicate(sent);
  std::vector<model::Span> got;
  std::size_t parts = 0;
  for (bool more = true; more; ++parts) {
    const auto part = store->ReadTrace(MakeTraceId(1), got.size());
    ASSERT_TRUE(part);
    ASSERT_FALSE((*part)->spans.empty());
    EXPECT_EQ((*part)->spans_before, got.size());
    EXPECT_EQ((*part)->TotalSpans(), sent.size());
    got.insert(got.end(), (*part)->spans.begin(), (*part)->spans.end());
    more = (*part)->spans_after > 0;
    if (more) {
      const model::Span& next = sent[got.size()];
      EXPECT_FALSE(next.Has(model::SpanFlag::kSubsegment))
          << "a document is torn at " << got.size();
    }
  }
  EXPECT_GT(parts, 2U);
  EXPECT_EQ(got, sent);
}

TEST_F(EmbeddedStoreTest, ASearchJudgesATraceThatIsTooLargeByItsFirstPartAndSaysSo) {
  options_.memory_bytes = std::uint64_t{4} << 20;
  const auto store = Open();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 100)), Durability::kSynced));
    ASSERT_TRUE(store->SealAll());  // the head is as small as the rest
  }
  ASSERT_TRUE(store->Append(MakeBatch(Spans(2, 3)), Durability::kSynced));
  std::map<model::TraceId, bool> is_part;
  const auto found = store->Search({}, [&](const Match& match) {
    is_part[match.trace.trace->id] = match.trace.trace->IsPart();
    return true;
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->cut_traces, 1U);
  EXPECT_TRUE(is_part.at(MakeTraceId(1)));
  EXPECT_FALSE(is_part.at(MakeTraceId(2)));
}

// Seals 40 blocks over 40 s: every third span goes to a trace that has spans in many blocks. The
// parameter: from how many spans on row groups are copied.
class MergeTest : public EmbeddedStoreTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  MergeTest() {
    options_.merge.window_ns[0] = 10 * kNsPerSecond;
    options_.merge.window_ns[1] = 40 * kNsPerSecond;
    options_.merge.copy_spans = GetParam();
  }
  void Fill(EmbeddedStore& store) {
    for (std::uint64_t block = 0; block < 40; ++block) {
      std::vector<model::Span> spans;
      for (const std::uint64_t trace : {block % 7, 100 + block, 200 + block}) {
        spans.push_back(RandomSpan(rng_, MakeTraceId(trace), ++number_));
        spans.back().flags = 0;
      }
      ASSERT_TRUE(store.Append(MakeBatch(spans), Durability::kSynced));
      for (auto& span : spans) sent_[span.trace_id].push_back(std::move(span));
      ASSERT_TRUE(store.SealAll());
      clock_.Advance(kNsPerSecond);
    }
  }
  void ExpectAll(EmbeddedStore& store) {
    std::size_t seen = 0;
    const auto found = store.Search({}, [&](const Match& match) {
      const auto at = sent_.find(match.trace.trace->id);
      EXPECT_TRUE(at != sent_.end() && match.trace.trace->spans == at->second);
      ++seen;
      return true;
    });
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->damaged.empty());
    EXPECT_EQ(seen, sent_.size());
  }
  std::vector<std::string> Blocks() {
    std::vector<std::string> blocks;
    const auto names = fs_.List("data/blocks");
    for (const std::string& name : *names) {
      if (name.ends_with(".flb")) blocks.push_back(name);
    }
    return blocks;
  }
  void Delete(EmbeddedStore& store, std::uint64_t trace) {
    ASSERT_TRUE(store.Delete(std::vector{MakeTraceId(trace)}));
    sent_.erase(MakeTraceId(trace));
  }
  std::map<model::TraceId, std::vector<model::Span>> sent_;
};

INSTANTIATE_TEST_SUITE_P(CopySpans, MergeTest, ::testing::Values(1, 3, 20, 4'096));

TEST_P(MergeTest, JoinsTheBlocksOfAWindowAndKeepsWhatTheyHold) {
  {
    const auto store = Open();
    Fill(*store);
    EXPECT_EQ(Blocks().size(), 40U);
    Delete(*store, 3);
    Delete(*store, 105);
    const auto before = store->GetUsage();
    ASSERT_TRUE(store->RunMaintenance());
    EXPECT_LE(Blocks().size(), 5U);
    ExpectAll(*store);
    const auto after = store->GetUsage();
    EXPECT_EQ(after.spans, before.spans);
    EXPECT_LT(after.disk_bytes, before.disk_bytes);
    for (const std::string& name : Blocks()) {
      std::uint64_t id = 0;
      ASSERT_TRUE(ParseBlockFileName(name, id));
      BlockCache cache(metrics_, "test", 1'000'000);
      const auto block = Block::Open(fs_, cache, "data/blocks/" + name, id);
      ASSERT_TRUE(block);
      const BlockMeta& meta = (*block)->meta();
      if (meta.level == 0) continue;
      // Each input's own, or all together.
      if (GetParam() != 20) {
        EXPECT_EQ(meta.row_groups.size() > 1, GetParam() <= 3) << name;
      }
    }
    // Each level's window is over: one block of both.
    clock_.Advance(100 * kNsPerSecond);
    ASSERT_TRUE(store->RunMaintenance());
    EXPECT_LE(Blocks().size(), 2U);
    ExpectAll(*store);
    Delete(*store, 4);
    ExpectAll(*store);
  }
  const auto again = Open();  // its log holds rows that are in merged blocks
  ExpectAll(*again);
  const auto report = VerifyFolder(fs_, "data");
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->ok());
}

TEST_P(MergeTest, WhatWasSealedIsCompressedByItsFirstMergeThoughItIsAlone) {
  const auto store = Open();
  std::vector<model::Span> spans;
  for (std::uint64_t i = 1; i <= 2'000; ++i) {
    model::Span& span = spans.emplace_back(RandomSpan(rng_, MakeTraceId(1), i));
    span.start_ns = clock_.UnixNs();
    span.end_ns = span.start_ns + static_cast<std::int64_t>(i);
  }
  sent_[MakeTraceId(1)] = spans;
  ASSERT_TRUE(store->Append(MakeBatch(spans), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  const auto meta = [&] {
    EXPECT_EQ(Blocks().size(), 1U);
    std::uint64_t id = 0;
    EXPECT_TRUE(ParseBlockFileName(Blocks().front(), id));
    BlockCache cache(metrics_, "test", 1'000'000);
    return (*Block::Open(fs_, cache, "data/blocks/" + Blocks().front(), id))->meta();
  };
  const auto is_compressed = [](const Section& section) {
    return section.codec == SectionCodec::kZstd;
  };
  EXPECT_TRUE(std::ranges::none_of(meta().sections, is_compressed));
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(meta().level, 0U);  // more may come in its window
  const std::uint64_t sealed_bytes = store->GetUsage().disk_bytes;
  clock_.Advance(20 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(meta().level, 1U);
  EXPECT_TRUE(std::ranges::any_of(meta().sections, is_compressed));
  EXPECT_LT(store->GetUsage().disk_bytes, sealed_bytes);
  ExpectAll(*store);
}

TEST_P(MergeTest, AnInputWhoseFileStaysIsNoPartOfTheStoreAnyMore) {
  std::string name;
  std::string content;
  {
    const auto store = Open();
    Fill(*store);
    name = "data/blocks/" + Blocks()[3];
    content = *ReadFile(fs_, name);
    ASSERT_TRUE(store->RunMaintenance());
    clock_.Advance(100 * kNsPerSecond);
    ASSERT_TRUE(store->RunMaintenance());  // merged twice: no block names it as its direct input
    Delete(*store, 103);
  }
  {
    const auto file = *fs_.Open(name, Fs::OpenMode::kCreate);
    ASSERT_TRUE(file->WriteAt(0, content));
    ASSERT_TRUE(file->Sync());
    ASSERT_TRUE(fs_.SyncDir("data/blocks"));
  }
  const auto again = Open();
  ExpectAll(*again);
  EXPECT_FALSE(fs_.Exists(name));
}

TEST_P(MergeTest, ABlockThatCannotBeReadLeavesTheOthersAlone) {
  const auto store = Open();
  Fill(*store);
  const std::string victim = "data/blocks/" + Blocks()[12];
  std::string content = *ReadFile(fs_, victim);
  content[100] = static_cast<char>(content[100] ^ 1);  // in the first column
  {
    const auto file = *fs_.Open(victim, Fs::OpenMode::kReadWrite);
    ASSERT_TRUE(file->WriteAt(0, content));
    ASSERT_TRUE(file->Sync());
  }
  EXPECT_FALSE(store->RunMaintenance());
  for (int i = 0; i < 5 && !store->RunMaintenance(); ++i) {
  }
  EXPECT_TRUE(fs_.Exists(victim));
  EXPECT_LT(Blocks().size(), 20U) << "other windows are merged";
  std::size_t whole = 0;
  const auto found = store->Search({}, [&](const Match& match) {
    whole += match.trace.trace->spans == sent_.at(match.trace.trace->id) ? 1U : 0U;
    return true;
  });
  ASSERT_TRUE(found);
  EXPECT_GE(whole, sent_.size() - 3);
  EXPECT_FALSE(found->damaged.empty());
}

TEST_P(MergeTest, ATraceDeletedWhileItsBlocksAreMergedStaysAway) {
  const auto store = Open();
  Fill(*store);
  // Deletes between planning and commit: each time the merge opens a block's file, one more goes.
  std::jthread deleter([&] {
    for (const std::uint64_t trace : {0U, 1U, 2U, 110U, 111U, 112U}) {
      EXPECT_TRUE(store->Delete(std::vector{MakeTraceId(trace)}));
    }
  });
  ASSERT_TRUE(store->RunMaintenance());
  deleter.join();
  for (const std::uint64_t trace : {0U, 1U, 2U, 110U, 111U, 112U}) {
    sent_.erase(MakeTraceId(trace));
  }
  ExpectAll(*store);
  ASSERT_TRUE(store->RunMaintenance());
  ExpectAll(*store);
}

TEST_F(EmbeddedStoreTest, AFullDiskRefusesAppendsAndServesReadsUntilSpaceReturns) {
  const auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  std::uint64_t used = 0;
  for (const auto& [path, content] : fs_.Snapshot()) used += content.size();
  fs_.SetCapacity(used + 20'000);
  std::uint64_t accepted = 1;
  Result<void> last;
  while (accepted < 1'000) {
    last = store->Append(MakeBatch(Spans(accepted + 1, 5)), Durability::kSynced);
    if (!last) break;
    ++accepted;
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(store->Append(MakeBatch(Spans(900, 5)), Durability::kSynced).error().code,
            ErrorCode::kNoSpace);
  for (std::uint64_t trace = 1; trace <= accepted; ++trace) EXPECT_EQ(Count(*store, trace), 5U);
  EXPECT_FALSE(store->SealAll());
  fs_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(store->Append(MakeBatch(Spans(901, 5)), Durability::kSynced));
  EXPECT_TRUE(store->SealAll());
  for (std::uint64_t trace = 1; trace <= accepted; ++trace) EXPECT_EQ(Count(*store, trace), 5U);
  EXPECT_EQ(Count(*store, 901), 5U);
}

TEST_F(EmbeddedStoreTest, AfterAFailedSyncANewFileTakesOver) {
  auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kSynced));
  const auto before = *fs_.List("data/wal");
  fs_.FailSync(1);
  const auto refused = store->Append(MakeBatch(Spans(2, 5)), Durability::kSynced);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  ASSERT_TRUE(store->Append(MakeBatch(Spans(3, 5)), Durability::kSynced));
  const auto after = *fs_.List("data/wal");
  EXPECT_EQ(after.size(), before.size() + 1);
  EXPECT_EQ(metrics_.GetCounter("fluoro_store_fsync_failures_total", "").value(), 1);
  fs_.CrashAfter(1);
  store.reset();
  fs_.Restart(PowerLoss::kDropAll, 1);
  store = Open();
  EXPECT_EQ(Count(*store, 1), 5U);
  EXPECT_EQ(Count(*store, 3), 5U);
}

// The file whose sync failed is damaged where a record stood that was written anew in the next one,
// and replay has to seal on its way.
TEST_F(EmbeddedStoreTest, CopiesOfOlderRecordsAreWaitedForBeforeReplaySeals) {
  options_.memory_bytes = 400'000;
  auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kSynced));
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kSynced));
  std::uint64_t traces = 1;
  for (; store->GetUsage().head_bytes < 60'000; ++traces)
    ASSERT_TRUE(store->Append(MakeBatch(Spans(traces + 1, 5)), Durability::kSynced));
  fs_.FailSync(1);
  ASSERT_FALSE(store->Append(MakeBatch(Spans(100, 5)), Durability::kSynced));
  ASSERT_TRUE(store->Append(MakeBatch(Spans(101, 5)), Durability::kSynced));
  std::vector<std::size_t> counts;
  for (std::uint64_t trace = 1; trace <= traces; ++trace) counts.push_back(Count(*store, trace));
  fs_.CrashAfter(1);
  store.reset();
  fs_.Restart(PowerLoss::kDropAll, 1);
  fs_.FlipBit("data/wal/" + WalFileName(1), (kWalHeaderBytes + kFrameHeaderBytes + 20) * 8);
  clock_.Advance(100 * kNsPerSecond);
  options_.memory_bytes = 200'000;
  store = Open();
  store.reset();
  options_.memory_bytes = 400'000;  // enough to read a trace at once
  store = Open();
  for (std::uint64_t trace = 1; trace <= traces; ++trace)
    EXPECT_EQ(Count(*store, trace), counts[trace - 1]) << trace;
}

TEST_F(EmbeddedStoreTest, LogFilesGoWhenTheirBatchesAreSealed) {
  options_.wal_file_bytes = 8'192;
  const auto store = Open();
  for (std::uint64_t trace = 0; trace < 40; ++trace) {
    ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 10)), Durability::kSynced));
  }
  EXPECT_GT(fs_.List("data/wal")->size(), 3U);
  ASSERT_TRUE(store->SealAll());
  EXPECT_EQ(fs_.List("data/wal")->size(), 1U);
}

// While the disk does not answer, what waits for it is bounded, and the rest is told to try again.
TEST_F(EmbeddedStoreTest, ASlowDiskPushesBackAndLosesNothing) {
  constexpr std::uint64_t kWriters = 150;
  options_.memory_bytes = 1 << 20;  // 256 KiB of head
  auto store = Open();
  std::atomic<bool> hangs = true;
  fs_.BeforeSync([&hangs](std::string_view path) {
    if (path.starts_with("data/wal/")) hangs.wait(true);
  });
  std::atomic<std::uint64_t> refused = 0;
  std::vector<Result<void>> answers(kWriters);
  std::vector<model::SpanBatch> batches;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer)
    batches.push_back(MakeBatch(Spans(writer, 10)));
  {
    std::vector<std::jthread> writers;
    for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        answers[writer] = store->Append(batches[writer], Durability::kSynced);
        if (answers[writer]) return;
        ++refused;
        refused.notify_all();
      });
    }
    refused.wait(0);
    hangs = false;
    hangs.notify_all();
  }
  fs_.BeforeSync({});
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    EXPECT_EQ(Count(*store, writer), answers[writer] ? 10U : 0U) << writer;
    if (!answers[writer]) {
      EXPECT_EQ(answers[writer].error().code, ErrorCode::kUnavailable);
    }
  }
  EXPECT_LT(refused, kWriters);
  EXPECT_TRUE(store->SealAll());
  EXPECT_TRUE(store->Append(MakeBatch(Spans(1'000, 10)), Durability::kSynced));
}

TEST_F(EmbeddedStoreTest, ALogFileThatIsFilledWhileOldOnesGoIsNotTakenForOne) {
  options_.wal_file_bytes = 8'192;
  auto store = Open();
  for (std::uint64_t trace = 0; trace < 40; ++trace)
    ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 10)), Durability::kSynced));
  bool is_appended = false;
  fs_.BeforeRemove([&](std::string_view path) {
    if (!path.starts_with("data/wal/") || std::exchange(is_appended, true)) return;
    for (std::uint64_t trace = 100; trace < 140; ++trace)
      ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 10)), Durability::kSynced));
  });
  ASSERT_TRUE(store->SealAll());
  ASSERT_TRUE(is_appended);
  fs_.BeforeRemove({});
  fs_.CutPower();
  store.reset();
  fs_.Restart(PowerLoss::kDropAll, 1);
  store = Open();
  for (std::uint64_t trace = 0; trace < 40; ++trace) EXPECT_EQ(Count(*store, trace), 10U);
  for (std::uint64_t trace = 100; trace < 140; ++trace) EXPECT_EQ(Count(*store, trace), 10U);
}

TEST_F(EmbeddedStoreTest, ALogFileThatCannotBeRemovedLeavesNoGapBehind) {
  options_.wal_file_bytes = 8'192;
  for (std::uint64_t call = 1; call <= 12; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    fs_.Load({});
    auto store = Open();
    for (std::uint64_t trace = 0; trace < 40; ++trace)
      ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 10)), Durability::kSynced));
    fs_.FailChange(call, FaultyFs::Fault::kIo, false);
    (void)store->SealAll();  // fails with the writes of the block, not with those after it
    fs_.CrashAfter(1);
    store.reset();
    fs_.Restart(PowerLoss::kKeepAll, 1);
    store = Open();
    EXPECT_EQ(metrics_.GetGauge("fluoro_store_damaged", "").value(), 0);
    ASSERT_TRUE(store->SealAll());
    EXPECT_EQ(fs_.List("data/wal")->size(), 1U);
    for (std::uint64_t trace = 0; trace < 40; ++trace) EXPECT_EQ(Count(*store, trace), 10U);
  }
}

TEST_F(EmbeddedStoreTest, DeletedTracesStayAwayWhicheverWriteOfTheirListFails) {
  options_.wal_file_bytes = 16'384;
  std::size_t lists_that_lagged = 0;
  for (const bool deletes_more : {false, true}) {
    for (std::uint64_t call = 1; call <= 16; ++call) {
      SCOPED_TRACE("call " + std::to_string(call) + (deletes_more ? ", two deletes" : ""));
      fs_.Load({});
      auto store = Open();
      for (std::uint64_t trace = 1; trace <= 3; ++trace)
        ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 5)), Durability::kSynced));
      ASSERT_TRUE(store->SealAll());
      fs_.FailChange(call, FaultyFs::Fault::kIo, true);
      const bool deleted = store->Delete(std::vector{MakeTraceId(1)}).has_value();
      const bool lags = deleted && !store->RunMaintenance();
      fs_.ClearFaults();
      if (lags) ++lists_that_lagged;
      if (deletes_more) {
        ASSERT_TRUE(store->Delete(std::vector{MakeTraceId(2)}));
      }
      ASSERT_TRUE(store->RunMaintenance());
      // The log files with the tombstones go.
      for (std::uint64_t trace = 10; trace < 30; ++trace)
        ASSERT_TRUE(store->Append(MakeBatch(Spans(trace, 10)), Durability::kSynced));
      ASSERT_TRUE(store->SealAll());
      EXPECT_EQ(fs_.List("data/wal")->size(), 1U);
      store.reset();
      store = Open();
      if (deleted) {
        EXPECT_EQ(Count(*store, 1), 0U);
      }
      EXPECT_EQ(Count(*store, 2), deletes_more ? 0U : 5U);
      EXPECT_EQ(Count(*store, 3), 5U);
    }
  }
  EXPECT_GE(lists_that_lagged, 4U);
}

TEST_F(EmbeddedStoreTest, RetentionFreesSpaceThoughADeletionListCannotBeWritten) {
  options_.retention_ns = 3'600 * kNsPerSecond;  // what is younger than two hours does not go early
  const auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 500)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  clock_.Advance(options_.retention_ns / 2);
  ASSERT_TRUE(store->Append(MakeBatch(Spans(2, 5)), Durability::kSynced));
  ASSERT_TRUE(store->Append(MakeBatch(Spans(3, 5)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  std::uint64_t used = 0;
  for (const auto& [path, content] : fs_.Snapshot()) used += content.size();
  // The tombstone fits into what the log has allocated, the list is one byte too long.
  fs_.SetCapacity(used);
  ASSERT_TRUE(store->Delete(std::vector{MakeTraceId(2)}));
  EXPECT_FALSE(store->RunMaintenance());
  clock_.Advance(options_.retention_ns / 2 + 1);
  EXPECT_FALSE(store->RunMaintenance()) << "the list is written before space is free";
  EXPECT_EQ(Count(*store, 1), 0U);
  EXPECT_TRUE(store->RunMaintenance());
  EXPECT_EQ(Count(*store, 2), 0U);
  EXPECT_EQ(Count(*store, 3), 5U);
}

TEST_F(EmbeddedStoreTest, WrittenIsSyncedByClosingAtTheLatest) {
  options_.sync = SyncPolicy::kInterval;
  {
    const auto store = Open();
    ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kWritten));
    EXPECT_EQ(Count(*store, 1), 5U);
    ASSERT_TRUE(store->Close());
  }
  fs_.Restart(PowerLoss::kDropAll, 1);
  EXPECT_EQ(Count(*Open(), 1), 5U);
}

TEST_F(EmbeddedStoreTest, AppendsReadsSealsAndDeletesRunTogether) {
  options_.background_thread = true;
  options_.seal_idle_ns = 0;
  const auto store = Open();
  std::vector<std::vector<model::SpanBatch>> work(3);
  for (std::size_t thread = 0; thread < work.size(); ++thread) {
    for (std::uint64_t i = 0; i < 60; ++i)
      work[thread].push_back(MakeBatch(Spans(thread * 100 + i % 20, 4)));
  }
  std::atomic<bool> done = false;
  std::vector<std::jthread> threads;
  for (auto& batches : work) {
    threads.emplace_back([&] {
      for (auto& batch : batches) EXPECT_TRUE(store->Append(std::move(batch), Durability::kSynced));
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(store->RunMaintenance());
      EXPECT_TRUE(store->Delete(std::vector{MakeTraceId(static_cast<std::uint64_t>(900 + i))}));
    }
  });
  std::jthread reader([&] {
    while (!done) {
      std::set<model::TraceId> seen;
      const auto result = store->Search({}, [&](const Match& match) {
        EXPECT_TRUE(seen.insert(match.trace.trace->id).second);
        return true;
      });
      EXPECT_TRUE(result && result->damaged.empty());
      EXPECT_TRUE(store->Services(10));
      (void)store->GetUsage();
    }
  });
  threads.clear();
  done = true;
  reader.join();
  for (std::size_t thread = 0; thread < work.size(); ++thread) {
    for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(Count(*store, thread * 100 + i), 12U);
  }
}

TEST_F(EmbeddedStoreTest, VerifyNamesTheDamagedFile) {
  auto store = Open();
  ASSERT_TRUE(store->Append(MakeBatch(Spans(1, 5)), Durability::kSynced));
  ASSERT_TRUE(store->SealAll());
  ASSERT_TRUE(store->Append(MakeBatch(Spans(2, 5)), Durability::kSynced));
  store.reset();
  auto report = VerifyFolder(fs_, "data");
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->ok());
  for (const std::string& path : fs_.Files()) {
    if (path.ends_with(".flb")) fs_.FlipBit(path, std::uint64_t{8} * 100);
  }
  report = VerifyFolder(fs_, "data");
  EXPECT_FALSE(report->ok());
  for (const auto& item : report->items)
    EXPECT_EQ(item.problem.empty(), !item.file.ends_with(".flb")) << item.file;
}

}  // namespace

namespace testing {
INSTANTIATE_TEST_SUITE_P(EmbeddedInMemory, TraceStoreContract,
                         ::testing::Values([] { return std::make_unique<EmbeddedHarness>(); }));
INSTANTIATE_TEST_SUITE_P(EmbeddedOnDisk, TraceStoreContract, ::testing::Values([] {
                           std::string folder = ::testing::TempDir() + "fluoro-store-XXXXXX";
                           return std::make_unique<EmbeddedHarness>(::mkdtemp(folder.data()));
                         }));
}  // namespace testing

}  // namespace fluoro::store
