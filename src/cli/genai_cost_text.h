// Costs of calls of models for people to read.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// Of the answers to genai/cost and genai/audit: docs/cli.md. Errors: kCorruption.
Result<std::string> RenderGenAiCost(std::string_view json, const Terminal& terminal);
Result<std::string> RenderAudit(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
