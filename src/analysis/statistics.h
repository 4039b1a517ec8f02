// Counts and response times of requests: the rollups' own, under this layer's name.
#pragma once

#include "rollup/statistics.h"

namespace fluoro::analysis {

using rollup::DurationHistogram;
using rollup::Statistics;

}  // namespace fluoro::analysis
