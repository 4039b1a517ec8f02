#include "cost/meter.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/faulty_fs.h"
#include "base/rng.h"
#include "cost/records.h"
#include "cost/traffic_for_test.h"

namespace fluoro::cost {
namespace {

using analysis::Day;
using analysis::DayOf;
using analysis::Dimension;
using analysis::Meter;
using testing::TrafficFolder;
using testing::Units;

// 2023-11-14, shortly before midnight.
constexpr std::int64_t kNow = 1'700'005'200 * kNsPerSecond;
constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;

class CostMeterTest : public ::testing::Test {
 protected:
  void Open() {
    meter_.reset();
    MeterOptions options{.folder = "data/usage"};
    options.on_alert = [this](const BudgetAlert& alert) { alerts_.push_back(alert); };
    meter_.emplace(*folder_.store, *folder_.control, usage_fs_, clock_, folder_.metrics, options);
  }
  // Ten seconds at a time, as the server does.
  void Run(std::int64_t minutes, std::uint64_t traces_a_minute = 0) {
    for (std::int64_t i = 0; i < minutes * 6; ++i) {
      for (std::uint64_t n = 0; n < traces_a_minute && i % 6 == 0; ++n) {
        folder_.Put(++traces_, {.service = traces_ % 2 == 0 ? "shop" : "pay", .tenant = "acme"});
        ++by_day_[DayOf(clock_.UnixNs())];
      }
      clock_.Advance(10 * kNsPerSecond);
      meter_->Step({});
    }
  }
  double Recorded(Day day) {
    const auto answer = meter_->Usage(day, day + 1);
    EXPECT_TRUE(answer && answer->complete);
    return answer->days.empty() ? 0
                                : Units(answer->days.front().usage.total(), Meter::kTracesRecorded);
  }
  void ExpectAllCounted() {
    for (const auto& [day, traces] : by_day_)
      EXPECT_EQ(Recorded(day), static_cast<double>(traces)) << analysis::DayText(day);
  }

