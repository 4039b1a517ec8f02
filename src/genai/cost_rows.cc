#include "genai/cost_rows.h"

#include <algorithm>
#include <tuple>

namespace fluoro::genai {
namespace {

constexpr std::array<std::string_view, kCostDimensions> kNames = {
    "kind",  "provider", "model",      "service_tier", "tool",  "tenant",
    "route", "agent",    "experiment", "arm",          "prompt"};

constexpr std::array kSums = {&CostAmounts::calls,
                              &CostAmounts::prompt_tokens,
                              &CostAmounts::completion_tokens,
                              &CostAmounts::cached_tokens,
                              &CostAmounts::cache_write_tokens,
                              &CostAmounts::reasoning_tokens,
                              &CostAmounts::nano_usd,
                              &CostAmounts::reported_nano_usd,
                              &CostAmounts::computed_nano_usd,
                              &CostAmounts::self_hosted_nano_usd,
                              &CostAmounts::unpriced_calls,
                              &CostAmounts::unpriced_tokens,
                              &CostAmounts::possibly_billed,
                              &CostAmounts::estimated_calls};

constexpr std::uint32_t kDoubts =
    kProviderAssumed | kPriceIsLater | kTierUnknown | kTierEstimated | kCostMismatch;

std::size_t PlaceOf(CostDimension dimension) { return static_cast<std::size_t>(dimension); }

CostRows::Key KeyOf(const PricedStep& step) {
  return {std::string(StepKindName(step.kind)),
          step.provider,
          step.model,
          step.service_tier,
          step.tool,
          step.tenant,
          step.route,
          step.agent,
          step.experiment,
          step.experiment_arm,
          step.prompt};
}

}  // namespace

std::string_view CostDimensionName(CostDimension dimension) {
  return kNames.at(PlaceOf(dimension));
}

std::optional<CostDimension> CostDimensionNamed(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<CostDimension>(at - kNames.begin());
}

void CostAmounts::Merge(const CostAmounts& other, std::int64_t times) {
  for (const auto sum : kSums) {
    std::int64_t more = 0;
    if (__builtin_mul_overflow(other.*sum, times, &more)) more = INT64_MAX;
    if (__builtin_add_overflow(this->*sum, more, &(this->*sum))) this->*sum = INT64_MAX;
  }
}

CostAmounts AmountsOf(const PricedStep& step) {
  CostAmounts amounts;
  if (step.role != UsageRole::kBillable) return amounts;
  amounts.calls = 1;
  amounts.prompt_tokens = step.prompt_tokens;
  amounts.completion_tokens = step.completion_tokens;
  amounts.cached_tokens = step.cached_tokens;
  amounts.cache_write_tokens = step.cache_write_tokens;
  amounts.reasoning_tokens = step.reasoning_tokens;
  amounts.nano_usd = step.cost_nano_usd.value_or(0);
  if (step.source == CostSource::kReported) amounts.reported_nano_usd = amounts.nano_usd;
  if (step.source == CostSource::kComputed) amounts.computed_nano_usd = amounts.nano_usd;
  if (step.source == CostSource::kSelfHosted) amounts.self_hosted_nano_usd = amounts.nano_usd;
  if (step.source == CostSource::kUnpriced) {
    amounts.unpriced_calls = 1;
    amounts.unpriced_tokens = step.tokens();
  } else if ((step.flags & kDoubts) != 0) {
    amounts.estimated_calls = 1;
  }
  amounts.possibly_billed = (step.flags & kPossiblyBilled) != 0 ? 1 : 0;
  return amounts;
}

CostAmounts AmountsOf(const UsageToPrice& sums, const Price& price) {
  CostAmounts amounts;
  amounts.calls = sums.calls;
  amounts.prompt_tokens = sums.prompt_tokens;
  amounts.completion_tokens = sums.completion_tokens;
  amounts.cached_tokens = sums.cached_tokens;
  amounts.cache_write_tokens = sums.cache_write_tokens;
  amounts.reasoning_tokens = sums.reasoning_tokens;
  if (!price.nano_usd) {
    amounts.unpriced_calls = sums.calls;
    amounts.unpriced_tokens = sums.prompt_tokens + sums.completion_tokens;
    return amounts;
  }
  amounts.nano_usd = *price.nano_usd;
  const bool by_time = price.entry != nullptr && price.entry->engine.has_value();
  (by_time ? amounts.self_hosted_nano_usd : amounts.computed_nano_usd) = *price.nano_usd;
  if ((price.flags & kDoubts) != 0) amounts.estimated_calls = sums.calls;
  return amounts;
}

CostRows::CostRows(std::vector<CostDimension> by, std::size_t rows_max)
    : by_(std::move(by)), rows_max_(rows_max) {}

void CostRows::Add(const PricedStep& step, std::int64_t times) {
  if (step.role == UsageRole::kBillable) Add(KeyOf(step), AmountsOf(step), times);
}

void CostRows::Add(Key key, const CostAmounts& amounts, std::int64_t times) {
  for (std::size_t i = 0; i < kCostDimensions; ++i) {
    if (std::ranges::find(by_, static_cast<CostDimension>(i)) == by_.end()) key.at(i).clear();
  }
  total_.Merge(amounts, times);
  auto at = rows_.find(key);
  if (at == rows_.end() && rows_.size() < rows_max_)
    at = rows_.emplace(std::move(key), CostAmounts()).first;
  if (at == rows_.end()) {
    if (!other_) other_.emplace();
    other_->Merge(amounts, times);
  } else {
    at->second.Merge(amounts, times);
  }
}

std::vector<CostRows::Row> CostRows::Rows() const {
  std::vector<Row> rows;
  rows.reserve(rows_.size() + 1);
  for (const auto& [key, amounts] : rows_) rows.push_back({.key = key, .amounts = amounts});
  std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
    return std::tuple(-a.amounts.nano_usd, -a.amounts.unpriced_tokens) <
           std::tuple(-b.amounts.nano_usd, -b.amounts.unpriced_tokens);
  });
  if (other_) rows.push_back({.key = {}, .is_other = true, .amounts = *other_});
  return rows;
}

}  // namespace fluoro::genai
