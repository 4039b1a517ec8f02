#include "analysis/usage_forecast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "base/rng.h"

namespace fluoro::analysis {
namespace {

double Normal(Rng& rng) {
  return std::sqrt(-2 * std::log(1 - rng.Unit())) * std::cos(2 * std::numbers::pi * rng.Unit());
}

// Days of traffic: level, growth a day, less at weekends, and scatter.
struct Series {
  double level = 1'000;
  double growth = 0;  // share of the level, a day
  double weekend = 1;
  double scatter = 0.1;  // share of the level

  [[nodiscard]] double Mean(std::size_t day) const {
    return level * (1 + growth * static_cast<double>(day)) * (day % 7 >= 5 ? weekend : 1);
  }
  double Draw(Rng& rng, std::size_t day) const {
    return std::max(0.0, Mean(day) + scatter * level * Normal(rng));
  }
};

// How often the month's end lies in the band, and how far off what was expected is on average.
struct Judged {
  double inside = 0;
  double error = 0;  // share
  double width = 0;  // of the band, share of what came
};

Judged Judge(const Series& series, std::size_t known, std::size_t left, std::uint64_t seed) {
  Rng rng(seed);
  constexpr int kRounds = 1'000;
  Judged judged;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> days;
    for (std::size_t i = 0; i < known; ++i) days.push_back(series.Draw(rng, i));
    const double share = rng.Unit();
    const double today = series.Draw(rng, known);
    double sum = today;
    for (std::size_t i = 1; i <= left; ++i) sum += series.Draw(rng, known + i);
    const Forecast told = ForecastRest(
        {.days = days, .today = today * share, .today_share = share, .days_left = left});
    EXPECT_LE(told.low, told.expected);
    EXPECT_LE(told.expected, told.high);
    EXPECT_GE(told.low, today * share);
    judged.inside += sum >= told.low && sum <= told.high ? 1.0 / kRounds : 0;
    judged.error += (told.expected - sum) / sum / kRounds;
    judged.width += (told.high - told.low) / sum / kRounds;
  }
  return judged;
}

TEST(Forecast, BandsHoldTheEndOfTheMonthAsOftenAsTheySay) {
  const Series kinds[] = {{},
                          {.scatter = 0.3},
                          {.growth = 0.02},
                          {.weekend = 0.3},
                          {.growth = 0.02, .weekend = 0.4, .scatter = 0.05}};
  std::uint64_t seed = 1;
  for (const Series& series : kinds) {
    for (const std::size_t known : {5U, 12U, 28U, 56U}) {
      // A week by which nothing was seen of weekends cannot tell of them, nor few days of growth.
      if ((series.weekend != 1 && known < 28) || (series.growth != 0 && known < 28)) continue;
      const Judged judged = Judge(series, known, 20, ++seed);
      SCOPED_TRACE(::testing::Message() << "growth " << series.growth << " weekend "
                                        << series.weekend << " known " << known);
      EXPECT_GT(judged.inside, 0.90);
      EXPECT_LT(std::abs(judged.error), 0.02);
      EXPECT_LT(judged.width, (known < 10 ? 2.7 * series.scatter : 1.5 * series.scatter + 0.12));
    }
  }
}

TEST(Forecast, IsExactWhereNothingChanges) {
  const std::vector<double> days(30, 50);
  const Forecast told =
      ForecastRest({.days = days, .today = 25, .today_share = 0.5, .days_left = 3});
  EXPECT_DOUBLE_EQ(told.expected, 200);
  EXPECT_DOUBLE_EQ(told.low, 200);
  EXPECT_DOUBLE_EQ(told.high, 200);
}

TEST(Forecast, OnTheLastDayOnlyTheRestOfItIsOpen) {
  const std::vector<double> days{90, 110, 100, 95, 105};
  const Forecast told =
      ForecastRest({.days = days, .today = 100, .today_share = 1, .days_left = 0});
  EXPECT_EQ(told.low, 100);
  EXPECT_EQ(told.high, 100);
}

TEST(Forecast, OfFewDaysTheBandIsWideAndOfNoneItIsNothing) {
  const Forecast first =
      ForecastRest({.days = {}, .today = 10, .today_share = 0.5, .days_left = 9});
  EXPECT_DOUBLE_EQ(first.expected, 200);
  EXPECT_LT(first.low, 110);
  EXPECT_GT(first.high, 290);
  const Forecast none = ForecastRest({.days = {}, .today = 0, .today_share = 0, .days_left = 30});
  EXPECT_EQ(none.high, 0);
}

}  // namespace
}  // namespace fluoro::analysis
