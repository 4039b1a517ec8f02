// POST /ui/api/compare: two traces step by step, or one against what is typical. docs/compare.md.
#pragma once

#include <string>
#include <string_view>

#include "api/ui/comparing.h"
#include "base/error.h"

namespace fluoro::api::ui {

/// Traces that are looked at for typical ones, the newest first.
inline constexpr std::uint64_t kTypicalScanMax = 20'000;
inline constexpr std::size_t kDiffNodesMax = 10'000;

/// `body`: {"a": trace id, "b": trace id}, or {"a": trace id, "typical": true} with the members of
/// ParseQueryRequest that name a window and an expression; without an expression the traces with
/// the same root are typical, without a window those of an hour before and after. The answer's
/// shape: docs/cli.md. Errors: kInvalidArgument, kNotFound, those of the store.
Result<std::string> CompareJson(const CompareContext& context, std::string_view body);

}  // namespace fluoro::api::ui
