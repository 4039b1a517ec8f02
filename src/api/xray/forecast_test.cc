#include "api/xray/forecast.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace fluoro::api::xray {
namespace {

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;

analysis::Statistics Minute(double ok, double fault) {
  analysis::Statistics statistics;
  statistics.ok = ok;
  statistics.fault = fault;
  return statistics;
}

TEST(Forecast, NeedsHalfAnHourAndTwentyRequests) {
  std::map<std::int64_t, analysis::Statistics> windows;
  for (int i = 0; i < 30; ++i) windows[i * kMinuteNs] = Minute(1, 0);
  EXPECT_TRUE(ForecastFaults(windows).empty());
  windows[30 * kMinuteNs] = Minute(1, 0);
  EXPECT_EQ(ForecastFaults(windows).size(), 1U);

  std::map<std::int64_t, analysis::Statistics> sparse{{0, Minute(1, 0)},
                                                      {60 * kMinuteNs, Minute(1, 0)}};
  EXPECT_TRUE(ForecastFaults(sparse).empty());
}

TEST(Forecast, BandHoldsTheUsualShareOfFaults) {
  std::map<std::int64_t, analysis::Statistics> windows;
  for (int i = 0; i < 120; ++i)
    windows[i * kMinuteNs] = Minute(i % 2 == 0 ? 98 : 96, i % 2 == 0 ? 2 : 4);
  const Forecast band = ForecastFaults(windows).rbegin()->second;
  EXPECT_LE(band.fault_count_low, 2);
  EXPECT_GE(band.fault_count_high, 4);
  EXPECT_LE(band.fault_count_high, 10);
}

TEST(Forecast, AllFaultsStayWithinTheRequests) {
  std::map<std::int64_t, analysis::Statistics> windows;
  for (int i = 0; i < 60; ++i) windows[i * kMinuteNs] = Minute(0, 10);
  const Forecast band = ForecastFaults(windows).rbegin()->second;
  EXPECT_EQ(band.fault_count_high, 10);
  // One success among 600 requests would be no wonder.
  EXPECT_EQ(band.fault_count_low, 9);
}

}  // namespace
}  // namespace fluoro::api::xray
