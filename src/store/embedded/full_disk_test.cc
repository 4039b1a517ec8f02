// A disk that fills up, and merges that do not keep up.
#include <gtest/gtest.h>

#include "store/embedded/disk_space.h"
#include "store/embedded/store_fixture_for_test.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kHour = 3'600 * kNsPerSecond;

TEST(DiskSpace, IsLowAndFullBelowItsLimitsAndEnoughAnEighthAbove) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  const auto judge = [](std::uint64_t total, std::uint64_t free, DiskState before) {
    return JudgeDisk({.total_bytes = total, .free_bytes = free}, before);
  };
  // Of 10,000 bytes 500 and 200.
  for (std::uint64_t free = 0; free < 1'000; ++free) {
    const DiskState fresh = judge(10'000, free, DiskState::kEnough);
    EXPECT_EQ(fresh, free < 200   ? DiskState::kFull
                     : free < 500 ? DiskState::kLow
                                  : DiskState::kEnough)
        << free;
    EXPECT_EQ(judge(10'000, free, DiskState::kFull), free < 225   ? DiskState::kFull
                                                     : free < 558 ? DiskState::kLow
                                                                  : DiskState::kEnough)
        << free;
    EXPECT_EQ(judge(10'000, free, DiskState::kLow), free < 200   ? DiskState::kFull
                                                    : free < 558 ? DiskState::kLow
                                                                 : DiskState::kEnough)
        << free;
  }
  // However large it is.
  EXPECT_EQ(judge(1'000 * kGiB, 2 * kGiB, DiskState::kEnough), DiskState::kEnough);
  EXPECT_EQ(judge(1'000 * kGiB, 2 * kGiB - 1, DiskState::kEnough), DiskState::kLow);
  EXPECT_EQ(judge(1'000 * kGiB, kGiB / 2, DiskState::kEnough), DiskState::kFull);
}

class FullDiskTest : public StoreFixture {
 protected:
  FullDiskTest() : StoreFixture(1'700'000'000'000'000'000, 3) {
    options_.wal_allocate_bytes = 0;
    options_.wal_file_bytes = 2'000;
    options_.merge.window_ns[0] = options_.merge.window_ns[1] = 100'000 * kHour;
    options_.merge.fan_in = 1'000;  // nothing is merged
  }
  // Of other programs: what is free is then a few files of ours.
  void PutBallast() {
    ASSERT_TRUE(fs_.MakeDirs("other"));
    const auto file = fs_.Open("other/ballast", Fs::OpenMode::kCreate);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->WriteAt(0, std::string(1'000'000, 'b')));
  }
  Result<void> Append(std::uint64_t trace) {
    return store_->Append(MakeBatch(RandomSpans(MakeTraceId(trace), 150)), Durability::kSynced);
  }
  // Hourly, in blocks of their own.
  void AppendHourly(std::uint64_t traces) {
    for (std::uint64_t trace = 1; trace <= traces; ++trace) {
      ASSERT_TRUE(Append(trace));
      ASSERT_TRUE(store_->SealAll());
      clock_.Advance(kHour);
    }
  }
  [[nodiscard]] bool IsThere(std::uint64_t trace) {
    return (*store_->Exist(std::vector{MakeTraceId(trace)}))[0];
  }
  [[nodiscard]] std::uint64_t Used() {
    std::uint64_t used = 0;
    for (const auto& [path, content] : fs_.Snapshot()) used += content.size();
    return used;
  }
  double Value(const char* counter) { return metrics_.GetCounter(counter, "").value(); }
  double Refused(const char* reason) {
    return metrics_.GetCounter("fluoro_store_append_refused_total", "", {{"reason", reason}})
        .value();
  }
};

TEST_F(FullDiskTest, WhenItIsLowTheOldestBlocksGoAndTheCurrentTwoHoursStay) {
  PutBallast();
  Open();
  AppendHourly(10);
  const std::uint64_t used = Used();
  fs_.SetCapacity(used * 100 / 96);  // 4 % are free
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_GE(Value("fluoro_store_dropped_early_blocks_total"), 1);
  EXPECT_FALSE(IsThere(1));
  EXPECT_TRUE(IsThere(10));
  EXPECT_TRUE(Append(11));
  // What is kept of a block takes a little of what it gave.
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store_->RunMaintenance());
  // What went was enough: nothing more goes.
  const double dropped = Value("fluoro_store_dropped_early_blocks_total");
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(Value("fluoro_store_dropped_early_blocks_total"), dropped);
  EXPECT_LT(dropped, 7);
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_disk_state", "").value(), 0);
  // However little there is.
  for (int i = 0; i < 3; ++i) {
    fs_.SetCapacity(Used() + 10);
    ASSERT_TRUE(store_->RunMaintenance());
    ASSERT_TRUE(store_->RunMaintenance());
  }
  for (const std::uint64_t trace : {1U, 5U, 8U}) EXPECT_FALSE(IsThere(trace)) << trace;
  for (const std::uint64_t trace : {10U, 11U}) EXPECT_TRUE(IsThere(trace)) << trace;
}

TEST_F(FullDiskTest, WhenItIsFullNothingIsTakenInAndAllElseGoesOnUntilSpaceReturns) {
  PutBallast();
  Open();
  ASSERT_TRUE(Append(1));
  ASSERT_TRUE(Append(2));
  ASSERT_TRUE(store_->SealAll());
  ASSERT_TRUE(Append(3));
  fs_.SetCapacity(Used() * 1'000 / 985);  // 1.5 % are free
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_disk_state", "").value(), 2);
  const auto refused = Append(4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Refused("disk"), 1);
  for (const std::uint64_t trace : {1U, 2U, 3U}) EXPECT_TRUE(IsThere(trace));
  EXPECT_FALSE(IsThere(4));
  EXPECT_EQ(store_->Delete(std::vector{MakeTraceId(2)}).value_or(0), 1U);
  EXPECT_FALSE(IsThere(2));
  ASSERT_TRUE(store_->DropBefore(clock_.UnixNs() + 1));
  EXPECT_FALSE(IsThere(1));
  fs_.SetCapacity(UINT64_MAX);
  EXPECT_FALSE(Append(4));  // it was not looked at yet
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_TRUE(Append(4));
  EXPECT_TRUE(IsThere(4));
}

TEST_F(FullDiskTest, BlocksAreNotMergedWithoutRoomForTheResult) {
  options_.merge.fan_in = 4;
  Open();
  for (std::uint64_t trace = 1; trace <= 4; ++trace) {
    ASSERT_TRUE(Append(trace));
    ASSERT_TRUE(store_->SealAll());
  }
  fs_.SetCapacity(Used() * 100 / 93);  // enough, and yet less than the blocks take
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(Value("fluoro_store_merges_total"), 0);
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_disk_state", "").value(), 0);
  fs_.SetCapacity(UINT64_MAX);
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(Value("fluoro_store_merges_total"), 1);
}

TEST_F(FullDiskTest, AppendsWaitAndThenAreRefusedWhileMergesAreBehind) {
  options_.merge.fan_in = 2;
  options_.merge.due_slow = 3;
  options_.merge.due_max = 5;
  Open();
  std::uint64_t trace = 0;
  const auto seal = [&](int blocks) {
    for (int i = 0; i < blocks; ++i) {
      ASSERT_TRUE(Append(++trace));
      ASSERT_TRUE(store_->SealAll());
    }
  };
  // Merges fail: what is due is counted all the same.
  const auto look = [&] {
    fs_.FailChange(1, FaultyFs::Fault::kNoSpace, true);
    (void)store_->RunMaintenance();
    fs_.ClearFaults();
  };
  seal(2);
  look();
  EXPECT_TRUE(Append(100));
  EXPECT_EQ(Value("fluoro_store_append_delay_seconds_total"), 0);
  seal(2);
  look();
  EXPECT_EQ(metrics_.GetGauge("fluoro_store_merge_due_blocks", "").value(), 4);
  EXPECT_TRUE(Append(101));
  EXPECT_GT(Value("fluoro_store_append_delay_seconds_total"), 0);
  seal(2);
  look();
  const auto refused = Append(102);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Refused("merges"), 1);
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_TRUE(Append(102));
  for (std::uint64_t known = 1; known <= trace; ++known) EXPECT_TRUE(IsThere(known));
}

}  // namespace
}  // namespace fluoro::store
