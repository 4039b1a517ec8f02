#include "analysis/usage_forecast.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace fluoro::analysis {
namespace {

constexpr std::size_t kWeek = 7;

// Quantile of Student's t at 97.5 %, within 1 % for 2 and more degrees of freedom.
// Source: Abramowitz and Stegun, 26.7.5.
double StudentT(double freedom) {
  constexpr double kNormal = 1.959964;
  if (freedom < 2) return 12.706;
  const double z2 = kNormal * kNormal;
  const double first = kNormal * (z2 + 1) / 4 / freedom;
  const double second = kNormal * ((5 * z2 + 16) * z2 + 3) / 96 / (freedom * freedom);
  const double third =
      kNormal * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384 / (freedom * freedom * freedom);
  return kNormal + first + second + third;
}

struct Line {
  double middle = 0;  // mean of the days' numbers
  double level = 0;   // there
  double slope = 0;
  double spread2 = 0;  // of the numbers: sum of squares
  double sigma = 0;    // of single days
  double freedom = 1;
};

Line FitLine(const std::vector<double>& values, std::size_t parameters) {
  const auto count = static_cast<double>(values.size());
  Line line;
  line.middle = (count - 1) / 2;
  for (const double value : values) line.level += value / count;
  double products = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i) - line.middle;
    line.spread2 += x * x;
    products += x * (values[i] - line.level);
  }
  const double slope = line.spread2 > 0 ? products / line.spread2 : 0;
  const auto scatter = [&](double with_slope) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = static_cast<double>(i) - line.middle;
      const double rest = values[i] - line.level - with_slope * x;
      sum += rest * rest;
    }
    return sum;
  };
  line.freedom = std::max(1.0, count - static_cast<double>(parameters));
  line.sigma = std::sqrt(scatter(0) / line.freedom);
  if (values.size() < kForecastTrendFrom) return line;
  const double freedom = std::max(1.0, line.freedom - 1);
  const double sigma = std::sqrt(scatter(slope) / freedom);
  // A slope that is two deviations from none is one of twenty by chance; three are one of 400.
  if (std::abs(slope) <= 3 * sigma / std::sqrt(line.spread2)) return line;
  line.slope = slope;
  line.sigma = sigma;
  line.freedom = freedom;
  return line;
}

// Of a day of the week to the mean of all; 1 each where there are too few days.
std::array<double, kWeek> WeekFactors(std::span<const double> days) {
  std::array<double, kWeek> factors{};
  factors.fill(1);
  if (days.size() < kForecastWeekdaysFrom) return factors;
  // To the mean of the seven days around each, so that a trend is no factor.
  std::array<double, kWeek> sums{};
  std::array<double, kWeek> counts{};
  for (std::size_t i = kWeek / 2; i + kWeek / 2 < days.size(); ++i) {
    double around = 0;
    for (std::size_t j = i - kWeek / 2; j <= i + kWeek / 2; ++j) around += days[j] / kWeek;
    if (around <= 0) continue;
    sums.at(i % kWeek) += days[i] / around;
    counts.at(i % kWeek) += 1;
  }
  double mean = 0;
  for (std::size_t i = 0; i < kWeek; ++i) {
    if (counts.at(i) == 0) return factors;
    mean += sums.at(i) / counts.at(i) / kWeek;
  }
  if (mean <= 0) return factors;
  for (std::size_t i = 0; i < kWeek; ++i) factors.at(i) = sums.at(i) / counts.at(i) / mean;
  return factors;
}

}  // namespace

Forecast ForecastRest(const ForecastInput& input) {
  const double share = std::clamp(input.today_share, 0.0, 1.0);
  std::span<const double> days = input.days;
  if (days.size() > kForecastDaysMax) days = days.last(kForecastDaysMax);
  const auto left = static_cast<double>(input.days_left) + 1 - share;
  if (days.size() < 3) {
    double sum = input.today;
    for (const double day : days) sum += day;
    const double passed = static_cast<double>(days.size()) + share;
    const double rest = passed > 0 ? sum / passed * left : 0;
    return {.expected = input.today + rest,
            .low = input.today + rest / 2,
            .high = input.today + rest * 1.5};
  }
  const std::array<double, kWeek> factors = WeekFactors(days);
  const bool by_weekday = days.size() >= kForecastWeekdaysFrom;
  std::vector<double> values;
  for (std::size_t i = 0; i < days.size(); ++i) {
    const double factor = factors.at(i % kWeek);
    values.push_back(factor > 1e-9 ? days[i] / factor : days[i]);
  }
  const Line line = FitLine(values, by_weekday ? kWeek : 1);
  // Sums over the days to come, today's rest included, of factor, factor squared, and factor times
  // distance from the middle.
  double expected = 0;
  double weight = 0;
  double squares = 0;
  double leverage = 0;
  for (std::size_t i = 0; i <= input.days_left; ++i) {
    const std::size_t number = days.size() + i;
    const double factor = factors.at(number % kWeek) * (i == 0 ? 1 - share : 1);
    const double x = static_cast<double>(number) - line.middle;
    expected += factor * std::max(0.0, line.level + line.slope * x);
    weight += factor;
    squares += factor * factor;
    leverage += factor * x;
  }
  const double count = static_cast<double>(days.size());
  double variance = squares + weight * weight / count;
  if (line.slope != 0) variance += leverage * leverage / line.spread2;
  const double band = StudentT(line.freedom) * line.sigma * std::sqrt(variance);
  return {.expected = input.today + expected,
          .low = input.today + std::max(0.0, expected - band),
          .high = input.today + expected + band};
}

}  // namespace fluoro::analysis
