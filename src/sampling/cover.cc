#include "sampling/cover.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>

namespace fluoro::sampling {
namespace {

constexpr double kTiny = 1e-11;
// Of a need, relative.
constexpr double kSlack = 1e-9;
constexpr std::size_t kPivotsMax = 100'000;

// Solves min c x, A x >= b, x <= 1 by its dual, max b y - 1 z, A' y - z <= c, at whose origin the
// simplex method can begin, since c >= 0. x are the prices of the dual's rows.
class Simplex {
 public:
  Simplex(std::span<const double> costs, const std::vector<const Demand*>& demands)
      : rows_(costs.size()), columns_(demands.size() + 2 * rows_) {
    table_.assign((rows_ + 1) * Width(), 0);
    basis_.resize(rows_);
    for (std::size_t j = 0; j < demands.size(); ++j) {
      // Demands of all sizes are brought to one, so that rounding is alike.
      const double scale = 1 / std::max(demands[j]->need, kTiny);
      for (const auto& [row, units] : demands[j]->units) At(row, j) = units * scale;
      At(rows_, j) = -demands[j]->need * scale;
    }
    for (std::size_t i = 0; i < rows_; ++i) {
      At(i, demands.size() + i) = -1;
      At(rows_, demands.size() + i) = 1;
      At(i, demands.size() + rows_ + i) = 1;
      At(i, columns_) = costs[i];
      basis_[i] = demands.size() + rows_ + i;
    }
  }

  std::vector<double> Solve() {
    for (std::size_t pivots = 0; pivots < kPivotsMax; ++pivots) {
      // Bland's rule: the first that improves, so that it ends.
      std::size_t enters = columns_;
      for (std::size_t j = 0; j < columns_ && enters == columns_; ++j) {
        if (At(rows_, j) < -kTiny) enters = j;
      }
      if (enters == columns_) break;
      std::size_t leaves = rows_;
      double least = 0;
      for (std::size_t i = 0; i < rows_; ++i) {
        if (At(i, enters) <= kTiny) continue;
        const double ratio = At(i, columns_) / At(i, enters);
        const bool is_less = leaves == rows_ || ratio < least - kTiny;
        if (is_less || (ratio <= least + kTiny && basis_[i] < basis_[leaves])) {
          leaves = i;
          least = ratio;
        }
      }
      // Without bound the demands could not be met; all of them can, at rates of 1.
      if (leaves == rows_) break;
      Pivot(leaves, enters);
    }
    std::vector<double> rates(rows_);
    for (std::size_t i = 0; i < rows_; ++i)
      rates[i] = std::clamp(At(rows_, columns_ - rows_ + i), 0.0, 1.0);
    return rates;
  }

 private:
  [[nodiscard]] std::size_t Width() const { return columns_ + 1; }
  double& At(std::size_t row, std::size_t column) { return table_[row * Width() + column]; }

  void Pivot(std::size_t leaves, std::size_t enters) {
    const double divisor = At(leaves, enters);
    for (std::size_t j = 0; j <= columns_; ++j) At(leaves, j) /= divisor;
    for (std::size_t i = 0; i <= rows_; ++i) {
      const double factor = At(i, enters);
      if (i == leaves || factor == 0) continue;
      for (std::size_t j = 0; j <= columns_; ++j) At(i, j) -= factor * At(leaves, j);
    }
    basis_[leaves] = enters;
  }

  std::size_t rows_;
  std::size_t columns_;
  std::vector<double> table_;
  std::vector<std::size_t> basis_;
};

double Recorded(const Demand& demand, const std::vector<double>& rates) {
  double sum = 0;
  for (const auto& [column, units] : demand.units) sum += units * rates[column];
  return sum;
}

}  // namespace

std::vector<double> CheapestRates(std::span<const double> costs, std::span<const Demand> demands) {
  std::vector<const Demand*> binding;
  std::vector<double> rates(costs.size(), 0);
  std::vector<bool> is_in(demands.size());
  for (std::size_t round = 0; round <= demands.size(); ++round) {
    // Those that are missed most.
    std::vector<std::pair<double, std::size_t>> missed;
    for (std::size_t i = 0; i < demands.size(); ++i) {
      if (is_in[i] || demands[i].need <= 0) continue;
      const double lacks = 1 - Recorded(demands[i], rates) / demands[i].need;
      if (lacks > kSlack) missed.emplace_back(lacks, i);
    }
    if (missed.empty()) break;
    std::ranges::sort(missed, std::ranges::greater());
    constexpr std::size_t kAtOnce = 16;
    missed.resize(std::min(missed.size(), kAtOnce));
    for (const auto& [lacks, i] : missed) {
      is_in[i] = true;
      binding.push_back(&demands[i]);
    }
    rates = Simplex(costs, binding).Solve();
  }
  return rates;
}

}  // namespace fluoro::sampling
