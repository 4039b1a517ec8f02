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

/// Window start -> band, for windows preceded by at least half an hour of windows with data and 20
/// requests: that of analysis::BandOf, by which anomalies are found, too. Pure.
std::map<std::int64_t, Forecast> ForecastFaults(
    const std::map<std::int64_t, analysis::Statistics>& windows);

}  // namespace fluoro::api::xray
