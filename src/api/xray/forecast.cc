#include "api/xray/forecast.h"

#include <cmath>

#include "analysis/band.h"

namespace fluoro::api::xray {

std::map<std::int64_t, Forecast> ForecastFaults(
    const std::map<std::int64_t, analysis::Statistics>& windows) {
  std::map<std::int64_t, Forecast> forecasts;
  analysis::ShareBaseline baseline;
  for (const auto& [start_ns, statistics] : windows) {
    const double total = statistics.total();
    if (total <= 0) continue;
    if (baseline.IsReady(start_ns)) {
      const analysis::CountBand band = analysis::BandOf(baseline.Usual(), total);
      forecasts[start_ns] = {.fault_count_high = std::llround(std::ceil(band.high)),
                             .fault_count_low = std::llround(std::floor(band.low))};
    }
    baseline.Learn(start_ns, statistics.fault, total);
  }
  return forecasts;
}

}  // namespace fluoro::api::xray
