// Costs of many calls by what they are told apart by: made from steps of traces, or from sums.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "genai/trace_cost.h"

namespace fluoro::genai {

enum class CostDimension : std::uint8_t {
  kKind,
  kProvider,
  kModel,
  kServiceTier,
  kTool,
  kTenant,
  kRoute,
  kAgent,
  kExperiment,
  kArm,
  kPrompt,
};
inline constexpr std::size_t kCostDimensions = 11;
/// "kind", "provider", ...
std::string_view CostDimensionName(CostDimension dimension);
std::optional<CostDimension> CostDimensionNamed(std::string_view name);

/// What is summed. All saturate.
struct CostAmounts {
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t nano_usd = 0;  ///< the next three together
  std::int64_t reported_nano_usd = 0;
  std::int64_t computed_nano_usd = 0;
  std::int64_t self_hosted_nano_usd = 0;
  std::int64_t unpriced_calls = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t possibly_billed = 0;
  std::int64_t estimated_calls = 0;  ///< priced, with a doubt that a PriceFlag tells

  void Merge(const CostAmounts& other, std::int64_t times = 1);
};
/// Of one billable step; of others nothing.
CostAmounts AmountsOf(const PricedStep& step);
/// Of sums of calls that state no cost, and their price.
CostAmounts AmountsOf(const UsageToPrice& sums, const Price& price);

/// Bounded: beyond `rows_max` groups the rest is one row, told by `is_other`. Not thread-safe.
class CostRows {
 public:
  using Key = std::array<std::string, kCostDimensions>;  ///< "" where not told apart
  struct Row {
    Key key;
    bool is_other = false;
    CostAmounts amounts;
  };
  explicit CostRows(std::vector<CostDimension> by, std::size_t rows_max = 10'000);

  /// Adds a step `times` over: how many traces it stands for.
  void Add(const PricedStep& step, std::int64_t times = 1);
  /// Adds sums of other origin; dimensions that are not asked for are left out of the key.
  void Add(Key key, const CostAmounts& amounts, std::int64_t times = 1);

  [[nodiscard]] const std::vector<CostDimension>& by() const { return by_; }
  [[nodiscard]] const CostAmounts& total() const { return total_; }
  /// Dearest first, then those with the most unpriced tokens; what had no room last.
  [[nodiscard]] std::vector<Row> Rows() const;

 private:
  std::vector<CostDimension> by_;
  std::size_t rows_max_;
  std::map<Key, CostAmounts> rows_;
  std::optional<CostAmounts> other_;
  CostAmounts total_;
};

}  // namespace fluoro::genai
