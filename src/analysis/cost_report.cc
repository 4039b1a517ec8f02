#include "analysis/cost_report.h"

#include <algorithm>
#include <functional>
#include <map>

namespace fluoro::analysis {
namespace {

constexpr Amounts kNothing{};

bool IsNothing(const Amounts& amounts) { return amounts == kNothing; }

void AddAll(Amounts& sum, const Amounts& other) {
  for (std::size_t i = 0; i < kMeters; ++i) sum.at(i) += other.at(i);
}

using AmountsOf = std::function<const Amounts&(const UsageDay&)>;

const Amounts& RowIn(const UsageDay& usage, Dimension dimension, std::string_view name) {
  const auto& rows = usage.By(dimension);
  const auto row = rows.find(name);
  return row == rows.end() ? kNothing : row->second;
}

// Of days of one month, ascending; bills that end with each of them, without those in front.
std::vector<Bill> RunningBills(const PriceTable& prices, std::string_view region,
                               std::span<const DayAmounts> days) {
  std::vector<Bill> bills;
  bills.reserve(days.size());
  for (std::size_t i = 0; i < days.size(); ++i)
    bills.push_back(BillOf(prices, region, days.first(i + 1)));
  return bills;
}

void AddDifference(MeterBill& sum, const MeterBill& after, const MeterBill* before) {
  const auto minus = [](const std::optional<double>& a, const std::optional<double>& b,
                        const std::optional<double>& c) -> std::optional<double> {
    if (!a || !b || !c) return std::nullopt;
    return *a + *b - *c;
  };
  static const MeterBill kZero{
      .meter = Meter::kTracesRecorded, .units = 0, .free = 0, .usd = 0, .list_usd = 0};
  const MeterBill& minuend = before == nullptr ? kZero : *before;
  sum.units += after.units - minuend.units;
  sum.free += after.free - minuend.free;
  sum.usd = minus(sum.usd, after.usd, minuend.usd);
  sum.list_usd = minus(sum.list_usd, after.list_usd, minuend.list_usd);
}

// One meter's days: those complete, then today so far.
struct Daily {
  std::vector<double> complete;
  double today = 0;
};

Daily DailyOf(std::span<const UsageOfDay> days, Day today, const AmountsOf& amounts_of,
              std::size_t meter) {
  Daily out;
  if (days.empty()) return out;
  Day next = days.front().day + 1;
  if (next >= today) next = today;
  std::size_t at = 0;
  for (; next < today; ++next) {
    while (at < days.size() && days[at].day < next) ++at;
    const bool is_there = at < days.size() && days[at].day == next;
    out.complete.push_back(is_there ? amounts_of(days[at].usage).at(meter) : 0);
  }
  if (days.back().day == today) out.today = amounts_of(days.back().usage).at(meter);
  return out;
}

// Amounts of today and the rest of the month.
struct Rest {
  Amounts expected{}, low{}, high{};
};

Rest RestOf(std::span<const UsageOfDay> days, std::int64_t now_ns, const AmountsOf& amounts_of) {
  const Day today = DayOf(now_ns);
  const double share =
      static_cast<double>(now_ns - std::int64_t{today} * kDayNs) / static_cast<double>(kDayNs);
  Rest rest;
  for (std::size_t i = 0; i < kMeters; ++i) {
    const Daily daily = DailyOf(days, today, amounts_of, i);
    const Forecast forecast =
        ForecastRest({.days = daily.complete,
                      .today = daily.today,
                      .today_share = share,
                      .days_left = static_cast<std::size_t>(NextMonth(today) - today - 1)});
    rest.expected.at(i) = forecast.expected;
    rest.low.at(i) = forecast.low;
    rest.high.at(i) = forecast.high;
  }
  return rest;
}

// Days of this month before today.
std::vector<DayAmounts> Before(std::span<const UsageOfDay> days, Day today,
                               const AmountsOf& amounts_of) {
  std::vector<DayAmounts> out;
  for (const UsageOfDay& day : days) {
    if (day.day >= MonthStart(today) && day.day < today)
      out.push_back({.day = day.day, .amounts = amounts_of(day.usage)});
  }
  return out;
}

const Amounts& TotalOf(const UsageDay& usage) { return usage.total(); }

}  // namespace

CostReport ReportOf(const PriceTable& prices, std::string_view region,
                    std::span<const UsageOfDay> days, Day from, Day until,
                    std::optional<Dimension> by) {
  CostReport report;
  for (std::size_t i = 0; i < kMeters; ++i)
    report.meters.push_back(
        {.meter = static_cast<Meter>(i), .units = 0, .free = 0, .usd = 0, .list_usd = 0});
  std::map<Day, std::vector<DayAmounts>> months;
  std::map<std::string, CostRow> rows;
  for (const UsageOfDay& day : days) {
    if (day.day >= until) break;
    months[MonthStart(day.day)].push_back({.day = day.day, .amounts = day.usage.total()});
    if (day.day < from || !by) continue;
    for (const auto& [name, amounts] : day.usage.By(*by)) {
      CostRow& row = rows[name];
      row.name = name;
      AddAll(row.units, amounts);
      row.list_usd += ListUsd(prices, region, day.day, amounts);
    }
  }
  for (const auto& [month, of_month] : months) {
    const std::vector<Bill> bills = RunningBills(prices, region, of_month);
    for (std::size_t i = 0; i < of_month.size(); ++i) {
      const Day day = of_month[i].day;
      if (day < from) continue;
      const Bill* const before = i == 0 ? nullptr : &bills[i - 1];
      for (std::size_t meter = 0; meter < kMeters; ++meter)
        AddDifference(report.meters[meter], bills[i].meters[meter],
                      before == nullptr ? nullptr : &before->meters[meter]);
      const double usd = bills[i].usd - (before == nullptr ? 0 : before->usd);
      report.usd += usd;
      report.xray_usd += bills[i].xray_usd - (before == nullptr ? 0 : before->xray_usd);
      if (by || IsNothing(of_month[i].amounts)) continue;
      report.rows.push_back({.name = DayText(day),
                             .units = of_month[i].amounts,
                             .list_usd = ListUsd(prices, region, day, of_month[i].amounts),
                             .usd = usd});
    }
  }
  for (MeterBill& bill : report.meters) {
    const PriceRow* const row = prices.Find(region, bill.meter, until - 1);
    if (row == nullptr || !row->usd) {
      bill.usd.reset();
      bill.list_usd.reset();
    }
    if (bill.units > 0 && !bill.usd) report.unpriced.push_back(bill.meter);
  }
  for (auto& [name, row] : rows) report.rows.push_back(std::move(row));
  if (by) {
    std::ranges::stable_sort(
        report.rows, [](const CostRow& a, const CostRow& b) { return a.list_usd > b.list_usd; });
  }
  return report;
}

MonthForecast ForecastMonth(const PriceTable& prices, std::string_view region,
                            std::span<const UsageOfDay> days, std::int64_t now_ns) {
  const Day today = DayOf(now_ns);
  const Rest rest = RestOf(days, now_ns, TotalOf);
  std::vector<DayAmounts> month = Before(days, today, TotalOf);
  const std::size_t recorded = static_cast<std::size_t>(Meter::kTracesRecorded);
  double so_far = 0;
  for (const DayAmounts& day : month) so_far += day.amounts.at(recorded);
  const auto with = [&](const Amounts& amounts) {
    month.push_back({.day = today, .amounts = amounts});
    const double usd = BillOf(prices, region, month).usd;
    month.pop_back();
    return usd;
  };
  return {.month = MonthStart(today),
          .usd = {.expected = with(rest.expected), .low = with(rest.low), .high = with(rest.high)},
          .traces_recorded = {.expected = so_far + rest.expected.at(recorded),
                              .low = so_far + rest.low.at(recorded),
                              .high = so_far + rest.high.at(recorded)}};
}

double BudgetUsd(const Budget& budget, const PriceTable& prices, std::string_view region,
                 std::span<const UsageOfDay> days, std::int64_t now_ns) {
  const Day today = DayOf(now_ns);
  const AmountsOf amounts_of = [&](const UsageDay& usage) -> const Amounts& {
    return budget.dimension ? RowIn(usage, *budget.dimension, budget.of) : usage.total();
  };
  std::vector<DayAmounts> month = Before(days, today, amounts_of);
  Amounts last{};
  if (budget.on_forecast) {
    last = RestOf(days, now_ns, amounts_of).expected;
  } else if (!days.empty() && days.back().day == today) {
    last = amounts_of(days.back().usage);
  }
  month.push_back({.day = today, .amounts = last});
  if (!budget.dimension) return BillOf(prices, region, month).usd;
  double usd = 0;
  for (const DayAmounts& day : month) usd += ListUsd(prices, region, day.day, day.amounts);
  return usd;
}

}  // namespace fluoro::analysis
