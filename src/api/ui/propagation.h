// POST /ui/api/propagation: edges on which trace context is lost, why, and what to do.
// docs/propagation.md, "Finding where it breaks".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "query/plan.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// Traces that are looked at, the newest first.
inline constexpr std::uint64_t kPropagationTracesMax = 200'000;
/// A trace that ended so short a time ago is not judged: spans of it may be under way.
inline constexpr std::int64_t kPropagationSettleNs = 30'000'000'000;

struct PropagationContext {
  store::TraceStore& store;
  std::int64_t now_monotonic_ns = 0;
  std::int64_t now_ns = 0;
  query::GroupLookup groups = {};
};

/// `body`: a window and an expression as ParseQueryRequest takes them; "settle": ns (absent:
/// kPropagationSettleNs). Both sides of a lost call are in traces of their own: an expression has
/// to choose both. Errors: kInvalidArgument, those of the store.
Result<std::string> PropagationJson(const PropagationContext& context, std::string_view body);

}  // namespace fluoro::api::ui
