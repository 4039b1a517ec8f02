#include "sampling/cover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace fluoro::sampling {
namespace {

double CostOf(const std::vector<double>& costs, const std::vector<double>& rates) {
  double sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) sum += costs[i] * rates[i];
  return sum;
}

bool Meets(const std::vector<Demand>& demands, const std::vector<double>& rates) {
  for (const Demand& demand : demands) {
    double sum = 0;
    for (const auto& [column, units] : demand.units) sum += units * rates[column];
    if (sum < demand.need * (1 - 1e-8)) return false;
  }
  return true;
}

struct Problem {
  std::vector<double> costs;
  std::vector<Demand> demands;
};

Problem RandomProblem(Rng& rng, std::size_t columns, std::size_t demands) {
  Problem problem;
  for (std::size_t i = 0; i < columns; ++i)
    problem.costs.push_back(static_cast<double>(1 + rng.Below(1'000)));
  for (std::size_t d = 0; d < demands; ++d) {
    Demand& demand = problem.demands.emplace_back();
    double all = 0;
    for (std::uint32_t i = 0; i < columns; ++i) {
      if (rng.Chance(0.4)) continue;
      demand.units.emplace_back(i, static_cast<double>(1 + rng.Below(100)));
      all += demand.units.back().second;
    }
    demand.need = rng.Chance(0.1) ? all : all * rng.Unit();
  }
  return problem;
}

// Against every point of a grid: none is cheaper, and the next one above the answer is on the grid.
TEST(CheapestRates, AreAsCheapAsTheBestOfAGridOrCheaper) {
  Rng rng(1);
  constexpr int kSteps = 10;
  for (int round = 0; round < 300; ++round) {
    const std::size_t columns = 1 + rng.Below(4);
    const Problem problem = RandomProblem(rng, columns, 1 + rng.Below(5));
    const auto rates = CheapestRates(problem.costs, problem.demands);
    ASSERT_TRUE(Meets(problem.demands, rates)) << round;
    const double cost = CostOf(problem.costs, rates);
    double best = INFINITY;
    std::vector<double> point(columns);
    const auto points = static_cast<std::size_t>(std::pow(kSteps + 1, columns));
    for (std::size_t number = 0; number < points; ++number) {
      std::size_t rest = number;
      for (double& rate : point) {
        rate = static_cast<double>(rest % (kSteps + 1)) / kSteps;
        rest /= kSteps + 1;
      }
      if (Meets(problem.demands, point)) best = std::min(best, CostOf(problem.costs, point));
    }
    EXPECT_LE(cost, best * (1 + 1e-9)) << round;
    std::vector<double> above;
    for (const double rate : rates) above.push_back(std::ceil(rate * kSteps - 1e-9) / kSteps);
    EXPECT_LE(best, CostOf(problem.costs, above) * (1 + 1e-9)) << round;
  }
}

// Prices of the demands that bind prove that nothing is cheaper, here for the greedy case: one
// demand goes to the columns that give most for their cost.
TEST(CheapestRates, OfOneDemandAreTheDensestColumnsFirst) {
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    const Problem problem = RandomProblem(rng, 1 + rng.Below(60), 1);
    const Demand& demand = problem.demands.front();
    auto columns = demand.units;
    std::ranges::sort(columns, {}, [&](const auto& column) {
      return problem.costs[column.first] / column.second;
    });
    double left = demand.need;
    double cost = 0;
    for (const auto& [column, units] : columns) {
      const double rate = std::min(1.0, left / units);
      cost += rate * problem.costs[column];
      left -= rate * units;
      if (left <= 0) break;
    }
    EXPECT_NEAR(CostOf(problem.costs, CheapestRates(problem.costs, problem.demands)), cost,
                1e-6 * (1 + cost));
  }
}

TEST(CheapestRates, ManyDemandsOfManyColumnsAreMet) {
  Rng rng(3);
  const Problem problem = RandomProblem(rng, 61, 2'000);
  EXPECT_TRUE(Meets(problem.demands, CheapestRates(problem.costs, problem.demands)));
  EXPECT_EQ(CheapestRates(problem.costs, {}), std::vector<double>(61, 0));
}

}  // namespace
}  // namespace fluoro::sampling
