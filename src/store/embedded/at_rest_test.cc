// Encryption at rest: nothing legible on the disk, keys that change, go missing and return.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/base64.h"
#include "store/embedded/block.h"
#include "store/embedded/file_cipher.h"
#include "store/embedded/held_deletions.h"
#include "store/embedded/lsn_ranges.h"
#include "store/embedded/store_fixture_for_test.h"
#include "store/embedded/wal_format.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

// Each named by a letter; the first is in use.
std::shared_ptr<crypto::Keyring> Keys(std::string_view names, std::uint8_t more = 0) {
  auto keys = std::make_shared<crypto::Keyring>();
  for (const char name : names) {
    std::array<std::uint8_t, crypto::kKeyBytes> bytes{};
    bytes.fill(static_cast<std::uint8_t>(name + more));
    EXPECT_TRUE(keys->Add(std::string("key-") + name, crypto::Secret(bytes)));
  }
  EXPECT_TRUE(keys->Use(names.empty() ? "" : "key-" + std::string(names.substr(0, 1))));
  return keys;
}

using Disk = std::map<std::string, std::string>;

class AtRestTest : public StoreFixture {
 protected:
  AtRestTest() : StoreFixture(1'700'010'000'000'000'000, 5) {
    options_.wal_allocate_bytes = 512;
    options_.retention_ns = 3'600 * kNsPerSecond;
    options_.merge.fan_in = 2;
    options_.merge.copy_spans = 4;
  }
  std::unique_ptr<EmbeddedStore> Open(std::shared_ptr<crypto::Keyring> keys) {
    options_.keys = std::move(keys);
    return OpenStore();
  }
  // Spans whose texts and ids are told again from those of the format.
  model::SpanBatch Spans(std::uint64_t trace, std::size_t count) {
    std::vector<model::Span> spans = RandomSpans(IdOf(trace), count);
    for (std::size_t i = 0; i < count; ++i) {
      model::Span& span = spans[i];
      span.flags = 0;
      span.name = "legible-operation";
      auto resource = std::make_shared<model::Resource>(*span.resource);
      resource->attributes[0].value = {std::string("legible-service")};
      span.resource = std::move(resource);
      span.attributes.push_back({"legible.key", {"legible value " + std::to_string(i)}, {}});
    }
    return MakeBatch(spans);
  }
  static model::TraceId IdOf(std::uint64_t trace) {
    model::TraceId id = MakeTraceId(trace);
    for (std::size_t i = 1; i < 8; ++i) id.bytes[i] = static_cast<std::uint8_t>(0xc0 + i);
    return id;
  }
  void Append(EmbeddedStore& store, std::uint64_t trace, std::size_t count) {
    EXPECT_TRUE(store.Append(Spans(trace, count), Durability::kSynced));
  }
  static std::size_t Count(TraceStore& store, std::uint64_t trace) {
    const auto found = store.ReadTrace(IdOf(trace));
    EXPECT_TRUE(found);
    return !found || !*found ? 0 : (*found)->spans.size();
  }
  static std::vector<std::string> Damaged(TraceStore& store) {
    const auto result = store.Search({}, [](const Match&) { return true; });
    EXPECT_TRUE(result);
    return result ? result->damaged : std::vector<std::string>();
  }
  // Sealed, merged, with rows that belong to no trace any more, and live records in the log.
  void Fill(EmbeddedStore& store) {
    for (std::uint64_t trace = 1; trace <= 4; ++trace) {
      Append(store, trace, 6);
      EXPECT_TRUE(store.SealAll());
      clock_.Advance(kNsPerSecond);
    }
    EXPECT_TRUE(store.Delete(std::vector{IdOf(4)}));
    EXPECT_TRUE(store.RunMaintenance());
    Append(store, 5, 6);
    EXPECT_TRUE(store.SealAll());
    Append(store, 6, 6);
  }
  // As the power leaves it.
  void Crash(std::unique_ptr<EmbeddedStore>& store) {
    fs_.CrashAfter(1);
    store.reset();
    fs_.Restart(PowerLoss::kDropAll, 1);
  }
  // Files in which a text of the spans or a trace id can be read.
  std::vector<std::string> LegibleFiles() {
    std::vector<std::string> found;
    for (const auto& [path, content] : fs_.Snapshot()) {
      bool is_legible = content.find("legible") != std::string::npos;
      for (const std::uint64_t trace : {1U, 2U, 3U, 5U, 6U}) {
        const model::TraceId id = IdOf(trace);
        is_legible = is_legible ||
                     content.find(std::string_view(reinterpret_cast<const char*>(id.bytes.data()),
                                                   16)) != std::string::npos;
      }
      if (is_legible) found.push_back(path);
    }
    return found;
  }
  std::size_t BlockFiles() {
    const auto names = fs_.List("data/blocks");
    return static_cast<std::size_t>(std::ranges::count_if(
        *names, [](const std::string& name) { return name.ends_with(".flb"); }));
  }
  bool AllThere(EmbeddedStore& store) {
    bool all = Damaged(store).empty();
    for (const std::uint64_t trace : {1U, 2U, 3U, 5U, 6U}) all = all && Count(store, trace) == 6;
    return all && Count(store, 4) == 0;
  }
};

