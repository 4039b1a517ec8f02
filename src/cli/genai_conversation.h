// The answer of /ui/api/genai/conversation, for people.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// What was said, step by step; what earlier steps had already is left out and counted. `all`: also
/// steps that only hand on what their models and tools say (agents, chains). Errors: kCorruption.
Result<std::string> RenderConversation(std::string_view json, bool all, const Terminal& terminal);

}  // namespace fluoro::cli
