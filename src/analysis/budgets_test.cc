#include "analysis/budgets.h"

#include <gtest/gtest.h>

namespace fluoro::analysis {
namespace {

Budget Of(double usd) {
  Budget budget;
  budget.name = "all";
  budget.usd_month = usd;
  return budget;
}

TEST(Budget, AlertsAreReachedAtOnceAndLeftWithHysteresis) {
  const Budget budget = Of(100);
  BudgetState state{.month = 30};
  const auto after = [&](double usd) {
    state = NextState(budget, state, 30, usd);
    return state.level;
  };
  EXPECT_EQ(after(49.9), 0U);
  EXPECT_EQ(after(50), 1U);
  EXPECT_EQ(after(49), 1U) << "within the hysteresis";
  EXPECT_EQ(after(47.4), 0U);
  EXPECT_EQ(after(120), 3U);
  EXPECT_EQ(BudgetStateName(budget, state), "exceeded");
  EXPECT_EQ(after(96), 3U);
  EXPECT_EQ(after(94), 2U);
  EXPECT_EQ(BudgetStateName(budget, state), "warning");
  state = NextState(budget, state, 61, 49);
  EXPECT_EQ(state.level, 0U) << "a new month";
  EXPECT_EQ(BudgetStateName(budget, state), "ok");
}

// Noise around a threshold raises the alert once.
TEST(Budget, ASmallMoveAroundAThresholdIsOneAlert) {
  const Budget budget = Of(100);
  BudgetState state;
  int raised = 0;
  for (int i = 0; i < 100; ++i) {
    const BudgetState next = NextState(budget, state, 0, 100 + (i % 2 == 0 ? 2 : -2));
    raised += next.level > state.level ? 1 : 0;
    state = next;
  }
  EXPECT_EQ(raised, 1);
}

TEST(Budget, ReadsWhatItPrintsAndNamesWhatIsWrong) {
  Budget budget = Of(12.5);
  budget.on_forecast = true;
  budget.dimension = Dimension::kTenant;
  budget.of = "acme";
  EXPECT_EQ(*ParseBudget(PrintBudget(budget)), budget);
  EXPECT_EQ(*ParseBudget(PrintBudget(Of(3))), Of(3));
  const auto wrong = [](std::string_view json) {
    const auto parsed = ParseBudget(json);
    return parsed ? std::string("taken") : parsed.error().message;
  };
  EXPECT_EQ(wrong(R"({"name":"a"})"), "usd_month: a number above 0 wanted");
  EXPECT_EQ(wrong(R"({"usd_month":1})"), "name: 1 to 64 characters wanted");
  EXPECT_EQ(wrong(R"({"name":"a","usd_month":1,"alert_at":[0.8,0.5]})"),
            "alert_at: up to 10 ascending shares above 0 wanted");
  EXPECT_EQ(wrong(R"({"name":"a","usd_month":1,"by":"service"})"),
            "of: the name of a row, together with `by`, wanted");
  EXPECT_EQ(wrong(R"({"name":"a","usd_month":1,"on":"x"})"), "on: actual or forecast wanted");
  EXPECT_EQ(wrong("["), "budget: " + ParseBudget("[").error().message.substr(8));
}

}  // namespace
}  // namespace fluoro::analysis
