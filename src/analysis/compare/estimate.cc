#include "analysis/compare/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/compare/significance.h"

namespace fluoro::analysis::compare {
namespace {

// The normal law lies below this with 80 %: the wanted power.
constexpr double kNormal80 = 0.8416212335729143;

double Square(double x) { return x * x; }

double GrowthFor(double difference, double error) {
  if (difference == 0) return std::numeric_limits<double>::infinity();
  return Square((kNormal95 + kNormal80) * error / difference);
}

}  // namespace

double WeightedQuantile(std::span<const Weighted> sorted, double quantile) {
  if (sorted.empty()) return 0;
  double all = 0;
  for (const Weighted& one : sorted) all += one.weight;
  const double wanted = quantile * all * (1 - 1e-12);
  double sum = 0;
  for (const Weighted& one : sorted) {
    sum += one.weight;
    if (sum >= wanted) return one.value;
  }
  return sorted.back().value;
}

void WeightedSums::Add(double x, double weight) {
  if (count_++ == 0) origin_ = x;
  const double from = x - origin_;
  weight_ += weight;
  squares_ += weight * weight;
  weight_x_ += weight * from;
  squares_x_ += weight * weight * from;
  squares_xx_ += weight * weight * from * from;
}

double WeightedSums::mean() const { return weight_ > 0 ? origin_ + weight_x_ / weight_ : 0; }

double WeightedSums::effective() const { return squares_ > 0 ? weight_ * weight_ / squares_ : 0; }

double WeightedSums::square_sum_from(double from) const {
  const double shifted = from - origin_;
  return std::max(0.0, squares_xx_ - 2 * shifted * squares_x_ + shifted * shifted * squares_);
}

double WeightedSums::variance() const {
  if (count_ < 2) return 0;
  const double n = static_cast<double>(count_);
  return square_sum_from(mean()) / (weight_ * weight_) * n / (n - 1);
}

Estimate MeanOf(const WeightedSums& sums) {
  Estimate out{.value = sums.mean(), .low = sums.mean(), .high = sums.mean()};
  if (sums.count() < 2) return out;
  out.error = std::sqrt(sums.variance());
  out.degrees = std::max(1.0, sums.effective() - 1);
  const double half = Student95(out.degrees) * out.error;
  out.low -= half;
  out.high += half;
  return out;
}

Estimate RateOf(const WeightedSums& sums) {
  const double p = std::clamp(sums.mean(), 0.0, 1.0);
  Estimate out{.value = p, .low = p, .high = p};
  if (sums.count() < 2) return out;
  const double variance = sums.variance();
  const double n = variance > 0 && p > 0 && p < 1 ? p * (1 - p) / variance : sums.effective();
  const double z2 = Square(kNormal95);
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  out.error = std::sqrt(p * (1 - p) / n);
  out.low = p == 0 ? 0 : std::max(0.0, middle - half);
  out.high = p == 1 ? 1 : std::min(1.0, middle + half);
  return out;
}

Estimate QuantileOf(std::span<const Weighted> sorted, double quantile) {
  Estimate out;
  out.value = out.low = out.high = WeightedQuantile(sorted, quantile);
  if (sorted.size() < 2) return out;
  double weight = 0;
  double squares = 0;
  double squares_below = 0;
  for (const Weighted& one : sorted) {
    weight += one.weight;
    squares += Square(one.weight);
    if (one.value <= out.value) squares_below += Square(one.weight);
  }
  const double variance =
      ((1 - 2 * quantile) * squares_below + Square(quantile) * squares) / Square(weight);
  const double n = quantile * (1 - quantile) / variance;
  // The binomial law leans towards the middle (Cornish and Fisher); one rank more above, since a
  // percentile lies between two values.
  const double lean = (1 - 2 * quantile) * (Square(kNormal95) - 1) / (6 * n);
  const double half = kNormal95 * std::sqrt(variance);
  out.low = WeightedQuantile(sorted, std::max(0.0, quantile - half + lean));
  out.high = WeightedQuantile(sorted, std::min(1.0, quantile + half + lean + 0.5 / n));
  out.error = (out.high - out.low) / (2 * kNormal95);
  return out;
}

Difference DifferenceOfMeans(const Estimate& a, const Estimate& b) {
  Difference out{.value = b.value - a.value};
  const double variance = Square(a.error) + Square(b.error);
  const double error = std::sqrt(variance);
  out.growth = GrowthFor(out.value, error);
  out.low = out.high = out.value;
  if (!(variance > 0)) return out;
  const double degrees = Square(variance) / (Square(Square(a.error)) / std::max(1.0, a.degrees) +
                                             Square(Square(b.error)) / std::max(1.0, b.degrees));
  const double half = Student95(degrees) * error;
  out.low -= half;
  out.high += half;
  out.p = StudentTail(out.value / error, degrees);
  return out;
}

Difference DifferenceOf(const Estimate& a, const Estimate& b) {
  Difference out{.value = b.value - a.value};
  const double below = std::hypot(b.value - b.low, a.high - a.value);
  const double above = std::hypot(b.high - b.value, a.value - a.low);
  out.low = out.value - below;
  out.high = out.value + above;
  out.growth = GrowthFor(out.value, std::hypot(a.error, b.error));
  // On the side of nothing, so that the test says what the interval says.
  const double side = out.value > 0 ? below : above;
  if (side > 0) out.p = NormalTail(kNormal95 * out.value / side);
  return out;
}

}  // namespace fluoro::analysis::compare
