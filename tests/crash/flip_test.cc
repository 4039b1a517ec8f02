// Bits that flip on the disk: each is found, the damaged file is named, the rest answers, nothing
// is wrong.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/log.h"
#include "base/rng.h"
#include "ledger.h"
#include "soak.h"
#include "store/testing.h"
#include "workload.h"

namespace fluoro::crash {
namespace {

// One in so many is also put under a whole store, which must start and answer rightly.
constexpr std::uint64_t kFlips = 1'000'000;
constexpr std::uint64_t kWholeStores = 20'000;

// Without encryption, and with it: then there are fewer flips.
class FlipTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    log::SetLevel(log::Level::kOff);
    Machine machine;
    if (GetParam()) machine.Encrypt();
    keys_ = machine.options.keys;
    Thin(machine.options);
    RunWorkload(machine, ledger_);
    // Something in the head, so that the log holds live records; and a list of deletions.
    auto store = *machine.Open();
    Rng rng(77);
    for (std::uint64_t i = 0; i < 6; ++i) {
      std::vector<model::Span> spans{
          store::testing::RandomSpan(rng, store::testing::MakeTraceId(30 + i), 5'000 + i)};
      spans[0].flags = 0;
      ASSERT_TRUE(store->Append(store::testing::MakeBatch(spans), store::Durability::kSynced));
      ledger_.Sent(spans, Ledger::Fate::kDone);
      if (i == 2) {
        ASSERT_TRUE(store->SealAll());
        if (GetParam()) {
          ASSERT_TRUE(store->SetWrappingKey("b"));
          ASSERT_TRUE(store->RunMaintenance());
        }
      }
    }
    const std::vector ids{store::testing::MakeTraceId(31)};
    ASSERT_TRUE(store->Delete(ids));
    ledger_.Deleted(ids, Ledger::Fate::kDone);
    machine.fs.CrashAfter(1);
    store.reset();
    machine.fs.Restart(PowerLoss::kKeepAll, 1);
    disk_ = machine.fs.Snapshot();
  }
  void TearDown() override { log::SetLevel(log::Level::kInfo); }

  struct OneFile {
    std::string path;
    std::uint64_t bits = 0;
    std::unique_ptr<FaultyFs> fs;
  };
  /// Files that are called damaged.
  [[nodiscard]] std::vector<std::string> Problems(OneFile& file) const {
    std::vector<std::string> named;
    const auto report = store::VerifyFolder(*file.fs, "data", keys_.get());
    if (!report) return {report.error().message};
    for (const auto& item : report->items) {
      if (!item.problem.empty()) named.push_back("data/" + item.file);
    }
    return named;
  }

  [[nodiscard]] static std::uint64_t Flips(std::uint64_t count) {
    return Cases(GetParam() ? count / 5 : count);
  }
  // Log, block, deletions, FORMAT, ATTRIBUTES; and wrapped keys.
  [[nodiscard]] static std::size_t Kinds() { return GetParam() ? 6 : 5; }

  std::shared_ptr<crypto::Keyring> keys_;
  Ledger ledger_;
  std::map<std::string, std::string> disk_;
};

// The file with one bit inverted is read as `fluoro verify` reads it: by the reader that questions
// use, section by section and frame by frame. Each file lies in a folder of its own, so that a flip
// costs the reading of one file.
TEST_P(FlipTest, EveryFlipIsFound) {
  std::vector<OneFile> files;
  for (const auto& [path, content] : disk_) {
    if (content.empty()) continue;  // LOCK
    files.push_back({.path = path, .bits = content.size() * 8, .fs = std::make_unique<FaultyFs>()});
    std::map<std::string, std::string> folder{{"data/FORMAT", disk_.at("data/FORMAT")},
                                              {path, content}};
    files.back().fs->Load(folder);
    for (const char* const name : {"data/blocks", "data/wal", "data/tmp", "data/quarantine"})
      ASSERT_TRUE(files.back().fs->MakeDirs(name));
    EXPECT_EQ(Problems(files.back()), std::vector<std::string>());
  }
  Rng rng(CaseSeed(1));
  std::map<std::string, std::uint64_t> kinds;
  const std::uint64_t flips = Flips(kFlips);
  std::uint64_t unfound = 0;
  for (std::uint64_t flip = 0; flip < flips && unfound < 10; ++flip) {
    OneFile& file = files[rng.Below(files.size())];
    // Most of a log file is reserved zeros: half of its flips go where the records are.
    const std::uint64_t bit =
        rng.Below(rng.Chance(0.5) ? std::min<std::uint64_t>(file.bits, 48'000) : file.bits);
    file.fs->FlipBit(file.path, bit);
    const auto problems = Problems(file);
    if (problems != std::vector{file.path}) {
      ++unfound;
      ADD_FAILURE() << "bit " << bit << " of " << file.path << ", FLUORO_SEED=" << RunSeed() << ": "
                    << problems.size() << " files are named";
    }
    file.fs->FlipBit(file.path, bit);
    ++kinds[file.path.substr(file.path.size() - 4)];
  }
  std::printf("%llu flips, all found but %llu:", static_cast<unsigned long long>(flips),
              static_cast<unsigned long long>(unfound));
  for (const auto& [kind, count] : kinds)
    std::printf(" %s %llu", kind == "RMAT" ? "FORMAT" : kind.c_str(),
                static_cast<unsigned long long>(count));
  std::printf("; seed %llu\n", static_cast<unsigned long long>(CaseSeed(1)));
  EXPECT_EQ(kinds.size(), Kinds());
}

TEST_P(FlipTest, EveryFlipIsFoundAndTheRestAnswers) {
  Rng rng(CaseSeed(2));
  Machine machine;
  machine.options.keys = keys_;
  std::map<std::string, std::uint64_t> kinds;
  std::uint64_t lost = 0;
  for (std::uint64_t flip = 0; flip < Flips(kWholeStores); ++flip) {
    auto file = std::next(disk_.begin(), static_cast<std::ptrdiff_t>(rng.Below(disk_.size())));
    if (file->second.empty()) continue;  // LOCK
    const std::string path = file->first;
    // Most of a log file is reserved zeros: half of its flips go where the records are.
    const std::uint64_t bytes =
        rng.Chance(0.5) ? std::min<std::uint64_t>(file->second.size(), 6'000) : file->second.size();
    machine.fs.Load(disk_);
    machine.fs.FlipBit(path, rng.Below(bytes * 8));
    const auto report = store::VerifyFolder(machine.fs, "data", keys_.get());
    ASSERT_TRUE(report) << path;
    bool named = false;
    for (const auto& item : report->items) {
      if (item.problem.empty()) continue;
      EXPECT_EQ("data/" + item.file, path);
      named = true;
    }
    EXPECT_TRUE(named) << "flip " << flip << " of " << path
                       << " was not found, FLUORO_SEED=" << RunSeed();
    auto store = machine.Open();
    ASSERT_TRUE(store) << path << ": " << store.error().message;
    std::uint64_t missing = 0;
    const auto wrong = ledger_.CheckRest(**store, missing);
    // Without its list a block shows its deleted traces again: that is named, and the only thing
    // that may.
    if (!path.ends_with(".del")) {
      EXPECT_TRUE(wrong.empty()) << path << ": " << wrong.front();
    }
    lost += missing > 0 ? 1U : 0U;
    ++kinds[path.substr(path.size() - 4)];
  }
  EXPECT_GE(kinds.size(), Kinds());
  EXPECT_GT(lost, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, FlipTest, ::testing::Values(false, true), [](const auto& encrypted) {
  return std::string(encrypted.param ? "Encrypted" : "Plain");
});

}  // namespace
}  // namespace fluoro::crash
