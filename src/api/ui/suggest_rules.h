// POST /ui/api/suggest: the cheapest rules that keep enough within a budget. docs/cost.md.
#pragma once

#include <string>
#include <string_view>

#include "api/ui/what_if.h"

namespace fluoro::api::ui {

/// `body`: a window and an expression as ParseQueryRequest takes them; "budget_usd": a month, by
/// X-Ray's price of recorded traces; "keep_errors": share (absent: 0.9); "floor": traces a day of
/// each route and tenant (absent: 10). The answer's "file" is what `fluoro whatif` and
/// `fluoro rules put` take; "within_budget" says whether it costs no more. Errors:
/// kInvalidArgument, kNotFound (there is no traffic to judge by), those of the store.
Result<std::string> SuggestJson(const WhatIfContext& context, std::string_view body);

}  // namespace fluoro::api::ui