  ManualClock clock_{kNow};
  TrafficFolder folder_{clock_};
  FaultyFs usage_fs_;
  std::optional<CostMeter> meter_;
  std::vector<BudgetAlert> alerts_;
  std::uint64_t traces_ = 0;
  std::map<Day, std::uint64_t> by_day_;
};

TEST_F(CostMeterTest, CountsEveryTraceOfItsDayOnceSettledOrNot) {
  Open();
  Run(40, 5);
  ExpectAllCounted();
  EXPECT_LT(meter_->counted_until_ns(), clock_.UnixNs() - 15 * kMinuteNs + 1);
  Run(30);
  EXPECT_GT(meter_->counted_until_ns(), clock_.UnixNs() - 21 * kMinuteNs);
  ExpectAllCounted();
  EXPECT_EQ(by_day_.size(), 2U);
}

// A server that begins is sent what its clients have kept for it.
TEST_F(CostMeterTest, WhatBeganBeforeTheServerIsCountedToo) {
  Open();
  folder_.Put(1, {.service = "shop", .ago_ns = 600 * kNsPerSecond});
  by_day_[DayOf(clock_.UnixNs() - 600 * kNsPerSecond)] = 1;
  ExpectAllCounted();
  Run(40);
  EXPECT_GT(meter_->counted_until_ns(), clock_.UnixNs() - 21 * kMinuteNs);
  ExpectAllCounted();
}

TEST_F(CostMeterTest, GoesOnOverMidnightAndAfterARestart) {
  Open();
  Run(90, 3);  // until after midnight
  ASSERT_TRUE(meter_->Close());
  Open();
  ExpectAllCounted();
  Run(60, 2);
  ExpectAllCounted();
  EXPECT_EQ(by_day_.size(), 2U);
}

TEST_F(CostMeterTest, GoesOnWhereItEndedAfterDays) {
  Open();
  Run(50, 3);
  ASSERT_TRUE(meter_->Close());
  meter_.reset();
  for (int day = 0; day < 3; ++day) {
    folder_.Put(++traces_, {.service = "shop"});
    ++by_day_[DayOf(clock_.UnixNs())];
    clock_.Advance(analysis::kDayNs);
  }
  Open();
  ExpectAllCounted();
  // At most half a second a step, and the clock stands still: all at once.
  Run(30, 1);
  ExpectAllCounted();
  ASSERT_TRUE(meter_->Close());
  Open();
  ExpectAllCounted();
}

// Whatever call the power fails at: traces are counted once, reads of the last 30 s may be lost.
TEST_F(CostMeterTest, NothingRecordedIsLostOrCountedTwiceWhenItEnds) {
  Rng rng(10);
  Open();
  for (int round = 0; round < 40; ++round) {
    usage_fs_.CrashAfter(1 + rng.Below(40));
    Run(static_cast<std::int64_t>(1 + rng.Below(12)), 1 + rng.Below(3));
    meter_.reset();
    usage_fs_.Restart(rng.Chance(0.5) ? PowerLoss::kDropAll : PowerLoss::kKeepSome, rng.Next());
    Open();
    ExpectAllCounted();
  }
  Run(40);
  ExpectAllCounted();
}

TEST_F(CostMeterTest, ReadsAreSavedWithin30Seconds) {
  Open();
  meter_->counters().Scanned(7, "slow");
  meter_->counters().Retrieved({.service = "shop"});
  Run(1);
  meter_->counters().Scanned(100, "");  // lost
  Open();
  const Day today = DayOf(clock_.UnixNs());
  const auto answer = meter_->Usage(today, today + 1);
  ASSERT_TRUE(answer);
  const auto& days = answer->days;
  ASSERT_EQ(days.size(), 1U);
  EXPECT_EQ(Units(days.front().usage.total(), Meter::kTracesScanned), 7);
  EXPECT_EQ(Units(days.front().usage.total(), Meter::kTracesRetrieved), 1);
}

TEST_F(CostMeterTest, ADamagedDayIsSetAsideAndCountedAnew) {
  Open();
  Run(60, 2);
  ASSERT_TRUE(meter_->Close());
  auto files = usage_fs_.Snapshot();
  for (auto& [path, content] : files) content[content.size() / 2] = '\1';
  usage_fs_.Load(files);
  Open();
  EXPECT_GT(folder_.metrics.GetCounter("fluoro_cost_failures_total", "").value(), 0);
  Run(30);
  ExpectAllCounted();
}

TEST_F(CostMeterTest, BudgetsAlertOnceAThreshold) {
  ASSERT_TRUE(folder_.control->Write("test", [](control::Transaction& change) {
    analysis::Budget budget;
    budget.name = "pay";
    budget.usd_month = 100 * 5e-6;  // of 100 traces
    budget.dimension = Dimension::kService;
    budget.of = "pay";
    return PutBudget(change, budget);
  }));
  Open();
  // One of the two a minute is "pay"; it counts 20 minutes later, in windows of five.
  Run(60, 2);
  EXPECT_TRUE(alerts_.empty());
  Run(50, 2);
  ASSERT_EQ(alerts_.size(), 2U) << "one half, four fifths";
  EXPECT_EQ(alerts_[0].state.level, 1U);
  EXPECT_EQ(alerts_[1].state.level, 2U);
  Run(40, 2);
  ASSERT_EQ(alerts_.size(), 3U);
  EXPECT_EQ(BudgetStateName(alerts_[2].budget, alerts_[2].state), "exceeded");
  EXPECT_EQ(meter_->budget_states().at("pay").level, 3U);
  EXPECT_EQ(folder_.metrics.GetGauge("fluoro_budget_alerts", "", {{"budget", "pay"}}).value(), 3);
}

TEST_F(CostMeterTest, AReaderWritesNothing) {
  folder_.Put(1, {.service = "shop"});
  by_day_[DayOf(kNow)] = 1;
  CostMeter reader(*folder_.store, *folder_.control, usage_fs_, clock_, folder_.metrics,
                   {.folder = "data/usage", .read_only = true});
  clock_.Advance(60 * kMinuteNs);
  reader.Step({});
  const auto answer = reader.Usage(DayOf(kNow), DayOf(kNow) + 2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(Units(answer->days.front().usage.total(), Meter::kTracesRecorded), 1);
  EXPECT_TRUE(usage_fs_.Snapshot().empty());
}

}  // namespace
}  // namespace fluoro::cost
