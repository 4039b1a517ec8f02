// POST /ui/api/genai/experiments: arms of experiments compared. docs/compare.md.
#pragma once

#include <string>
#include <string_view>

#include "api/ui/comparing.h"
#include "base/error.h"

namespace fluoro::api::ui {

/// Requests that are looked at, the newest first.
inline constexpr std::uint64_t kExperimentTracesMax = 50'000;

/// `body`: the members of ParseQueryRequest that name a window and an expression; "id": an
/// experiment (absent: all); "control": an arm; "shares": {arm: number}, of which the arms are
/// meant to get. The answer's shape: docs/cli.md. Errors: kInvalidArgument, those of the store.
Result<std::string> ExperimentsJson(const CompareContext& context, std::string_view body);

}  // namespace fluoro::api::ui
