// What a trace cost: every step with usage, what it stands for and why, and the bill.
// The rules: docs/genai.md, "Calls" and "What it costs".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "genai/model_prices.h"
#include "genai/usage.h"
#include "model/assembly.h"

namespace fluoro::genai {

enum class CostSource : std::uint8_t {
  kNone,        ///< nothing to be paid for: a role that does not count, a tool without a price
  kReported,    ///< as the span states it
  kComputed,    ///< by the price table
  kSelfHosted,  ///< by the time of an engine of one's own
  kUnpriced,    ///< not known, which is not the same as nothing
};
/// "none", "reported", "computed", "self_hosted", "unpriced".
std::string_view CostSourceName(CostSource source);

/// What one call comes to: as stated, else by the table.
struct CallCost {
  CostSource source = CostSource::kNone;
  std::optional<std::int64_t> nano_usd = std::nullopt;
  Price price;              ///< by the table, also where the cost is stated
  std::uint32_t flags = 0;  ///< PriceFlag
};
/// Pure; the one place where a cost is decided. Thread-safe.
CallCost PriceCall(const Call& call, const ModelPrices& prices);
/// Of sums (UsageToPrice): those of calls that state no cost. Pure.
inline Price PriceSums(const UsageToPrice& sums, const ModelPrices& prices) {
  return prices.Of(sums);
}

struct PricedStep {
  std::int32_t entity = -1;
  StepKind kind = StepKind::kLlm;
  UsageRole role = UsageRole::kNone;
  std::string_view reason;  ///< why this role, one sentence
  bool has_usage = false;   ///< states tokens or a cost; else tokens below are 0
  std::string provider, model, tool, service_tier;
  std::string tenant, route, agent, experiment, experiment_arm, prompt;  ///< own or inherited
  std::int64_t prompt_tokens = 0;                                        ///< with the cache
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  CostSource source = CostSource::kNone;
  NoBill no_bill = NoBill::kNone;
  /// Of a role that does not count: nothing.
  std::optional<std::int64_t> cost_nano_usd = std::nullopt;
  /// Of computed costs; their sum, with calls, units and engine time, is cost_nano_usd. Output has
  /// reasoning in it.
  std::optional<std::int64_t> input_nano_usd = std::nullopt;
  std::optional<std::int64_t> cached_nano_usd = std::nullopt;
  std::optional<std::int64_t> cache_write_nano_usd = std::nullopt;
  std::optional<std::int64_t> output_nano_usd = std::nullopt;
  std::vector<CostLine> lines = {};
  std::optional<std::int64_t> computed_nano_usd = std::nullopt;  ///< also where it is stated
  std::string price_id = {}, price_valid_from = {}, tier = {};   ///< "" where no entry was used
  std::optional<EnginePrice> engine = std::nullopt;
  std::int64_t unattributed_tokens = 0;
  std::uint32_t flags = 0;                    ///< PriceFlag
  [[nodiscard]] std::int64_t tokens() const;  ///< prompt and completion
};

/// Sums saturate.
struct TraceCost {
  /// Every step with usage or a stated cost, every call that cannot be priced for lack of them, and
  /// every tool with a price; by entity.
  std::vector<PricedStep> steps;
  std::int64_t cost_nano_usd = 0;  ///< sum over those with role kBillable
  std::int64_t prompt_tokens = 0;  ///< likewise, as the next
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t priced_steps = 0;
  std::int64_t unpriced_steps = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t possibly_billed_attempts = 0;
  std::int64_t unattributed_tokens = 0;  ///< of roll-ups that no other roll-up contains
};

/// Pure. What is in progress is in `steps` and in no sum.
TraceCost PriceTrace(const model::AssembledTrace& trace, const ModelPrices& prices);

/// Sums steps as TraceCost does: of one trace, or of any choice of steps.
void AddStep(TraceCost& sums, const PricedStep& step);

}  // namespace fluoro::genai
