// The cheapest rates that record enough of everything: a covering problem. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fluoro::sampling {

/// So much of something is to be recorded: the sum of units x rate over its columns is at least
/// `need`, which is at most the sum of the units.
struct Demand {
  std::vector<std::pair<std::uint32_t, double>> units;  ///< by column, ascending; > 0
  double need = 0;
};

/// Rates in [0, 1], one a column, with the least sum of cost x rate that meets all demands: a
/// linear program, solved exactly (up to rounding of about 1e-9). Demands that do not bind are
/// found out one by one, so that there may be thousands.
/// @param costs  >= 0, at most some hundreds.
std::vector<double> CheapestRates(std::span<const double> costs, std::span<const Demand> demands);

}  // namespace fluoro::sampling
