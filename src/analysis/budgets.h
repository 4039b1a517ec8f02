// Budgets of a month, and when they are worth an alert. Pure. docs/cost.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/prices.h"
#include "analysis/usage.h"
#include "base/error.h"

namespace fluoro::analysis {

inline constexpr std::size_t kBudgetsMax = 50;
inline constexpr std::size_t kBudgetAlertsMax = 10;
inline constexpr std::size_t kBudgetNameBytesMax = 64;
/// An alert that was raised ends when the share falls below this part of its threshold, so that a
/// forecast that moves a little does not raise it again and again.
inline constexpr double kBudgetHysteresis = 0.95;

struct Budget {
  std::string name;
  double usd_month = 0;                       ///< > 0
  std::vector<double> alert_at{0.5, 0.8, 1};  ///< shares, ascending, > 0
  bool on_forecast = false;  ///< what the month is expected to come to, not what was used
  /// A part of the whole, by list prices without free tiers; absent: the whole bill.
  std::optional<Dimension> dimension;
  std::string of;  ///< the row's name there
  bool operator==(const Budget&) const = default;
};

/// {"name","usd_month","alert_at":[...],"on":"actual"|"forecast","by":"service","of":"shop"}; all
/// but name and usd_month may be absent. Errors: kInvalidArgument naming the member.
Result<Budget> ParseBudget(std::string_view json);
std::string PrintBudget(const Budget& budget);

struct BudgetState {
  Day month = 0;  ///< first day of the month it is about
  double used_usd = 0;
  std::size_t level = 0;  ///< thresholds reached: 0 is none
  [[nodiscard]] double Share(const Budget& budget) const { return used_usd / budget.usd_month; }
  bool operator==(const BudgetState&) const = default;
};
/// "ok", "warning" (some threshold below 1 is reached), "exceeded" (one of 1 or more is).
std::string_view BudgetStateName(const Budget& budget, const BudgetState& state);

/// The state after `before`: thresholds are reached at once and left with hysteresis; a new month
/// begins anew.
BudgetState NextState(const Budget& budget, const BudgetState& before, Day month, double used_usd);

}  // namespace fluoro::analysis
