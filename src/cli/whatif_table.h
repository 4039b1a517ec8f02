// What head rules and tail policies would do, as tables.
#pragma once

#include <simdjson.h>

#include <string>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// Of the members that the answer of /ui/api/whatif has, and `predicted` of /ui/api/suggest.
std::string WhatIfTables(simdjson::dom::element predicted, const Terminal& terminal);
/// What of the replay is not known, or is missing.
std::string ReplayDoubts(simdjson::dom::element answer, const Terminal& terminal);

}  // namespace fluoro::cli
