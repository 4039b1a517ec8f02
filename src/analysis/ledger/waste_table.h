// What many traces lost, by cause and key; and what they did again and again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analysis/ledger/ledger_table.h"
#include "analysis/ledger/waste.h"
#include "model/ids.h"

namespace fluoro::analysis {

/// Sums are of the traces that were looked at; weighted ones of those that they stand for.
struct WasteRow {
  LedgerKey key = {};
  WasteCause cause = WasteCause::kError;
  bool is_other = false;  ///< all keys beyond kLedgerRowsMax, whatever the cause
  std::int64_t traces = 0;
  std::int64_t lost = 0;       ///< pieces of work with failed attempts
  std::int64_t gave_up = 0;    ///< of them, those of which no attempt succeeded
  std::int64_t fallbacks = 0;  ///< of them, those that another model did
  std::int64_t attempts = 0;   ///< that failed
  std::int64_t failed_ns = 0;
  std::int64_t backoff_ns = 0;
  std::int64_t recoverable_ns = 0;  ///< each by itself
  std::int64_t cost_nano_usd = 0;
  double weighted_waste_ns = 0;
  double weighted_recoverable_ns = 0;
  [[nodiscard]] std::int64_t waste_ns() const { return failed_ns + backoff_ns; }
};

struct RepeatedRow {
  RepeatedWork::Kind kind = RepeatedWork::Kind::kLoop;
  std::string name;
  std::int64_t traces = 0;
  std::int64_t calls = 0;  ///< the first of each included
  std::int64_t calls_max = 0;
  std::int64_t again_ns = 0;
  std::int64_t again_nano_usd = 0;
  model::TraceId example;  ///< the trace with most calls
};

/// A trace that lost much.
struct WastefulTrace {
  model::TraceId id;
  std::int64_t root_ns = 0;
  std::int64_t waste_ns = 0;
  std::int64_t recoverable_ns = 0;
  std::int64_t cost_nano_usd = 0;
};
inline constexpr std::size_t kWastefulTracesMax = 20;

struct WasteTotals {
  std::int64_t traces = 0;
  double weight = 0;
  std::int64_t traces_with_waste = 0;
  std::int64_t waste_ns = 0;
  std::int64_t recoverable_ns = 0;  ///< all of a trace at once
  std::int64_t root_ns = 0;
  std::int64_t cost_nano_usd = 0;  ///< lost
  double weighted_waste_ns = 0;
  double weighted_recoverable_ns = 0;
  std::int64_t retries = 0;
  std::int64_t timeouts = 0;
  std::int64_t timeouts_partial = 0;
  std::int64_t throttled = 0;
  std::int64_t cancelled = 0;
  std::int64_t possibly_billed = 0;
};

/// Not thread-safe; bounded as LedgerTable is.
class WasteTable {
 public:
  explicit WasteTable(LedgerDimensions dimensions) : dimensions_(dimensions) {}
  void Add(const TraceView& view, const Waste& waste, double weight);
  [[nodiscard]] const WasteTotals& totals() const { return totals_; }
  /// Most time first; the row of all others last.
  [[nodiscard]] std::vector<WasteRow> Rows() const;
  [[nodiscard]] std::vector<RepeatedRow> Repeated() const;
  /// Most recoverable time first.
  [[nodiscard]] const std::vector<WastefulTrace>& traces() const { return worst_; }
  [[nodiscard]] std::int64_t crowded_out() const { return crowded_out_; }

 private:
  void Remember(const WastefulTrace& trace);

  LedgerDimensions dimensions_;
  WasteTotals totals_;
  std::map<std::pair<LedgerKey, WasteCause>, WasteRow> rows_;
  WasteRow other_{.is_other = true};
  std::map<std::pair<RepeatedWork::Kind, std::string>, RepeatedRow> repeated_;
  std::vector<WastefulTrace> worst_;
  std::int64_t crowded_out_ = 0;
};

}  // namespace fluoro::analysis
