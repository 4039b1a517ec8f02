// A share of calls with what chance allows it.
#pragma once

#include <algorithm>
#include <cmath>

namespace fluoro::analysis::propagation {

/// Weighted calls. The number of independent ones is (sum of weights)^2 / sum of squares.
struct Weighted {
  double count = 0;
  double squares = 0;
  void Add(double weight) {
    count += weight;
    squares += weight * weight;
  }
};

struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson's 95 % interval of hits / (hits + misses); 0..1 of nothing. Pure.
inline Interval WilsonOf(const Weighted& hits, const Weighted& misses) {
  const double total = hits.count + misses.count;
  if (total <= 0) return {};
  const double n = total * total / std::max(hits.squares + misses.squares, 1e-12);
  constexpr double kZ = 1.959964;
  const double share = hits.count / total;
  const double middle = (share + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half =
      kZ / (1 + kZ * kZ / n) * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

}  // namespace fluoro::analysis::propagation
