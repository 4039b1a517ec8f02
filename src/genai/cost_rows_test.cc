#include "genai/cost_rows.h"

#include <gmock/gmock.h>

#include <tuple>

#include "base/rng.h"

namespace fluoro::genai {
namespace {

constexpr std::int64_t kStartNs = 1'788'220'800'000'000'000;  // 2026-09-01

std::vector<Call> RandomCalls(Rng& rng, std::size_t count) {
  constexpr std::array<std::string_view, 4> kModels = {"gpt-5.6-terra", "gpt-5.6-terra-2026-08-20",
                                                       "gpt-4o", "unknown"};
  constexpr std::array<std::string_view, 3> kTenants = {"acme", "globex", ""};
  constexpr std::array<std::string_view, 3> kTiers = {"", "flex", "priority"};
  std::vector<Call> calls(count);
  for (Call& call : calls) {
    call.provider = "openai";
    call.model = kModels.at(rng.Below(kModels.size()));
    call.tenant = kTenants.at(rng.Below(kTenants.size()));
    call.service_tier = kTiers.at(rng.Below(kTiers.size()));
    call.start_ns = kStartNs;
    call.end_ns = kStartNs + 1'000'000'000;
    call.prompt_tokens = static_cast<std::int64_t>(rng.Below(400'000));
    call.completion_tokens = static_cast<std::int64_t>(rng.Below(4'000));
    call.cached_tokens =
        static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(call.prompt_tokens) + 1));
  }
  return calls;
}

PricedStep Priced(const Call& call) {
  const CallCost cost = PriceCall(call, ModelPrices::BuiltIn());
  PricedStep step;
  step.kind = call.kind;
  step.role = UsageRole::kBillable;
  step.provider = call.provider;
  step.model = call.model;
  step.service_tier = call.service_tier;
  step.tenant = call.tenant;
  step.prompt_tokens = call.prompt_tokens;
  step.completion_tokens = call.completion_tokens;
  step.cached_tokens = call.cached_tokens;
  step.source = cost.source;
  step.cost_nano_usd = cost.nano_usd;
  step.flags = cost.flags;
  return step;
}

std::vector<std::string> Print(const CostRows& rows) {
  std::vector<std::string> lines;
  for (const CostRows::Row& row : rows.Rows()) {
    std::string line = row.is_other ? "other" : "";
    for (const std::string& text : row.key) line += text + "|";
    const CostAmounts& of = row.amounts;
    for (const std::int64_t sum :
         {of.calls, of.prompt_tokens, of.completion_tokens, of.cached_tokens, of.nano_usd,
          of.computed_nano_usd, of.unpriced_calls, of.unpriced_tokens, of.estimated_calls})
      line += " " + std::to_string(sum);
    lines.push_back(line);
  }
  return lines;
}

// Traces and sums by what decides the price tell the same.
TEST(CostRows, OfSumsAreThoseOfTheirCalls) {
  Rng rng(59);
  const std::vector<Call> calls = RandomCalls(rng, 3'000);
  const std::vector<CostDimension> by = {CostDimension::kTenant, CostDimension::kModel};
  CostRows of_steps(by);
  using Series = std::tuple<std::string_view, std::string_view, std::string_view, std::uint8_t>;
  std::map<Series, UsageToPrice> sums;
  for (const Call& call : calls) {
    of_steps.Add(Priced(call));
    UsageToPrice& sum =
        sums[{call.tenant, call.model, call.service_tier, PromptClassOf(call.prompt_tokens)}];
    sum.calls = sum.model.empty() ? 1 : sum.calls + 1;
    sum.provider = call.provider;
    sum.model = call.model;
    sum.service_tier = call.service_tier;
    sum.start_ns = call.start_ns;
    sum.prompt_class = PromptClassOf(call.prompt_tokens);
    sum.prompt_tokens += call.prompt_tokens;
    sum.completion_tokens += call.completion_tokens;
    sum.cached_tokens += call.cached_tokens;
  }
  CostRows of_sums(by);
  for (const auto& [series, sum] : sums) {
    CostRows::Key key;
    key[static_cast<std::size_t>(CostDimension::kTenant)] = std::get<0>(series);
    key[static_cast<std::size_t>(CostDimension::kModel)] = sum.model;
    of_sums.Add(key, AmountsOf(sum, PriceSums(sum, ModelPrices::BuiltIn())));
  }
  EXPECT_EQ(Print(of_sums), Print(of_steps));
  EXPECT_EQ(of_sums.total().nano_usd, of_steps.total().nano_usd);
  EXPECT_GT(of_steps.total().unpriced_tokens, 0);
  EXPECT_GT(of_steps.total().estimated_calls, 0) << "priority has no price";
}

TEST(CostRows, SumToTheTotalByWhateverTheyAreTold) {
  Rng rng(60);
  const std::vector<Call> calls = RandomCalls(rng, 500);
  for (const std::vector<CostDimension>& by : std::vector<std::vector<CostDimension>>{
           {}, {CostDimension::kModel}, {CostDimension::kServiceTier, CostDimension::kTenant}}) {
    CostRows rows(by, 4);
    for (const Call& call : calls) rows.Add(Priced(call), 3);
    CostAmounts sum;
    for (const CostRows::Row& row : rows.Rows()) sum.Merge(row.amounts);
    EXPECT_EQ(sum.nano_usd, rows.total().nano_usd);
    EXPECT_EQ(sum.unpriced_tokens, rows.total().unpriced_tokens);
    EXPECT_EQ(rows.total().calls, 1'500);
    EXPECT_LE(rows.Rows().size(), 5U);
  }
}

TEST(CostRows, WhatDoesNotCountAddsNothing) {
  CostRows rows({CostDimension::kModel});
  Call call;
  call.provider = "openai";
  call.model = "gpt-4o";
  call.start_ns = kStartNs;
  call.prompt_tokens = 1'000;
  PricedStep step = Priced(call);
  step.role = UsageRole::kRollup;
  rows.Add(step);
  EXPECT_TRUE(rows.Rows().empty());
  EXPECT_EQ(rows.total().calls, 0);
}

TEST(CostAmounts, Saturate) {
  CostAmounts sum;
  sum.Merge({.calls = 1, .nano_usd = INT64_MAX / 2}, 3);
  EXPECT_EQ(sum.nano_usd, INT64_MAX);
  sum.Merge({.calls = 1, .nano_usd = 5});
  EXPECT_EQ(sum.nano_usd, INT64_MAX);
  EXPECT_EQ(sum.calls, 4);
}

}  // namespace
}  // namespace fluoro::genai
