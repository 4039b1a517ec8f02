// One trace and one search hit as the JSON of docs/cli.md.
#pragma once

#include <string>

#include "base/json.h"
#include "genai/model_prices.h"
#include "model/assembly.h"
#include "model/summary.h"
#include "store/outline.h"

namespace fluoro::api::ui {

/// The document of `fluoro trace --json`. Pure.
std::string TraceJson(const model::AssembledTrace& trace, const genai::ModelPrices& prices);

/// One line of `fluoro search --json`, without a line end. Pure.
std::string SummaryJson(const model::AssembledTrace& trace, const model::TraceSummary& summary);

/// The same of `fluoro search --brief --json`. Pure.
std::string OutlineJson(const store::Outline& outline);

/// "2026-11-20T12:00:00.123456789Z".
std::string FormatUtc(std::int64_t unix_ns);

}  // namespace fluoro::api::ui
