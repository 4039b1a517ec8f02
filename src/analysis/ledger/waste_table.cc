#include "analysis/ledger/waste_table.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace fluoro::analysis {

void WasteTable::Add(const TraceView& view, const Waste& waste, double weight) {
  totals_.traces += 1;
  totals_.weight += weight;
  totals_.traces_with_waste += waste.lost.empty() ? 0 : 1;
  totals_.waste_ns += waste.waste_ns;
  totals_.recoverable_ns += waste.recoverable_ns;
  totals_.root_ns += waste.root_ns;
  totals_.cost_nano_usd += waste.cost_nano_usd;
  totals_.weighted_waste_ns += static_cast<double>(waste.waste_ns) * weight;
  totals_.weighted_recoverable_ns += static_cast<double>(waste.recoverable_ns) * weight;
  totals_.possibly_billed += waste.possibly_billed;
  for (const StepEnding& ending : waste.endings) {
    totals_.retries += ending.retries;
    totals_.timeouts += ending.timeout;
    totals_.timeouts_partial += ending.timeout_partial;
    totals_.throttled += ending.throttled;
    totals_.cancelled += ending.cancelled;
  }
  std::set<const WasteRow*> touched;
  for (const LostWork& work : waste.lost) {
    auto key = std::pair(KeyOf(LineOf(view, work.owner), dimensions_), work.cause);
    const bool fits = rows_.size() < kLedgerRowsMax || rows_.contains(key);
    crowded_out_ += fits ? 0 : 1;
    WasteRow& row = fits ? rows_[key] : other_;
    if (fits) {
      row.key = std::move(key.first);
      row.cause = work.cause;
    }
    if (touched.insert(&row).second) ++row.traces;
    row.lost += 1;
    row.gave_up += work.stood < 0 ? 1 : 0;
    row.fallbacks += work.fallback ? 1 : 0;
    row.attempts += static_cast<std::int64_t>(work.failed.size());
    row.failed_ns += work.failed_ns;
    row.backoff_ns += work.backoff_ns;
    row.recoverable_ns += work.recoverable_ns;
    row.cost_nano_usd += work.cost_nano_usd;
    row.weighted_waste_ns += static_cast<double>(work.waste_ns()) * weight;
    row.weighted_recoverable_ns += static_cast<double>(work.recoverable_ns) * weight;
  }
  for (const RepeatedWork& work : waste.repeated) {
    const auto key = std::pair(work.kind, work.name);
    if (repeated_.size() >= kLedgerRowsMax && !repeated_.contains(key)) {
      ++crowded_out_;
      continue;
    }
    RepeatedRow& row = repeated_[key];
    const auto calls = static_cast<std::int64_t>(work.steps.size());
    row.kind = work.kind;
    row.name = work.name;
    row.traces += 1;
    row.calls += calls;
    if (calls > row.calls_max) {
      row.calls_max = calls;
      row.example = view.trace.trace->id;
    }
    row.again_ns += work.again_ns;
    row.again_nano_usd += work.again_nano_usd;
  }
  if (!waste.lost.empty())
    Remember({.id = view.trace.trace->id,
              .root_ns = waste.root_ns,
              .waste_ns = waste.waste_ns,
              .recoverable_ns = waste.recoverable_ns,
              .cost_nano_usd = waste.cost_nano_usd});
}

void WasteTable::Remember(const WastefulTrace& trace) {
  const auto order = [](const WastefulTrace& a, const WastefulTrace& b) {
    return std::tuple(-a.recoverable_ns, -a.waste_ns) < std::tuple(-b.recoverable_ns, -b.waste_ns);
  };
  worst_.insert(std::ranges::upper_bound(worst_, trace, order), trace);
  if (worst_.size() > kWastefulTracesMax) worst_.pop_back();
}

std::vector<WasteRow> WasteTable::Rows() const {
  std::vector<WasteRow> rows;
  for (const auto& [key, row] : rows_) rows.push_back(row);
  std::ranges::stable_sort(rows, std::greater(), &WasteRow::weighted_waste_ns);
  if (other_.lost > 0) rows.push_back(other_);
  return rows;
}

std::vector<RepeatedRow> WasteTable::Repeated() const {
  std::vector<RepeatedRow> rows;
  for (const auto& [key, row] : repeated_) rows.push_back(row);
  std::ranges::stable_sort(rows, std::greater(), &RepeatedRow::again_ns);
  return rows;
}

}  // namespace fluoro::analysis
