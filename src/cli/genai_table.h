// Sums of calls as a table.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// @param json  the answer of /ui/api/genai. Errors: kCorruption.
Result<std::string> RenderCalls(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
