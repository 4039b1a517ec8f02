// The commands fluoro genai ledger|waste|ttft.
#pragma once

#include "cli/command.h"

namespace fluoro::cli {

/// Adds them to `fluoro genai`.
void AddGenAiLedger(CLI::App& group, Action& action);

}  // namespace fluoro::cli
