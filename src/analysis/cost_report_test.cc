#include "analysis/cost_report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace fluoro::analysis {
namespace {

constexpr auto kRecorded = static_cast<std::size_t>(Meter::kTracesRecorded);

std::vector<UsageOfDay> Days(Day from, Day until, double recorded) {
  std::vector<UsageOfDay> days;
  for (Day day = from; day < until; ++day) {
    UsageOfDay& one = days.emplace_back();
    one.day = day;
    one.usage.Add(Meter::kTracesRecorded, recorded);
    one.usage.AddTo(Dimension::kService, "shop", Meter::kTracesRecorded, recorded * 0.75);
    one.usage.AddTo(Dimension::kService, "pay", Meter::kTracesRecorded, recorded * 0.25);
  }
  return days;
}

// Days of any range add up to what their months' bills differ by.
TEST(CostReport, DaysAddUpToTheBillsOfTheirMonths) {
  Rng rng(6);
  const PriceTable prices = PriceTable::BuiltIn();
  const Day first = *ParseDay("2026-09-01");
  for (int round = 0; round < 200; ++round) {
    std::vector<UsageOfDay> days;
    std::vector<DayAmounts> september;
    std::vector<DayAmounts> october;
    for (Day day = first; day < *ParseDay("2026-11-01"); ++day) {
      if (rng.Chance(0.2)) continue;
      UsageOfDay& one = days.emplace_back();
      one.day = day;
      for (std::size_t i = 0; i < 5; ++i)
        one.usage.Add(static_cast<Meter>(i), static_cast<double>(rng.Below(60'000)));
      (MonthStart(day) == first ? september : october)
          .push_back({.day = day, .amounts = one.usage.total()});
    }
    const CostReport all = ReportOf(prices, "us-east-1", days, first, *ParseDay("2026-11-01"), {});
    EXPECT_NEAR(
        all.usd,
        BillOf(prices, "us-east-1", september).usd + BillOf(prices, "us-east-1", october).usd,
        1e-9);
    const Day split = first + static_cast<Day>(rng.Below(61));
    const CostReport before = ReportOf(prices, "us-east-1", days, first, split, {});
    const CostReport after =
        ReportOf(prices, "us-east-1", days, split, *ParseDay("2026-11-01"), {});
    EXPECT_NEAR(before.usd + after.usd, all.usd, 1e-9);
    double rows = 0;
    for (const CostRow& row : all.rows) rows += *row.usd;
    EXPECT_NEAR(rows, all.usd, 1e-9);
    double meters = 0;
    for (const MeterBill& bill : all.meters) meters += bill.usd.value_or(0);
    EXPECT_NEAR(meters, all.usd, 1e-9);
  }
}

TEST(CostReport, RowsOfADimensionAreByListPrice) {
  const Day first = *ParseDay("2026-10-01");
  const auto days = Days(first, first + 10, 100'000);
  const CostReport report =
      ReportOf(PriceTable::BuiltIn(), "us-east-1", days, first, first + 10, Dimension::kService);
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].name, "shop");
  EXPECT_NEAR(report.rows[0].list_usd, 3.75, 1e-9);
  EXPECT_EQ(report.rows[1].units.at(kRecorded), 250'000);
  EXPECT_NEAR(report.usd, 4.5, 1e-9) << "a month's first 100,000 cost nothing";
  EXPECT_FALSE(report.rows[0].usd);
  EXPECT_FALSE(report.meters[static_cast<std::size_t>(Meter::kIndexBytes)].usd);
  EXPECT_TRUE(report.unpriced.empty());
}

TEST(MonthForecast, IsTheBillOfTheWholeMonth) {
  const Day first = *ParseDay("2026-10-01");
  auto days = Days(first - 20, first + 10, 100'000);
  days.push_back(Days(first + 10, first + 11, 50'000).front());
  const std::int64_t noon_ns = std::int64_t{first + 10} * kDayNs + kDayNs / 2;
  const MonthForecast told = ForecastMonth(PriceTable::BuiltIn(), "us-east-1", days, noon_ns);
  EXPECT_EQ(DayText(told.month), "2026-10-01");
  EXPECT_NEAR(told.traces_recorded.expected, 3'100'000, 1);
  EXPECT_NEAR(told.usd.expected, 15, 1e-6);
  EXPECT_NEAR(told.usd.low, told.usd.high, 1e-6) << "all days were alike";
  Budget budget;
  budget.name = "b";
  budget.usd_month = 10;
  EXPECT_NEAR(BudgetUsd(budget, PriceTable::BuiltIn(), "us-east-1", days, noon_ns), 4.75, 1e-9);
  budget.on_forecast = true;
  EXPECT_NEAR(BudgetUsd(budget, PriceTable::BuiltIn(), "us-east-1", days, noon_ns), 15, 1e-6);
  budget.dimension = Dimension::kService;
  budget.of = "pay";
  EXPECT_NEAR(BudgetUsd(budget, PriceTable::BuiltIn(), "us-east-1", days, noon_ns), 15.5 / 4, 1e-6);
  budget.of = "nobody";
  EXPECT_EQ(BudgetUsd(budget, PriceTable::BuiltIn(), "us-east-1", days, noon_ns), 0);
}

TEST(MonthForecast, OfNothingIsNothing) {
  const MonthForecast told = ForecastMonth(PriceTable::BuiltIn(), "us-east-1", {}, 0);
  EXPECT_EQ(told.usd.high, 0);
}

}  // namespace
}  // namespace fluoro::analysis