TEST(FileCipher, OpensAPieceOnlyAsWhatItIsWhereItIs) {
  const auto keys = Keys("ab");
  const auto cipher = FileCipher::Make(keys.get(), FileKind::kBlock, 7);
  const Section section{.type = SectionType::kColumn,
                        .codec = SectionCodec::kZstd,
                        .row_group = 1,
                        .column = 2,
                        .offset = 300,
                        .stored = 0,
                        .raw = 9,
                        .sum = 0};
  std::string sealed;
  cipher->Seal(section.offset, WhatSectionIs(section), "a column's bytes", sealed);
  const auto opens = [&](const FileCipher& by, const Section& as) {
    std::string bytes = sealed;
    return by.Open(as.offset, WhatSectionIs(as), bytes).has_value();
  };
  EXPECT_TRUE(opens(*cipher, section));
  EXPECT_TRUE(
      opens(**FileCipher::Of(keys.get(), cipher->envelope(), FileKind::kBlock, 7), section));
  for (int field = 0; field < 6; ++field) {
    Section other = section;
    if (field == 0) other.type = SectionType::kPack;
    if (field == 1) other.codec = SectionCodec::kNone;
    if (field == 2) other.row_group = 0;
    if (field == 3) other.column = 3;
    if (field == 4) other.offset = 301;
    if (field == 5) other.raw = 10;
    EXPECT_FALSE(opens(*cipher, other)) << field;
  }
  EXPECT_FALSE(opens(*FileCipher::Make(keys.get(), FileKind::kBlock, 7), section));
  EXPECT_EQ(FileCipher::Of(keys.get(), cipher->envelope(), FileKind::kBlock, 8).error().code,
            ErrorCode::kPermissionDenied);
  EXPECT_FALSE(FileCipher::Of(keys.get(), cipher->envelope(), FileKind::kLog, 7));
  EXPECT_EQ(FileCipher::Of(nullptr, cipher->envelope(), FileKind::kBlock, 7).error().message,
            "key key-a is not available");
  // Wrapped anew it is the same key.
  const crypto::Envelope again = cipher->WrapAgain({"key-b", *keys->Find("key-b")});
  EXPECT_EQ(again.key_name, "key-b");
  EXPECT_TRUE(opens(**FileCipher::Of(keys.get(), again, FileKind::kBlock, 7), section));
}

