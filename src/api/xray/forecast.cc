#include "api/xray/forecast.h"

#include <algorithm>
#include <cmath>

namespace fluoro::api::xray {
namespace {

constexpr std::int64_t kTrainingNs = 30LL * 60 * 1'000'000'000;
constexpr double kTrainingRequests = 20;
constexpr double kDeviations = 3;
constexpr double kSmoothing = 0.05;

}  // namespace

std::map<std::int64_t, Forecast> ForecastFaults(
    const std::map<std::int64_t, analysis::Statistics>& windows) {
  std::map<std::int64_t, Forecast> forecasts;
  double mean = 0;
  double variance = 0;
  double requests = 0;
  for (const auto& [start_ns, statistics] : windows) {
    const double total = statistics.total();
    if (total <= 0) continue;
    if (start_ns - windows.begin()->first >= kTrainingNs && requests >= kTrainingRequests) {
      const double reach = kDeviations * std::sqrt(variance);
      forecasts[start_ns] = {
          .fault_count_high = std::llround(std::ceil(std::min(mean + reach, 1.0) * total)),
          .fault_count_low = std::llround(std::floor(std::max(mean - reach, 0.0) * total))};
    }
    const double ratio = statistics.fault / total;
    if (requests == 0) {
      mean = ratio;
    } else {
      const double step = ratio - mean;
      mean += kSmoothing * step;
      variance = (1 - kSmoothing) * (variance + kSmoothing * step * step);
    }
    requests += total;
  }
  return forecasts;
}

}  // namespace fluoro::api::xray
