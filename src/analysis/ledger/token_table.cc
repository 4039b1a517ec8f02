#include "analysis/ledger/token_table.h"

#include <algorithm>
#include <cmath>

namespace fluoro::analysis {

void TokenTable::Add(const TokenTimes& times, double weight) {
  if (rows_.size() >= kTokenModelsMax && !rows_.contains(times.model)) {
    ++crowded_out_;
    return;
  }
  TokenRow& row = rows_[times.model];
  const auto add = [weight](double& sum, std::int64_t ns) {
    sum += static_cast<double>(ns) * weight;
  };
  row.model = times.model;
  row.calls += 1;
  row.weight += weight;
  add(row.first_token_ns, times.first_token_ns);
  add(row.decode_ns, times.decode_ns);
  add(row.tail_ns, times.tail_ns);
  row.first_tokens.Add(times.first_token_ns, weight);
  if (times.per_token_ms) row.per_token.Add(std::llround(*times.per_token_ms * 1e6), weight);
  row.stalled_calls += times.stall_count > 0 ? 1 : 0;
  row.stalls += times.stall_count;
  row.stall_ns += times.stall_ns;
  row.clocks_differ += times.clocks_differ;
  row.early_ends += times.early_end;
  if (times.phases != PhaseSource::kNone) {
    row.calls_with_phases += 1;
    row.phases_weight += weight;
    add(row.phases_first_token_ns, times.first_token_ns);
    add(row.connect_send_ns, times.connect_send_ns);
    add(row.queue_ns, times.queue_ns);
    add(row.prefill_ns, times.prefill_ns);
    add(row.first_token_return_ns, times.first_token_return_ns);
    return;
  }
  if (times.prompt_tokens > 0)
    row.first.Add({.tokens = static_cast<double>(times.uncached_tokens),
                   .ns = static_cast<double>(times.first_token_ns)});
  if (times.completion_tokens > 1)
    row.rest.Add({.tokens = static_cast<double>(times.completion_tokens - 1),
                  .ns = static_cast<double>(times.duration_ns - times.first_token_ns)});
}

std::vector<const TokenRow*> TokenTable::Rows() const {
  std::vector<const TokenRow*> rows;
  for (const auto& [model, row] : rows_) rows.push_back(&row);
  std::ranges::stable_sort(rows, std::greater(), [](const TokenRow* row) { return row->calls; });
  return rows;
}

}  // namespace fluoro::analysis
