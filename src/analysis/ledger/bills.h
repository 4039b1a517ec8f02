// Who pays: the billable steps of a trace cost.
#pragma once

#include <cstdint>
#include <vector>

#include "genai/trace_cost.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// Calls visit(step, nano_usd) for each step that is paid for.
template <class Visit>
void ForEachBill(const genai::TraceCost& cost, Visit&& visit) {
  for (const genai::PricedStep& step : cost.steps) {
    if (step.role == genai::UsageRole::kBillable && step.cost_nano_usd && step.entity >= 0)
      visit(step, *step.cost_nano_usd);
  }
}

/// What each entity and all below it cost, by entity. nano-USD.
std::vector<std::int64_t> CostsWithBelow(const model::AssembledTrace& trace,
                                         const genai::TraceCost& cost);

/// `total` in `parts` shares that differ by at most one and sum to it; the larger ones first.
/// parts >= 1, total >= 0.
std::vector<std::int64_t> DivideEqually(std::int64_t total, std::size_t parts);

}  // namespace fluoro::analysis