TEST(LsnRanges, HoldsWhatItWasMadeOf) {
  const std::vector<std::uint64_t> lsns{3, 4, 5, 9, 11, 12};
  const LsnRanges ranges = LsnRanges::Of(lsns);
  for (std::uint64_t lsn = 0; lsn < 15; ++lsn)
    EXPECT_EQ(ranges.Contains(lsn), std::ranges::binary_search(lsns, lsn)) << lsn;
  EXPECT_EQ(*LsnRanges::FromBounds(ranges.Bounds()), ranges);
  EXPECT_FALSE(LsnRanges::FromBounds(std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_FALSE(LsnRanges::FromBounds(std::vector<std::uint64_t>{5, 4}));
  EXPECT_EQ(ranges.And(LsnRanges::UpTo(9)), LsnRanges::Of(std::vector<std::uint64_t>{3, 4, 5, 9}));
  EXPECT_TRUE(LsnRanges::UpTo(9).ContainsAllUpTo(9));
  EXPECT_FALSE(LsnRanges::UpTo(9).ContainsAllUpTo(10));
  EXPECT_FALSE(ranges.ContainsAllUpTo(4));
  EXPECT_TRUE(LsnRanges::UpTo(0).empty());
  EXPECT_EQ(LsnRanges().last(), 0U);
  EXPECT_EQ(ranges.last(), 12U);
}

TEST(LsnRanges, JoinsAsSetsDo) {
  Rng rng(1);
  for (int run = 0; run < 500; ++run) {
    std::set<std::uint64_t> one;
    std::set<std::uint64_t> other;
    for (std::uint64_t i = rng.Below(12); i > 0; --i) one.insert(1 + rng.Below(20));
    for (std::uint64_t i = rng.Below(12); i > 0; --i) other.insert(1 + rng.Below(20));
    std::set<std::uint64_t> any = one;
    any.insert(other.begin(), other.end());
    const auto of = [](const std::set<std::uint64_t>& lsns) {
      return LsnRanges::Of(std::vector<std::uint64_t>(lsns.begin(), lsns.end()));
    };
    EXPECT_EQ(of(one).Or(of(other)), of(any)) << run;
    const LsnRanges open = of(one).Or(LsnRanges::From(7));
    for (std::uint64_t lsn = 1; lsn < 25; ++lsn)
      EXPECT_EQ(open.Contains(lsn), lsn >= 7 || one.contains(lsn)) << run << " " << lsn;
    EXPECT_TRUE(open.Contains(UINT64_MAX));
    EXPECT_EQ(open.Or(LsnRanges::UpTo(9)), LsnRanges::From(1));
  }
}

TEST(HeldDeletions, RoundTripsAndFindsEveryFlippedBit) {
  const HeldDeletions held{{MakeTraceId(1), 7}, {MakeTraceId(2), 1'000'000}};
  const std::string bytes = EncodeHeldDeletions(held);
  EXPECT_EQ(*DecodeHeldDeletions(bytes), held);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeHeldDeletions(changed)) << bit;
  }
}

