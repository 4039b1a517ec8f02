// What a month will come to by its end, from its days so far. Pure. Method: docs/cost.md.
#pragma once

#include <cstddef>
#include <span>

namespace fluoro::analysis {

/// Complete days that are looked at, the youngest.
inline constexpr std::size_t kForecastDaysMax = 56;
/// From how many on the day of the week counts, and from how many a trend may.
inline constexpr std::size_t kForecastWeekdaysFrom = 21;
inline constexpr std::size_t kForecastTrendFrom = 10;

struct ForecastInput {
  std::span<const double> days;  ///< complete ones, oldest first, without a gap; >= 0
  double today = 0;              ///< so far
  double today_share = 0;        ///< 0..1 of today that has passed
  std::size_t days_left = 0;     ///< after today
};

/// A sum, and between what it lies with 95 % probability if days go on as they did.
struct Forecast {
  double expected = 0;
  double low = 0;
  double high = 0;
};

/// Today and the days after it. A straight line through the days where its slope is more than
/// chance, else their mean; times a factor for the day of the week where there are enough. The band
/// is that of a prediction: scatter of single days, and doubt about the line. Of fewer than three
/// days nothing is known about scatter: half of the expected value to both sides.
Forecast ForecastRest(const ForecastInput& input);

}  // namespace fluoro::analysis
