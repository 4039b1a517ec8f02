// POST /ui/api/whatif: what tail policies would keep of what is stored. docs/cli.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// Traces that are looked at, the newest first.
inline constexpr std::uint64_t kWhatIfTracesMax = 200'000;

/// `body`: the members of ParseQueryRequest that name a window and an expression, and "policies":
/// an object as sampling::ParseTailPolicies takes it. Traces that were thinned already count by
/// their skeletons, of which filters hold for none.
/// Errors: kInvalidArgument, kTooLarge, those of the store.
Result<std::string> WhatIfJson(store::TraceStore& store, std::string_view body,
                               std::int64_t now_monotonic_ns);

}  // namespace fluoro::api::ui
