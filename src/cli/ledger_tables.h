// Ledgers, waste and times of tokens as tables.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

// @param json  the answer of /ui/api/genai/ledger, /waste, /ttft. Errors: kCorruption.
Result<std::string> RenderLedger(std::string_view json, const Terminal& terminal);
Result<std::string> RenderWaste(std::string_view json, const Terminal& terminal);
Result<std::string> RenderTtft(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
