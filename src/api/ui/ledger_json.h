// The answers of POST /ui/api/genai/ledger, /waste and /ttft: docs/cli.md, docs/genai.md.
#pragma once

#include <string>
#include <string_view>

#include "api/ui/ledger_request.h"

namespace fluoro::api::ui {

// Errors: those of ParseLedgerRequest and LookAt.

/// Where time and money went.
Result<std::string> LedgerJson(const LedgerContext& context, std::string_view body);
/// What was lost, and what was done twice.
Result<std::string> WasteJson(const LedgerContext& context, std::string_view body);
/// What the time to the first token, and between tokens, consists of.
Result<std::string> TtftJson(const LedgerContext& context, std::string_view body);

}  // namespace fluoro::api::ui
