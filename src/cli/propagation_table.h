// The document of `fluoro propagation --json` as text.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// Errors: kCorruption if `json` is not such a document.
Result<std::string> RenderPropagation(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
