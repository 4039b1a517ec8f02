// What calls of models and tools cost: a table of dated entries that people may edit, and the
// arithmetic. Everything in whole numbers: money in billionths of a dollar, prices of a token in
// millionths of a millionth. The rules: docs/genai.md, "What it costs".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/day.h"
#include "base/error.h"
#include "genai/calls.h"

namespace fluoro::genai {

/// 1e-12 USD a token; a price in USD per million tokens has at most six decimals.
using PicoUsd = std::int64_t;

/// Absent: not stated.
struct TokenPrices {
  std::optional<PicoUsd> input, output, cache_read, cache_write, cache_write_1h, reasoning;
  bool operator==(const TokenPrices&) const = default;
};

/// Replaces the prices that it states, for a whole request, where all its conditions hold.
struct PriceTier {
  std::optional<std::int64_t> prompt_tokens_gt;
  std::vector<std::string> service_tiers;  ///< one of them
  TokenPrices prices;
  bool operator==(const PriceTier&) const = default;
};
/// "prompt_tokens > 272000", "service_tier = flex".
std::string TierText(const PriceTier& tier);

/// An inference engine of one's own: what its GPUs cost, shared among the requests of a batch.
struct EnginePrice {
  std::int64_t nano_usd_per_gpu_hour = 0;
  std::int64_t milli_gpus = 1'000;
  std::int64_t milli_occupancy = 1'000;  ///< requests at a time, on average
  bool operator==(const EnginePrice&) const = default;
};

struct ModelPrice {
  std::string id;
  std::vector<std::string> match;  ///< names or globs (`*`), compared in lower case
  std::string provider;            ///< "": any
  Day valid_from = 0;
  std::optional<Day> valid_to;  ///< the first day on which it does not hold
  TokenPrices prices;
  std::optional<std::int64_t> nano_usd_per_call;
  std::optional<std::int64_t> nano_usd_per_unit;
  std::vector<PriceTier> tiers;
  std::optional<EnginePrice> engine;
  bool built_in = false;
  bool operator==(const ModelPrice&) const = default;
};

inline constexpr std::size_t kModelPricesMax = 2'000;

/// {"id","match":[...],"provider","valid_from","valid_to","unit":"usd_per_1m_tokens"|
/// "usd_per_gpu_hour","input","output","cache_read","cache_write","cache_write_1h","reasoning",
/// "per_call","per_unit","tiers":[{"when":{"prompt_tokens_gt","service_tier"},prices...}],
/// "usd_per_gpu_hour","gpus","mean_batch_occupancy"}: docs/genai.md. `today` stands where
/// "valid_from" is absent. Errors: kInvalidArgument naming the member.
Result<ModelPrice> ParseModelPrice(std::string_view json, Day today);
std::string PrintModelPrice(const ModelPrice& price);

/// What one call used; or the sums of several of one model, service tier and prompt class, of one
/// day. Borrows its texts.
struct UsageToPrice {
  StepKind kind = StepKind::kLlm;
  std::string_view provider = {}, model = {}, asked_model = {}, tool = {}, service_tier = {};
  std::int64_t start_ns = 0;
  std::int64_t calls = 1;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t cache_write_1h_tokens = 0;  ///< of cache_write_tokens
  std::int64_t reasoning_tokens = 0;
  std::int64_t engine_ns = 0;
  std::int64_t milli_units = 0;
  /// Of sums: PromptClassOf each call's prompt.
  std::optional<std::uint8_t> prompt_class = std::nullopt;
};
UsageToPrice UsageOf(const Call& call);

enum class CostPart : std::uint8_t {
  kInput,  ///< prompt tokens that were neither read from nor written to the cache
  kCached,
  kCacheWrite,
  kCacheWrite1h,
  kOutput,  ///< without reasoning where that has a price of its own
  kReasoning,
  kCalls,
  kUnits,       ///< thousandths
  kEngineTime,  ///< nanoseconds
};
/// "input", "cached", ...
std::string_view CostPartName(CostPart part);

/// One product of the bill.
struct CostLine {
  CostPart part = CostPart::kInput;
  std::int64_t quantity = 0;
  PicoUsd price = 0;  ///< a token, a call, a unit; 0 for kEngineTime
  std::int64_t nano_usd = 0;
  bool operator==(const CostLine&) const = default;
};

/// What a reader of a cost should know.
enum PriceFlag : std::uint32_t {
  kCostMismatch = 1U << 0,     ///< the reported cost is more than 5 % off the computed one
  kUsageMissing = 1U << 1,     ///< a call that succeeded and states no tokens
  kPossiblyBilled = 1U << 2,   ///< failed after the first token
  kProviderAssumed = 1U << 3,  ///< the price is that of the model's vendor, not of who served it
  kPriceIsLater = 1U << 4,     ///< the call is older than the built-in table
  kTierUnknown = 1U << 5,      ///< the entry has no price for the service tier
  kTierEstimated = 1U << 6,    ///< sums: a tier begins inside their class of prompts
  kNoEngineTime = 1U << 7,     ///< an engine's entry, and the span tells no prefill and decode
  kNoUnits = 1U << 8,          ///< an entry by unit, and the span tells no billed_units
  kAbsurd = 1U << 9,           ///< more than a million dollars a call: not believed
  kOtherCurrency = 1U << 10,   ///< states a cost that is not in USD
};
/// "cost_mismatch", ...; in the order of the bits.
std::vector<std::string_view> PriceFlagNames(std::uint32_t flags);

/// No entry and no parts: unpriced, which is not the same as nothing.
struct Price {
  std::optional<std::int64_t> nano_usd = std::nullopt;  ///< the sum of its lines
  std::vector<CostLine> lines = {};
  const ModelPrice* entry = nullptr;
  const PriceTier* tier = nullptr;
  std::uint32_t flags = 0;  ///< PriceFlag
};

/// Immutable; copies are cheap to make only once: share one.
class ModelPrices {
 public:
  /// List prices as copied on table_date() from public tables.
  static const ModelPrices& BuiltIn();
  static Day BuiltInDate();
  /// The built-in entries and those of users: an entry holds until the next one of its id; of those
  /// of one id and day the last stands.
  static ModelPrices With(std::vector<ModelPrice> entries);

