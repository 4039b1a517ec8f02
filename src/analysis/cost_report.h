// What was used, as money: a report of days, the forecast of a month, the part of a budget. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/budgets.h"
#include "analysis/prices.h"
#include "analysis/usage.h"
#include "analysis/usage_forecast.h"

namespace fluoro::analysis {

/// One day, with what is not in its file yet.
struct UsageOfDay {
  Day day = 0;
  UsageDay usage;
};

struct CostRow {
  std::string name;  ///< a day, or a row of a dimension
  Amounts units{};
  double list_usd = 0;        ///< without free tiers
  std::optional<double> usd;  ///< days only: what the day added to its month's bill
};

struct CostReport {
  std::vector<MeterBill> meters;
  double usd = 0;
  double xray_usd = 0;
  std::vector<Meter> unpriced;
  std::vector<CostRow> rows;
};

/// Of the days [from, until). `days` are ascending and go back to the start of `from`'s month,
/// since free tiers belong to months. Rows by day ascending, of a dimension by list price
/// descending.
/// @param by  absent: by day.
CostReport ReportOf(const PriceTable& prices, std::string_view region,
                    std::span<const UsageOfDay> days, Day from, Day until,
                    std::optional<Dimension> by);

/// What a month comes to.
struct MonthForecast {
  Day month = 0;
  Forecast usd;
  Forecast traces_recorded;
};
/// Of the month that `now_ns` lies in. `days`: ascending, as far back as kForecastDaysMax. Each
/// meter is foreseen by itself; the first day that is known is left out, since it may not be a
/// whole one.
MonthForecast ForecastMonth(const PriceTable& prices, std::string_view region,
                            std::span<const UsageOfDay> days, std::int64_t now_ns);

/// What counts against a budget: what was used this month, or what the month is expected to come
/// to.
double BudgetUsd(const Budget& budget, const PriceTable& prices, std::string_view region,
                 std::span<const UsageOfDay> days, std::int64_t now_ns);

}  // namespace fluoro::analysis
