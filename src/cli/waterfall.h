// A trace as a waterfall of text. Input is the document of `fluoro trace --json`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// Full blocks are on the critical path, light ones are not. Errors: kCorruption if `json` is not
/// such a document.
Result<std::string> RenderWaterfall(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
