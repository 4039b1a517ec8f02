// POST /ui/api/whatif: what head rules would record and tail policies would keep of what is stored.
// docs/cli.md, docs/cost.md.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "analysis/prices.h"
#include "base/error.h"
#include "query/plan.h"
#include "query/tail_filters.h"
#include "sampling/rule.h"
#include "sampling/what_if.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// Traces that are looked at, the newest first.
inline constexpr std::uint64_t kWhatIfTracesMax = 200'000;

struct WhatIfContext {
  store::TraceStore& store;
  std::int64_t now_monotonic_ns = 0;
  std::int64_t now_ns = 0;
  /// Over these the head rules of a file are put.
  std::vector<sampling::Rule> standing{sampling::DefaultRule()};
  const analysis::PriceTable& prices;
  std::string region = std::string(analysis::kPriceRegion);
  query::GroupLookup groups = {};
};

/// `body`: the members of ParseQueryRequest that name a window and an expression; "policies": an
/// object as sampling::ParseRuleFile takes it; "clients": how many share the reservoirs (absent:
/// 1). Traces that were thinned already count by their skeletons, of which filters hold for none.
/// Errors: kInvalidArgument, kTooLarge, those of the store.
Result<std::string> WhatIfJson(const WhatIfContext& context, std::string_view body);

/// What was found to replay.
struct Replayed {
  bool complete = true;
  double scanned_share = 1;
  std::uint64_t thinned = 0;
  std::uint64_t chosen_before = 0;  ///< by a head rule, whatever it refused is not known
  std::int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;  ///< starts
  std::vector<std::string> damaged;
};
/// One trace that is replayed; lives as long as the call.
using ReplayVisitor = std::function<void(const sampling::WhatIf::Trace&, std::string_view rule)>;
/// Visits stored traces and skeletons of dropped ones, at most kWhatIfTracesMax. `attributes` are
/// those that rules ask for. Errors: those of the store.
Result<Replayed> Replay(store::TraceStore& store, const query::Plan& plan,
                        const query::TailFilters& filters, const std::set<std::string>& attributes,
                        const ReplayVisitor& visit);

/// What traces of a window come to in 30 days, as X-Ray prices recording them.
double MonthlyUsd(const WhatIfContext& context, double traces, std::int64_t window_ns);

/// The answer's members: predicted figures, without braces around them.
void WriteWhatIf(JsonWriter& out, const WhatIfContext& context,
                 const sampling::WhatIfResult& result, std::int64_t window_ns);

}  // namespace fluoro::api::ui
