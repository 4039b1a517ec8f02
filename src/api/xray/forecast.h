// The expected band of faults per window, learnt from the windows before it.
#pragma once

#include <cstdint>
#include <map>

#include "analysis/statistics.h"

namespace fluoro::api::xray {

struct Forecast {
  std::int64_t fault_count_high = 0;
  std::int64_t fault_count_low = 0;
};

inline constexpr std::int64_t kForecastHistoryNs = 24LL * 3600 * 1'000'000'000;

/// Window start -> band, for windows preceded by at least 30 minutes of windows with data and 20
/// requests. The band is mean +- 3 deviations of the fault ratio (exponentially weighted over a
/// day), times the window's requests. Pure.
std::map<std::int64_t, Forecast> ForecastFaults(
    const std::map<std::int64_t, analysis::Statistics>& windows);

}  // namespace fluoro::api::xray
