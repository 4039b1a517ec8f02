// The ledgers of many traces in one table, and what they lost in another.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ledger/ledger.h"
#include "analysis/statistics.h"

namespace fluoro::analysis {

/// What rows tell apart.
enum class LedgerDimension : std::uint8_t { kKind, kSubKind, kTool, kModel, kTenant, kRoute };
inline constexpr std::size_t kLedgerDimensions = 6;
/// "kind", "sub_kind", "tool", "model", "tenant", "route".
std::string_view LedgerDimensionName(LedgerDimension dimension);
std::optional<LedgerDimension> LedgerDimensionNamed(std::string_view name);

/// A set of them.
class LedgerDimensions {
 public:
  void Add(LedgerDimension dimension) { bits_ |= BitOf(dimension); }
  [[nodiscard]] bool Has(LedgerDimension dimension) const {
    return (bits_ & BitOf(dimension)) != 0;
  }
  [[nodiscard]] bool empty() const { return bits_ == 0; }

 private:
  static std::uint8_t BitOf(LedgerDimension dimension) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(dimension));
  }
  std::uint8_t bits_ = 0;
};

/// One text a dimension; "" where it is not told apart, or there is none.
using LedgerKey = std::array<std::string, kLedgerDimensions>;
LedgerKey KeyOf(const LedgerLine& line, LedgerDimensions dimensions);

/// Rows of a table; what comes beyond is summed in one more, so that sums still hold.
inline constexpr std::size_t kLedgerRowsMax = 1'000;

/// What many traces have under one key. Sums are of the traces that were looked at, means of all
/// that these stand for: each counts 1 / kept probability.
struct LedgerRow {
  LedgerKey key = {};
  bool is_other = false;     ///< all keys beyond kLedgerRowsMax
  std::int64_t traces = 0;   ///< that have something under this key
  std::int64_t path_ns = 0;  ///< exact sums
  std::int64_t cost_nano_usd = 0;
  std::int64_t unpriced_steps = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t waste_ns = 0;
  std::int64_t waste_nano_usd = 0;
  double weighted_path_ns = 0;
  double weighted_nano_usd = 0;
  double weighted_waste_ns = 0;
  double weighted_waste_nano_usd = 0;
  DurationHistogram path_times = {};  ///< by trace that has it, weighted
};

/// Of all traces together. The same sums, over all rows.
struct LedgerTotals {
  std::int64_t traces = 0;
  double weight = 0;  ///< traces that they stand for
  std::int64_t root_ns = 0;
  std::int64_t cost_nano_usd = 0;
  std::int64_t waste_ns = 0;
  std::int64_t waste_nano_usd = 0;
  double weighted_root_ns = 0;
  double weighted_nano_usd = 0;
  double weighted_waste_ns = 0;
  double weighted_waste_nano_usd = 0;
  DurationHistogram root_times;
  std::int64_t first_token_traces = 0;
  DurationHistogram first_token_times;
  std::int64_t unpriced_steps = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t possibly_billed_attempts = 0;
  std::int64_t flagged_traces = 0;  ///< with some flag of LedgerFlags
};

/// Not thread-safe. Memory: kLedgerRowsMax rows of about two kilobytes.
class LedgerTable {
 public:
  explicit LedgerTable(LedgerDimensions dimensions) : dimensions_(dimensions) {}
  /// @param weight  1 / kept probability, > 0.
  void Add(const Ledger& ledger, double weight);
  /// Rows and totals that were summed elsewhere, over the same dimensions: by minute, say. Keys of
  /// other traces than those given to Add.
  void AddSums(const std::vector<LedgerRow>& rows, const LedgerTotals& totals);

  [[nodiscard]] const LedgerTotals& totals() const { return totals_; }
  /// Most time first, then most money; the row of all others last.
  [[nodiscard]] std::vector<LedgerRow> Rows() const;
  /// Keys for which there was no row; each as often as it came.
  [[nodiscard]] std::int64_t crowded_out() const { return crowded_out_; }

 private:
  LedgerRow& RowOf(const LedgerKey& key);

  LedgerDimensions dimensions_;
  LedgerTotals totals_;
  std::map<LedgerKey, LedgerRow> rows_;
  LedgerRow other_{.is_other = true};
  std::int64_t crowded_out_ = 0;
};

}  // namespace fluoro::analysis
