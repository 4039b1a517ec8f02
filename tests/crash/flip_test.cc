// Bits that flip on the disk: each is found, the damaged file is named, the rest answers, nothing
// is wrong.
#include <gtest/gtest.h>

#include "base/log.h"
#include "base/rng.h"
#include "ledger.h"
#include "soak.h"
#include "store/testing.h"
#include "workload.h"

namespace fluoro::crash {
namespace {

constexpr std::uint64_t kFlips = 3'000;

class FlipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::SetLevel(log::Level::kOff);
    Machine machine;
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

  Ledger ledger_;
  std::map<std::string, std::string> disk_;
};

TEST_F(FlipTest, EveryFlipIsFoundAndTheRestAnswers) {
  Rng rng(RunSeed() + 1);
  Machine machine;
  std::map<std::string, std::uint64_t> kinds;
  std::uint64_t lost = 0;
  for (std::uint64_t flip = 0; flip < kFlips * Scale(); ++flip) {
    auto file = std::next(disk_.begin(), static_cast<std::ptrdiff_t>(rng.Below(disk_.size())));
    if (file->second.empty()) continue;  // LOCK
    const std::string path = file->first;
    // Most of a log file is reserved zeros: half of its flips go where the records are.
    const std::uint64_t bytes =
        rng.Chance(0.5) ? std::min<std::uint64_t>(file->second.size(), 6'000) : file->second.size();
    machine.fs.Load(disk_);
    machine.fs.FlipBit(path, rng.Below(bytes * 8));
    const auto report = store::VerifyFolder(machine.fs, "data");
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
  EXPECT_GE(kinds.size(), 4U);  // log, block, deletions, FORMAT
  EXPECT_GT(lost, 0U);
}

}  // namespace
}  // namespace fluoro::crash
