// /ui/api/cost, /ui/api/prices, /ui/api/budgets: what was used and what it comes to. docs/cost.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/repository.h"
#include "cost/meter.h"

namespace fluoro::api::ui {

/// Longest range that is answered for.
inline constexpr analysis::Day kCostDaysMax = 400;

struct CostContext {
  cost::CostMeter& meter;
  control::Repository& control;
  std::int64_t now_ns = 0;
};

/// POST cost: {"by":"day"|"service"|"group"|"tenant"|"rule","from","to"}, times in nanoseconds,
/// whole days of UTC; absent: by day, this month. Errors: kInvalidArgument, those of the meter.
Result<std::string> CostJson(const CostContext& context, std::string_view body);

/// GET prices: {"region","prices":[{"region","meter","usd","valid_from","free","built_in"}]}.
std::string PricesJson(const CostContext& context);
/// POST prices: one row, put in the place of one of the same region, meter and date. Errors:
/// kInvalidArgument, kTooLarge, those of the repository.
Result<std::string> PutPriceJson(const CostContext& context, std::string_view who,
                                 std::string_view body);
/// DELETE prices?name=REGION/METER/DATE: what is built in stands again. Errors: kNotFound.
Result<std::string> DeletePriceJson(const CostContext& context, std::string_view who,
                                    std::string_view name);

/// GET budgets: {"budgets":[{"name",...,"used_usd","share","state"}]}.
Result<std::string> BudgetsJson(const CostContext& context);
Result<std::string> PutBudgetJson(const CostContext& context, std::string_view who,
                                  std::string_view body);
Result<std::string> DeleteBudgetJson(const CostContext& context, std::string_view who,
                                     std::string_view name);

}  // namespace fluoro::api::ui
