#include "analysis/ledger/bills.h"

#include "analysis/ledger/steps.h"

namespace fluoro::analysis {

std::vector<std::int64_t> CostsWithBelow(const model::AssembledTrace& trace,
                                         const genai::TraceCost& cost) {
  std::vector<std::int64_t> costs(trace.entities.size(), 0);
  ForEachBill(cost, [&](const genai::PricedStep& step, std::int64_t nano_usd) {
    costs[static_cast<std::size_t>(step.entity)] += nano_usd;
  });
  const std::vector<std::int32_t> order = ParentsFirst(trace);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const std::int32_t parent = trace.entities[static_cast<std::size_t>(*at)].parent;
    if (parent >= 0)
      costs[static_cast<std::size_t>(parent)] += costs[static_cast<std::size_t>(*at)];
  }
  return costs;
}

std::vector<std::int64_t> DivideEqually(std::int64_t total, std::size_t parts) {
  const auto count = static_cast<std::int64_t>(parts);
  std::vector<std::int64_t> shares(parts, total / count);
  for (std::int64_t i = 0; i < total % count; ++i) ++shares[static_cast<std::size_t>(i)];
  return shares;
}

}  // namespace fluoro::analysis
