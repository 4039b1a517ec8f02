#include "analysis/budgets.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::analysis {
namespace {

constexpr double kUsdMax = 1e12;
constexpr double kShareMax = 100;

std::unexpected<Error> Bad(const std::string& member, const std::string& wanted) {
  return Fail(ErrorCode::kInvalidArgument, member + ": " + wanted + " wanted");
}

Result<std::string> TakeText(JsonView value, const std::string& member, std::size_t bytes_max) {
  const auto text = value.String();
  if (!text || text->empty() || text->size() > bytes_max)
    return Bad(member, "1 to " + std::to_string(bytes_max) + " characters");
  return std::string(*text);
}

Result<std::vector<double>> TakeShares(JsonView value) {
  std::vector<double> shares;
  for (const JsonView element : value.Elements()) {
    const auto share = element.Double();
    if (!share || !(*share > 0 && *share <= kShareMax) ||
        (!shares.empty() && *share <= shares.back()) || shares.size() == kBudgetAlertsMax)
      return Bad("alert_at", "up to 10 ascending shares above 0");
    shares.push_back(*share);
  }
  if (shares.empty()) return Bad("alert_at", "up to 10 ascending shares above 0");
  return shares;
}

Result<void> TakeMember(const JsonView::Member& member, Budget& budget) {
  const std::string key(member.key);
  const JsonView value = member.value;
  if (key == "name") {
    FLUORO_TRY(budget.name, TakeText(value, key, kBudgetNameBytesMax));
  } else if (key == "usd_month") {
    const auto usd = value.Double();
    if (!usd || !(*usd > 0 && *usd <= kUsdMax)) return Bad(key, "a number above 0");
    budget.usd_month = *usd;
  } else if (key == "alert_at") {
    FLUORO_TRY(budget.alert_at, TakeShares(value));
  } else if (key == "on") {
    const auto on = value.String();
    if (on != "actual" && on != "forecast") return Bad(key, "actual or forecast");
    budget.on_forecast = *on == "forecast";
  } else if (key == "by") {
    if (value.IsNull()) return {};
    budget.dimension = DimensionNamed(value.String().value_or(""));
    if (!budget.dimension) return Bad(key, "service, group, tenant or rule");
  } else if (key == "of") {
    if (value.IsNull()) return {};
    FLUORO_TRY(budget.of, TakeText(value, key, kUsageNameBytesMax));
  } else {
    return Fail(ErrorCode::kInvalidArgument, key + ": unknown member");
  }
  return {};
}

}  // namespace

Result<Budget> ParseBudget(std::string_view json) {
  const auto tree = JsonTree::Parse(json, {.depth_max = 4, .values_max = 256});
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "budget: " + tree.error().message);
  if (!tree->root().IsObject()) return Bad("budget", "an object");
  Budget budget;
  for (const JsonView::Member& member : tree->root().Members())
    FLUORO_CHECK_OK(TakeMember(member, budget));
  if (budget.name.empty()) return Bad("name", "1 to 64 characters");
  if (budget.usd_month == 0) return Bad("usd_month", "a number above 0");
  if (budget.dimension.has_value() != !budget.of.empty())
    return Bad("of", "the name of a row, together with `by`,");
  return budget;
}

std::string PrintBudget(const Budget& budget) {
  JsonWriter out;
  out.BeginObject().Key("name").String(budget.name).Key("usd_month").Double(budget.usd_month);
  out.Key("alert_at").BeginArray();
  for (const double share : budget.alert_at) out.Double(share);
  out.EndArray().Key("on").String(budget.on_forecast ? "forecast" : "actual");
  if (budget.dimension)
    out.Key("by").String(DimensionName(*budget.dimension)).Key("of").String(budget.of);
  out.EndObject();
  return out.Take();
}

std::string_view BudgetStateName(const Budget& budget, const BudgetState& state) {
  if (state.level == 0) return "ok";
  return budget.alert_at.at(state.level - 1) >= 1 ? "exceeded" : "warning";
}

BudgetState NextState(const Budget& budget, const BudgetState& before, Day month, double used_usd) {
  BudgetState next{.month = month, .used_usd = used_usd, .level = 0};
  const std::size_t held =
      before.month == month ? std::min(before.level, budget.alert_at.size()) : 0;
  const double share = next.Share(budget);
  for (std::size_t i = 0; i < budget.alert_at.size(); ++i) {
    const double threshold = budget.alert_at[i] * (i < held ? kBudgetHysteresis : 1);
    if (share >= threshold) next.level = i + 1;
  }
  return next;
}

}  // namespace fluoro::analysis
