#include "analysis/prices.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace fluoro::analysis {
namespace {

Amounts Of(std::initializer_list<std::pair<Meter, double>> units) {
  Amounts amounts{};
  for (const auto& [meter, value] : units) amounts.at(static_cast<std::size_t>(meter)) = value;
  return amounts;
}

const MeterBill& Line(const Bill& bill, Meter meter) {
  return bill.meters.at(static_cast<std::size_t>(meter));
}

double Cents(double usd) { return std::round(usd * 100) / 100; }

// The example of AWS's pricing page: 2,000 requests an hour over 31 days, one in ten recorded.
TEST(Bill, IsThatOfTheWorkedExampleToTheCent) {
  const Day first = *ParseDay("2026-10-01");
  std::vector<DayAmounts> days;
  for (Day day = first; day < NextMonth(first); ++day) {
    days.push_back({.day = day,
                    .amounts = Of({{Meter::kTracesRecorded, 2'000 * 24 * 0.1},
                                   {Meter::kTracesScanned, 100 * 200},
                                   {Meter::kTracesRetrieved, 100 * 50},
                                   {Meter::kInsightTraces, 2'000 * 24 * 0.1}})});
  }
  ASSERT_EQ(days.size(), 31U);
  const Bill bill = BillOf(PriceTable::BuiltIn(), "us-east-1", days);
  EXPECT_EQ(Line(bill, Meter::kTracesRecorded).units, 148'800);
  EXPECT_EQ(Line(bill, Meter::kTracesRecorded).free, 100'000);
  EXPECT_EQ(Cents(*Line(bill, Meter::kTracesRecorded).usd), 0.24);
  EXPECT_EQ(Line(bill, Meter::kTracesScanned).units, 620'000);
  EXPECT_EQ(*Line(bill, Meter::kTracesScanned).usd, 0);
  EXPECT_EQ(*Line(bill, Meter::kTracesRetrieved).usd, 0);
  EXPECT_EQ(Cents(*Line(bill, Meter::kInsightTraces).usd), 0.15);
  EXPECT_EQ(Cents(bill.usd), 0.39);
  EXPECT_EQ(bill.xray_usd, bill.usd);
}

TEST(Bill, IsTheFormulaOfTheSourcesForAnyAmounts) {
  Rng rng(3);
  for (int round = 0; round < 2'000; ++round) {
    const double recorded = static_cast<double>(rng.Below(3'000'000));
    const double retrieved = static_cast<double>(rng.Below(1'500'000));
    const double scanned = static_cast<double>(rng.Below(1'500'000));
    const double insights = static_cast<double>(rng.Below(1'000'000));
    const Amounts all = Of({{Meter::kTracesRecorded, recorded},
                            {Meter::kTracesRetrieved, retrieved},
                            {Meter::kTracesScanned, scanned},
                            {Meter::kInsightTraces, insights}});
    // However the month's amounts fall on its days.
    const Day first = *ParseDay("2026-02-01");
    std::vector<DayAmounts> days;
    Amounts left = all;
    while (first + static_cast<Day>(days.size()) < NextMonth(first)) {
      DayAmounts& day = days.emplace_back();
      day.day = first + static_cast<Day>(days.size()) - 1;
      const bool last = day.day + 1 == NextMonth(first);
      for (std::size_t i = 0; i < kMeters; ++i) {
        day.amounts.at(i) = last ? left.at(i) : std::floor(left.at(i) * rng.Unit());
        left.at(i) -= day.amounts.at(i);
      }
    }
    const double wanted = 5e-6 * std::max(0.0, recorded - 1e5) +
                          5e-7 * std::max(0.0, retrieved + scanned - 1e6) + 1e-6 * insights;
    EXPECT_NEAR(BillOf(PriceTable::BuiltIn(), "us-east-1", days).usd, wanted, 1e-6);
    EXPECT_NEAR(BillOf(PriceTable::BuiltIn(), "us-east-1", first, all).usd, wanted, 1e-6);
  }
}

TEST(Bill, WhatHasNoPriceIsNotNothing) {
  const Bill bill = BillOf(PriceTable::BuiltIn(), "us-east-1", *ParseDay("2026-02-01"),
                           Of({{Meter::kSpanBytesStored, 1e12}, {Meter::kTracesRecorded, 5}}));
  EXPECT_FALSE(Line(bill, Meter::kSpanBytesStored).usd);
  EXPECT_FALSE(Line(bill, Meter::kQueryCpuSeconds).usd) << "nor if nothing was used";
  EXPECT_EQ(bill.unpriced, std::vector{Meter::kSpanBytesStored});
  EXPECT_EQ(bill.usd, 0);
}

TEST(PriceTable, PricesAreDatedAndRegionsFallBack) {
  PriceTable table = PriceTable::BuiltIn();
  const Day change = *ParseDay("2026-02-15");
  ASSERT_TRUE(table.Put({.region = "us-east-1",
                         .meter = Meter::kInsightTraces,
                         .usd = 2e-6,
                         .free = std::nullopt,
                         .valid_from = change}));
  ASSERT_TRUE(table.Put({.region = "eu-west-1",
                         .meter = Meter::kInsightTraces,
                         .usd = 9e-6,
                         .free = std::nullopt,
                         .valid_from = change}));
  const auto usd = [&](std::string_view region, Day day) {
    return *table.Find(region, Meter::kInsightTraces, day)->usd;
  };
  EXPECT_EQ(usd("us-east-1", change - 1), 1e-6);
  EXPECT_EQ(usd("us-east-1", change), 2e-6);
  EXPECT_EQ(usd("eu-west-1", change + 100), 9e-6);
  EXPECT_EQ(usd("eu-west-1", change - 1), 1e-6);
  EXPECT_EQ(usd("ap-south-1", change), 2e-6);
  EXPECT_EQ(table.Find("us-east-1", Meter::kInsightTraces, *ParseDay("2022-12-31")), nullptr);
  const std::array days{
      DayAmounts{.day = change - 1, .amounts = Of({{Meter::kInsightTraces, 1e6}})},
      DayAmounts{.day = change, .amounts = Of({{Meter::kInsightTraces, 1e6}})}};
  EXPECT_NEAR(BillOf(table, "us-east-1", days).usd, 3, 1e-9);
}

TEST(PriceRow, ReadsWhatItPrintsAndNamesWhatIsWrong) {
  const PriceTable table = PriceTable::BuiltIn();
  for (const PriceRow& row : table.rows()) {
    const auto again = ParsePriceRow(PrintPriceRow(row));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, row);
  }
  const auto wrong = [](std::string_view json) {
    const auto row = ParsePriceRow(json);
    return row ? std::string("taken") : row.error().message;
  };
  EXPECT_EQ(wrong(R"({"meter":"x","valid_from":"2026-01-01"})"),
            "meter: the name of a meter wanted");
  EXPECT_EQ(wrong(R"({"meter":"index_bytes"})"), "valid_from: it is wanted");
  EXPECT_EQ(wrong(R"({"meter":"index_bytes","valid_from":"2026-02-30"})"),
            "valid_from: '2026-02-30' is no date like 2026-11-29");
  EXPECT_EQ(wrong(R"({"meter":"index_bytes","valid_from":"2026-02-01","usd":-1})"),
            "usd: a number of 0 or more wanted");
  EXPECT_EQ(wrong(R"({"meter":"index_bytes","valid_from":"2026-02-01","usd":null})"), "taken");
}

TEST(Day, IsACalendarDay) {
  EXPECT_EQ(DayOf(0), 0);
  EXPECT_EQ(DayOf(-1), -1);
  EXPECT_EQ(DayText(DayOf(1'700'000'000'000'000'000)), "2023-11-14");
  EXPECT_EQ(DayText(MonthStart(*ParseDay("2024-02-29"))), "2024-02-01");
  EXPECT_EQ(DayText(NextMonth(*ParseDay("2024-12-31"))), "2025-01-01");
  EXPECT_FALSE(ParseDay("2024-2-1"));
}

}  // namespace
}  // namespace fluoro::analysis