TEST_F(AtRestTest, NothingIsLegibleInAnyFile) {
  {
    auto store = Open(nullptr);
    Fill(*store);
    Crash(store);
  }
  // The test of the test: without a key it is.
  EXPECT_GE(LegibleFiles().size(), 2U);
  fs_.Load({});
  auto store = Open(Keys("a"));
  Fill(*store);
  Crash(store);
  EXPECT_EQ(LegibleFiles(), std::vector<std::string>());
  store = Open(Keys("a"));
  EXPECT_TRUE(AllThere(*store));
  // Sums of dropped blocks too.
  clock_.Advance(7'200 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_GE(fs_.List("data/rollup")->size(), 1U);
  EXPECT_EQ(LegibleFiles(), std::vector<std::string>());
}

TEST_F(AtRestTest, WithoutItsKeyAFileIsNamedKeptAndBackWithIt) {
  auto store = Open(Keys("a"));
  Fill(*store);
  Crash(store);
  const Disk before = fs_.Snapshot();

  store = Open(nullptr);
  EXPECT_EQ(Count(*store, 1), 0U);
  const auto damaged = Damaged(*store);
  EXPECT_GE(damaged.size(), 3U);  // blocks and a log file
  for (const std::string& name : damaged)
    EXPECT_NE(name.find(": key key-a is not available"), std::string::npos) << name;
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_damaged", "").value(), 0);
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_locked_files", "").value(),
            static_cast<double>(damaged.size()));
  // It works meanwhile, and learns of deletions.
  Append(*store, 6, 2);
  Append(*store, 7, 3);
  EXPECT_EQ(*store->Delete(std::vector{IdOf(5), IdOf(7)}), 1U);
  Append(*store, 5, 1);
  ASSERT_TRUE(store->SealAll());
  clock_.Advance(100 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  store.reset();
  const auto report = VerifyFolder(fs_, "data");
  for (const auto& report_item : report->items)
    EXPECT_EQ(report_item.is_locked, !report_item.problem.empty()) << report_item.problem;
  const Disk between = fs_.Snapshot();
  for (const auto& [path, content] : before) {
    if (!path.ends_with(".flb") && !path.ends_with(".wal")) continue;
    if (path.starts_with("data/tmp/")) continue;
    const std::string name = path.substr(path.size() - 20);
    EXPECT_TRUE(between.contains(path) || between.contains("data/locked/" + name)) << path;
    if (path.ends_with(".flb")) {
      EXPECT_TRUE(between.at(path) == content) << path;
    }
  }

  store = Open(Keys("a"));
  EXPECT_EQ(Damaged(*store), std::vector<std::string>());
  for (const std::uint64_t trace : {1U, 2U, 3U}) EXPECT_EQ(Count(*store, trace), 6U);
  EXPECT_EQ(Count(*store, 4), 0U);
  EXPECT_EQ(Count(*store, 5), 1U);
  EXPECT_EQ(Count(*store, 6), 8U);
  EXPECT_EQ(Count(*store, 7), 0U);
  store.reset();
  store = Open(Keys("a"));
  EXPECT_EQ(*fs_.List("data/locked"), std::vector<std::string>());
  EXPECT_TRUE(VerifyFolder(fs_, "data", options_.keys.get())->ok());
}

// A sync fails and no new file can be made until another key is in use: what the log wrote anew
// and a deletion stand in a file of that key. While it is missing the trace has rows from before
// the deletion, of the file whose sync failed, and rows from behind it.
TEST_F(AtRestTest, ADeletionWhoseKeyReturnsTakesNothingThatCameBehindIt) {
  for (const bool is_merged : {false, true}) {
    fs_.Load({});
    options_.wal_allocate_bytes = 0;
    auto store = Open(Keys("ab"));
    Append(*store, 1, 6);
    const std::uint64_t before = fs_.changes();
    Append(*store, 2, 6);
    fs_.FailSync(1);
    fs_.FailChange(fs_.changes() - before + 1, FaultyFs::Fault::kIo, true);
    EXPECT_FALSE(store->Append(Spans(3, 6), Durability::kSynced));
    fs_.ClearFaults();
    ASSERT_TRUE(store->SetWrappingKey("key-b"));
    Append(*store, 2, 1);
    // The power goes before the file whose sync failed has gone.
    fs_.BeforeRemove([this](std::string_view path) {
      if (path.starts_with("data/wal/")) fs_.CutPower();
    });
    EXPECT_EQ(*store->Delete(std::vector{IdOf(1)}), 1U);
    fs_.BeforeRemove(nullptr);
    ASSERT_TRUE(fs_.crashed());
    Crash(store);

    store = Open(Keys("a"));
    EXPECT_EQ(Damaged(*store).size(), 1U);
    EXPECT_EQ(Count(*store, 1), 6U);  // nobody can know
    Append(*store, 1, 2);
    ASSERT_TRUE(store->SealAll());
    EXPECT_EQ(Count(*store, 1), 8U);
    Append(*store, 1, 1);
    Append(*store, 4, 1);
    ASSERT_TRUE(store->SealAll());
    if (is_merged) {
      clock_.Advance(100 * kNsPerSecond);
      ASSERT_TRUE(store->RunMaintenance());
    }
    Crash(store);

    store = Open(Keys("ab"));
    EXPECT_EQ(Damaged(*store), std::vector<std::string>());
    EXPECT_EQ(Count(*store, 1), 3U);
    EXPECT_EQ(Count(*store, 2), 7U);
    EXPECT_EQ(Count(*store, 4), 1U);
    ASSERT_TRUE(store->SealAll());
    clock_.Advance(100 * kNsPerSecond);
    ASSERT_TRUE(store->RunMaintenance());
    Crash(store);
    store = Open(Keys("ab"));
    EXPECT_EQ(Count(*store, 1), 3U);
    EXPECT_EQ(Count(*store, 2), 7U);
  }
}

// Blocks that were sealed without them are merged before what a returned log file holds is sealed.
TEST_F(AtRestTest, AMergeDoesNotClaimRowsThatHaveJustReturned) {
  auto store = Open(Keys("a"));
  Append(*store, 1, 6);
  Crash(store);
  store = Open(Keys("b"));
  for (int i = 0; i < 4; ++i) {
    Append(*store, 1, 2);
    ASSERT_TRUE(store->SealAll());
  }
  Crash(store);
  store = Open(Keys("ab"));
  EXPECT_EQ(Count(*store, 1), 14U);
  const std::size_t blocks = BlockFiles();
  ASSERT_TRUE(store->RunMaintenance());  // the trace is not idle yet: its rows stay in the log
  Crash(store);
  store = Open(Keys("ab"));
  EXPECT_EQ(Count(*store, 1), 14U);
  // Once they are sealed nothing stands in the way.
  ASSERT_TRUE(store->SealAll());
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_LT(BlockFiles(), blocks);
  Crash(store);
  store = Open(Keys("ab"));
  EXPECT_EQ(Count(*store, 1), 14U);
}

// No file can be made for the key that is to be used, and then the key of the last file is used
// again, which may have gone meanwhile.
TEST_F(AtRestTest, ALogFileThatWasLeftForAnotherKeyIsNotTakenUpAgain) {
  auto store = Open(Keys("ab"));
  Append(*store, 1, 6);
  ASSERT_TRUE(store->SetWrappingKey("key-b"));
  fs_.FailChange(1, FaultyFs::Fault::kIo, false);
  EXPECT_FALSE(store->Append(Spans(2, 6), Durability::kSynced));
  ASSERT_TRUE(store->SetWrappingKey("key-a"));
  ASSERT_TRUE(store->SealAll());  // file 1 is not needed any more
  Append(*store, 3, 6);
  Crash(store);
  store = Open(Keys("ab"));
  EXPECT_EQ(Damaged(*store), std::vector<std::string>());
  EXPECT_EQ(Count(*store, 1), 6U);
  EXPECT_EQ(Count(*store, 3), 6U);
}

TEST_F(AtRestTest, AnotherKeyOfThatNameIsCalledSo) {
  auto store = Open(Keys("a"));
  Fill(*store);
  Crash(store);
  store = Open(Keys("a", 1));
  const auto damaged = Damaged(*store);
  ASSERT_FALSE(damaged.empty());
  for (const std::string& name : damaged) {
    EXPECT_NE(name.find("key key-a is not the key of that name that encrypted it"),
              std::string::npos)
        << name;
    EXPECT_EQ(name.find("data/"), std::string::npos) << name;
  }
  store.reset();
  store = Open(Keys("a"));
  EXPECT_TRUE(AllThere(*store));
}

TEST_F(AtRestTest, AReaderWithoutTheKeyChangesNothing) {
  auto store = Open(Keys("a"));
  Fill(*store);
  Crash(store);
  const Disk before = fs_.Snapshot();
  options_.read_only = true;
  store = Open(nullptr);
  EXPECT_FALSE(Damaged(*store).empty());
  store.reset();
  store = Open(Keys("a"));
  EXPECT_TRUE(AllThere(*store));
  store.reset();
  EXPECT_TRUE(fs_.Snapshot() == before);
}

TEST_F(AtRestTest, DataKeysAreWrappedAnewAndNoDataIsWritten) {
  auto store = Open(Keys("ab"));
  Fill(*store);
  const Disk before = fs_.Snapshot();
  ASSERT_TRUE(store->SetWrappingKey("key-b"));
  EXPECT_EQ(store->wrapping_key(), "key-b");
  EXPECT_EQ(store->SetWrappingKey("key-c").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store->RunMaintenance());
  const Disk after = fs_.Snapshot();
  std::size_t wrapped = 0;
  for (const auto& [path, content] : before) {
    if (!path.ends_with(".flb") || !after.contains(path)) continue;
    EXPECT_TRUE(after.at(path) == content) << path;
    const auto key = after.find(path.substr(0, path.size() - 4) + ".key");
    ASSERT_NE(key, after.end()) << path;
    EXPECT_LE(key->second.size(), 240U);
    ++wrapped;
  }
  EXPECT_GE(wrapped, 1U);
  ASSERT_TRUE(store->SealAll());  // what the log still holds under the old key
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_old_key_files", "").value(), 0);
  Crash(store);
  // The old key is not needed any more.
  store = Open(Keys("b"));
  EXPECT_TRUE(AllThere(*store));
  EXPECT_TRUE(VerifyFolder(fs_, "data", options_.keys.get())->ok());
  // What stood beside a block goes with it.
  clock_.Advance(7'200 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  ASSERT_TRUE(store->RunMaintenance());
  const auto left = fs_.List("data/blocks");
  for (const std::string& name : *left) EXPECT_FALSE(name.ends_with(".key"));
}

TEST_F(AtRestTest, AWrappedKeyOfAnotherBlockOrADamagedOneIsPassedOver) {
  auto store = Open(Keys("ab"));
  Fill(*store);
  ASSERT_TRUE(store->SetWrappingKey("key-b"));
  ASSERT_TRUE(store->RunMaintenance());
  Crash(store);
  Disk disk = fs_.Snapshot();
  std::string* first = nullptr;
  for (auto& [path, content] : disk) {
    if (!path.ends_with(".key")) continue;
    if (first == nullptr) {
      content[100] = static_cast<char>(content[100] ^ 1);
      first = &content;
    } else {
      content = EncodeRewrap({.first_nonce = {}, .envelope = DecodeRewrap(content)->envelope});
    }
  }
  ASSERT_NE(first, nullptr);
  fs_.Load(disk);
  store = Open(Keys("ab"));
  EXPECT_TRUE(AllThere(*store));
  store.reset();
  std::size_t problems = 0;
  const auto report = VerifyFolder(fs_, "data", options_.keys.get());
  for (const auto& item : report->items) problems += item.problem.empty() ? 0U : 1U;
  EXPECT_LE(problems, 1U);
}

TEST_F(AtRestTest, FilesWithAndWithoutEncryptionMixAndMergingEncryptsWhatWasNot) {
  options_.merge.window_ns[0] = 10 * kNsPerSecond;
  auto store = Open(nullptr);
  for (const std::uint64_t trace : {1U, 2U}) {
    Append(*store, trace, 6);
    ASSERT_TRUE(store->SealAll());
  }
  Append(*store, 3, 6);
  Crash(store);
  EXPECT_FALSE(LegibleFiles().empty());
  store = Open(Keys("a"));
  Append(*store, 5, 6);
  Append(*store, 6, 6);
  Crash(store);
  store = Open(Keys("a"));
  EXPECT_TRUE(AllThere(*store));
  ASSERT_TRUE(store->SealAll());
  clock_.Advance(60 * kNsPerSecond);
  ASSERT_TRUE(store->RunMaintenance());
  EXPECT_EQ(LegibleFiles(), std::vector<std::string>());
  EXPECT_TRUE(AllThere(*store));
  // And back.
  ASSERT_TRUE(store->SetWrappingKey(""));
  Append(*store, 8, 3);
  EXPECT_FALSE(LegibleFiles().empty());
  EXPECT_TRUE(AllThere(*store));
}

TEST_F(AtRestTest, KeysChangeWhileSpansArrive) {
  options_.wal_file_bytes = 20'000;
  auto store = Open(Keys("abc"));
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> appended = 0;
  std::vector<model::SpanBatch> batches;
  for (std::uint64_t i = 0; i < 120; ++i) batches.push_back(Spans(100 + i, 3));
  {
    std::jthread writer([&] {
      for (auto& batch : batches) {
        if (store->Append(std::move(batch), Durability::kSynced)) ++appended;
      }
      done = true;
    });
    std::jthread reader([&] {
      while (!done) (void)Damaged(*store);
    });
    std::uint64_t turn = 0;
    while (!done) {
      EXPECT_TRUE(store->SetWrappingKey(std::string("key-") + "abc"[turn++ % 3]));
      EXPECT_TRUE(store->SealAll());
      EXPECT_TRUE(store->RunMaintenance());
    }
  }
  EXPECT_EQ(appended, batches.size());
  ASSERT_TRUE(store->SetWrappingKey("key-c"));
  ASSERT_TRUE(store->SealAll());
  for (double old = 1; old > 0;) {
    ASSERT_TRUE(store->RunMaintenance());
    old = metrics_.GetGauge("fluoro_store_old_key_files", "").value();
  }
  Crash(store);
  store = Open(Keys("c"));
  EXPECT_EQ(Damaged(*store), std::vector<std::string>());
  for (std::uint64_t i = 0; i < batches.size(); ++i) EXPECT_EQ(Count(*store, 100 + i), 3U) << i;
}

// FLUORO_UPDATE_GOLDEN=1 writes the seeds of encryption_fuzz.
TEST(EncryptionFuzz, WritesItsCorpus) {
  const char* const update = std::getenv("FLUORO_UPDATE_GOLDEN");
  if (update == nullptr || std::string_view(update) != "1") GTEST_SKIP() << "nothing to update";
  const std::filesystem::path corpus = "src/store/testdata/corpus/encryption";
  std::filesystem::create_directories(corpus);
  const auto write = [&](const char* name, const std::string& bytes) {
    std::ofstream(corpus / name, std::ios::binary) << bytes;
  };
  const crypto::Envelope envelope{.key_name = "main", .nonce = {}, .wrapped = {}};
  const std::string zero(1, '\0');
  write("rewrap", zero + EncodeRewrap({.first_nonce = {}, .envelope = envelope}));
  write("block_header", "\1" + EncodeBlockHeader({.id = 7, .sealed_lsn = 9, .envelope = envelope}));
  write("held", "\2" + EncodeHeldDeletions({{MakeTraceId(1), 7}}));
  WalHeader header;
  header.envelope = envelope;
  write("wal_header", "\3" + EncodeWalHeader(header));
  write("frames", "\4the body of a record");
}

// No key, wrapped or not, and no part of one in what the store says of itself.
TEST_F(AtRestTest, KeysAreNeverSaid) {
  auto store = Open(Keys("a"));
  Fill(*store);
  const std::string key(crypto::kKeyBytes, 'a');
  const std::string said = metrics_.Render();
  EXPECT_EQ(said.find(key.substr(0, 8)), std::string::npos);
  EXPECT_EQ(said.find(ToBase64(key).substr(0, 8)), std::string::npos);
}

// A merge whose process ended before its inputs were removed, and whose key is missing at the next
// start: what becomes of the inputs meanwhile must not cost any of them.
class MergeWithoutAKeyTest : public AtRestTest {
 protected:
  static std::string BlockPath(std::uint64_t id) { return "data/blocks/" + BlockFileName(id); }
  // Blocks 1 and 2 are plain, 3 and the merge of all, 4, are encrypted. Returns the folder with
  // all.
  Disk MakeBlocks() {
    options_.merge.fan_in = 3;
    auto store = Open(Keys(""));
    for (std::uint64_t trace = 1; trace <= 2; ++trace) {
      Append(*store, trace, 6);
      EXPECT_TRUE(store->SealAll());
    }
    store.reset();
    store = Open(Keys("b"));
    Append(*store, 3, 6);
    EXPECT_TRUE(store->SealAll());
    EXPECT_TRUE(store->Close());
    store.reset();
    Disk disk = fs_.Snapshot();
    store = Open(Keys("b"));
    EXPECT_TRUE(store->RunMaintenance());
    store.reset();
    const Disk merged = fs_.Snapshot();
    EXPECT_FALSE(merged.contains(BlockPath(1)));
    disk[BlockPath(4)] = merged.at(BlockPath(4));
    return disk;
  }
  void ExpectAllOnce(EmbeddedStore& store) {
    for (std::uint64_t trace = 1; trace <= 3; ++trace) EXPECT_EQ(Count(store, trace), 6U) << trace;
    std::size_t found = 0;
    EXPECT_TRUE(store.Search({}, [&found](const Match&) { return ++found != 0; }));
    EXPECT_EQ(found, 3U);
    EXPECT_TRUE(Damaged(store).empty());
  }
};

TEST_F(MergeWithoutAKeyTest, ItsInputsAreNotMergedAgain) {
  const Disk disk = MakeBlocks();
  fs_.Load(disk);
  options_.merge.fan_in = 2;
  auto store = Open(Keys("a"));
  EXPECT_TRUE(store->RunMaintenance());
  store.reset();
  EXPECT_TRUE(fs_.Snapshot().contains(BlockPath(1)));
  EXPECT_TRUE(fs_.Snapshot().contains(BlockPath(2)));
  store = Open(Keys("ab"));
  ExpectAllOnce(*store);
}

TEST_F(MergeWithoutAKeyTest, GivesWayToALaterMergeOfSomeOfItsInputs) {
  Disk disk = MakeBlocks();
  const std::string fourth = disk.at(BlockPath(4));
  const std::string third = disk.at(BlockPath(3));
  disk.erase(BlockPath(3));
  disk.erase(BlockPath(4));
  // Else what block 3 holds would come from there.
  std::erase_if(disk, [](const auto& file) { return file.first.starts_with("data/wal/"); });
  disk["data/quarantine/" + BlockFileName(4)] = "keeps its number";
  fs_.Load(disk);
  options_.merge.fan_in = 2;
  auto store = Open(Keys("b"));
  EXPECT_TRUE(store->RunMaintenance());
  store.reset();
  disk = fs_.Snapshot();
  ASSERT_TRUE(disk.contains(BlockPath(5)));
  ASSERT_FALSE(disk.contains(BlockPath(1)));
  disk.erase("data/quarantine/" + BlockFileName(4));
  disk[BlockPath(3)] = third;
  disk[BlockPath(4)] = fourth;
  fs_.Load(disk);
  store = Open(Keys("b"));
  ExpectAllOnce(*store);
  store.reset();
  EXPECT_FALSE(fs_.Snapshot().contains(BlockPath(4)));
}

}  // namespace
}  // namespace fluoro::store
