#include "analysis/ledger/ledger_table.h"

#include <algorithm>
#include <tuple>

namespace fluoro::analysis {
namespace {

constexpr std::array<std::string_view, kLedgerDimensions> kNames = {"kind",  "sub_kind", "tool",
                                                                    "model", "tenant",   "route"};

// `to` and `from` have the same sums.
template <class Sums>
void AddCosts(Sums& to, const Sums& from) {
  to.traces += from.traces;
  to.cost_nano_usd += from.cost_nano_usd;
  to.unpriced_steps += from.unpriced_steps;
  to.unpriced_tokens += from.unpriced_tokens;
  to.waste_ns += from.waste_ns;
  to.waste_nano_usd += from.waste_nano_usd;
  to.weighted_nano_usd += from.weighted_nano_usd;
  to.weighted_waste_ns += from.weighted_waste_ns;
  to.weighted_waste_nano_usd += from.weighted_waste_nano_usd;
}

void Merge(LedgerRow& to, const LedgerRow& from) {
  AddCosts(to, from);
  to.path_ns += from.path_ns;
  to.weighted_path_ns += from.weighted_path_ns;
  to.path_times.Merge(from.path_times);
}

void Merge(LedgerTotals& to, const LedgerTotals& from) {
  AddCosts(to, from);
  to.weight += from.weight;
  to.root_ns += from.root_ns;
  to.weighted_root_ns += from.weighted_root_ns;
  to.root_times.Merge(from.root_times);
  to.first_token_traces += from.first_token_traces;
  to.first_token_times.Merge(from.first_token_times);
  to.possibly_billed_attempts += from.possibly_billed_attempts;
  to.flagged_traces += from.flagged_traces;
}

// What a single trace brings, by its weight.
template <class Sums, class From>
void Weigh(Sums& to, const From& from, double weight) {
  to.traces = 1;
  to.cost_nano_usd = from.cost_nano_usd;
  to.unpriced_steps = from.unpriced_steps;
  to.unpriced_tokens = from.unpriced_tokens;
  to.waste_ns = from.waste_ns;
  to.waste_nano_usd = from.waste_nano_usd;
  to.weighted_nano_usd = static_cast<double>(from.cost_nano_usd) * weight;
  to.weighted_waste_ns = static_cast<double>(from.waste_ns) * weight;
  to.weighted_waste_nano_usd = static_cast<double>(from.waste_nano_usd) * weight;
}

}  // namespace

std::string_view LedgerDimensionName(LedgerDimension dimension) {
  return kNames[static_cast<std::size_t>(dimension)];
}

std::optional<LedgerDimension> LedgerDimensionNamed(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<LedgerDimension>(at - kNames.begin());
}

LedgerKey KeyOf(const LedgerLine& line, LedgerDimensions dimensions) {
  LedgerKey key;
  const auto put = [&](LedgerDimension dimension, std::string_view text) {
    if (dimensions.Has(dimension)) key[static_cast<std::size_t>(dimension)] = text;
  };
  put(LedgerDimension::kKind, genai::StepKindName(line.owner));
  put(LedgerDimension::kSubKind, line.sub_kind);
  put(LedgerDimension::kTool, line.tool);
  put(LedgerDimension::kModel, line.model);
  put(LedgerDimension::kTenant, line.tenant);
  put(LedgerDimension::kRoute, line.route);
  return key;
}

LedgerRow& LedgerTable::RowOf(const LedgerKey& key) {
  if (const auto at = rows_.find(key); at != rows_.end()) return at->second;
  if (rows_.size() >= kLedgerRowsMax) {
    ++crowded_out_;
    return other_;
  }
  LedgerRow& row = rows_[key];
  row.key = key;
  return row;
}

void LedgerTable::Add(const Ledger& ledger, double weight) {
  LedgerTotals totals;
  Weigh(totals, ledger, weight);
  totals.weight = weight;
  totals.root_ns = ledger.root_ns;
  totals.weighted_root_ns = static_cast<double>(ledger.root_ns) * weight;
  totals.root_times.Add(ledger.root_ns, weight);
  if (ledger.first_token_ns) {
    totals.first_token_traces = 1;
    totals.first_token_times.Add(*ledger.first_token_ns, weight);
  }
  totals.possibly_billed_attempts = ledger.possibly_billed_attempts;
  totals.flagged_traces = ledger.flags.empty() ? 0 : 1;
  Merge(totals_, totals);

  // Of one trace, lines of one key come together first: quantiles are by trace.
  std::map<LedgerKey, LedgerLine> lines;
  for (const LedgerLine& line : ledger.lines) {
    LedgerLine& sum = lines[KeyOf(line, dimensions_)];
    sum.path_ns += line.path_ns;
    sum.cost_nano_usd += line.cost_nano_usd;
    sum.unpriced_steps += line.unpriced_steps;
    sum.unpriced_tokens += line.unpriced_tokens;
    sum.waste_ns += line.waste_ns;
    sum.waste_nano_usd += line.waste_nano_usd;
  }
  for (const auto& [key, line] : lines) {
    LedgerRow one;
    Weigh(one, line, weight);
    one.path_ns = line.path_ns;
    one.weighted_path_ns = static_cast<double>(line.path_ns) * weight;
    one.path_times.Add(line.path_ns, weight);
    Merge(RowOf(key), one);
  }
}

void LedgerTable::AddSums(const std::vector<LedgerRow>& rows, const LedgerTotals& totals) {
  for (const LedgerRow& row : rows) Merge(row.is_other ? other_ : RowOf(row.key), row);
  Merge(totals_, totals);
}

std::vector<LedgerRow> LedgerTable::Rows() const {
  std::vector<LedgerRow> rows;
  rows.reserve(rows_.size() + 1);
  for (const auto& [key, row] : rows_) rows.push_back(row);
  std::ranges::stable_sort(rows, [](const LedgerRow& a, const LedgerRow& b) {
    return std::tuple(-a.weighted_path_ns, -a.weighted_nano_usd) <
           std::tuple(-b.weighted_path_ns, -b.weighted_nano_usd);
  });
  if (other_.traces > 0) rows.push_back(other_);
  return rows;
}

}  // namespace fluoro::analysis
