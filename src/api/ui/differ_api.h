// POST /ui/api/differ: by which attributes selected traces differ from the others. docs/compare.md.
#pragma once

#include <string>
#include <string_view>

#include "api/ui/comparing.h"
#include "base/error.h"

namespace fluoro::api::ui {

/// Traces that are looked at, the newest first.
inline constexpr std::uint64_t kDifferTracesMax = 50'000;
/// Of which the durations are looked at, where the slowest are asked for.
inline constexpr std::uint64_t kDurationsMax = 500'000;
inline constexpr std::size_t kFindingsMax = 100;

/// `body`: the members of ParseQueryRequest that name a window and an expression (both sides
/// fulfil it); "select": {"expression", "from", "to", "duration_min_ns", "duration_max_ns",
/// "slowest": share, "failing": bool}, at least one. The answer's shape: docs/cli.md.
/// Errors: kInvalidArgument, kTooLarge, those of the store.
Result<std::string> DifferJson(const CompareContext& context, std::string_view body);

}  // namespace fluoro::api::ui
