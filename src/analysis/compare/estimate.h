// Means, shares and percentiles of weighted observations with the intervals in which they lie, and
// differences of them. All intervals hold with 95 %. Formulas and sources: docs/compare.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fluoro::analysis::compare {

struct Weighted {
  double value = 0;
  double weight = 1;  ///< > 0
};

/// Least value such that values up to it have this part of the weight; 0 for none.
/// @param sorted  by value.
double WeightedQuantile(std::span<const Weighted> sorted, double quantile);

/// What is known of a mean, a share or a percentile.
struct Estimate {
  double value = 0;
  double low = 0, high = 0;  ///< both `value` where nothing can be said: fewer than two
  double error = 0;          ///< standard error
  double degrees = 0;        ///< of freedom; of means only
};

/// Sums of observations x of weight w. Not thread-safe.
class WeightedSums {
 public:
  void Add(double x, double weight);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double weight() const { return weight_; }
  [[nodiscard]] double squares() const { return squares_; }  ///< of weights
  [[nodiscard]] double mean() const;
  /// Observations of equal weight that would tell as much (Kish).
  [[nodiscard]] double effective() const;
  /// Sum of w*w*(x - from)^2.
  [[nodiscard]] double square_sum_from(double from) const;
  /// Of the mean, by linearisation; 0 for fewer than two.
  [[nodiscard]] double variance() const;

 private:
  std::uint64_t count_ = 0;
  double weight_ = 0, squares_ = 0;
  // Of x less the first one, so that large numbers that vary little keep their digits.
  double origin_ = 0;
  double weight_x_ = 0, squares_x_ = 0, squares_xx_ = 0;
};

/// Student's interval.
Estimate MeanOf(const WeightedSums& sums);
/// Wilson's interval for a share; observations are 0 or 1.
Estimate RateOf(const WeightedSums& sums);
/// Woodruff's interval: that of the share below the percentile, read back as values.
/// @param sorted  by value. `quantile` in (0, 1).
Estimate QuantileOf(std::span<const Weighted> sorted, double quantile);

struct Difference {
  double value = 0;  ///< of b less that of a
  double low = 0, high = 0;
  double p = 1;  ///< that so much or more comes by chance where there is no difference
  /// By how much both sides together must grow for a difference as large as this one to be found
  /// with a probability of 80 %; at most 1: they are enough; infinite: there is none.
  double growth = 0;
};

/// Welch's t-test.
Difference DifferenceOfMeans(const Estimate& a, const Estimate& b);
/// From the intervals of both (Newcombe; Zou and Donner), for shares and percentiles.
Difference DifferenceOf(const Estimate& a, const Estimate& b);

}  // namespace fluoro::analysis::compare