  /// By id and date, each with the day on which the next of its id replaces it.
  [[nodiscard]] const std::vector<ModelPrice>& entries() const { return entries_; }
  /// The day on which the newest of its entries was written: what a computed cost names.
  [[nodiscard]] Day date() const { return date_; }

  /// The entry by which a call of that day is priced; null if none. Sets kProviderAssumed and
  /// kPriceIsLater.
  [[nodiscard]] const ModelPrice* Find(std::string_view provider, std::string_view model, Day day,
                                       std::uint32_t& flags) const;
  [[nodiscard]] Price Of(const UsageToPrice& usage) const { return Of(usage, Find(usage)); }
  /// The entry for usage of its models and day, and its flags: to be kept where many are alike.
  struct Found {
    const ModelPrice* entry = nullptr;
    std::uint32_t flags = 0;
  };
  [[nodiscard]] Found Find(const UsageToPrice& usage) const;
  [[nodiscard]] static Price Of(const UsageToPrice& usage, const Found& found);

 private:
  struct Glob {
    std::string pattern;
    std::size_t letters = 0;  ///< without stars
    std::uint32_t entry = 0;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  [[nodiscard]] int RankOf(const ModelPrice& entry, std::string_view provider,
                           std::string_view vendor, Day day) const;

  std::vector<ModelPrice> entries_;
  std::unordered_map<std::string, std::vector<std::uint32_t>, TextHash, std::equal_to<>> by_name_;
  std::vector<Glob> globs_;  ///< most letters first
  Day date_ = 0;
};

/// The forms in which a model's name is looked up: lower case; without prefixes of gateways,
/// regions and vendors; without the date or version at its end. Each once.
std::vector<std::string> ModelNames(std::string_view model);

}  // namespace fluoro::genai
