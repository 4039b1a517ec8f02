// What an insight says in sentences.
#pragma once

#include <string>

#include "analysis/insight.h"

namespace fluoro::analysis {

/// Two sentences or more, each ended by a point, with no point inside but those of services' names:
/// clients split the text there. Pure.
std::string SummaryOf(const Insight& insight);

}  // namespace fluoro::analysis
