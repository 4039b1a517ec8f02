// What calls of models cost, over many traces and of one, as asked and as JSON: docs/cli.md,
// `fluoro genai cost`, `fluoro genai audit`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "genai/cost_rows.h"
#include "genai/trace_cost.h"
#include "model/assembly.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// {"expression","group","from","to","by":[names of genai::CostDimension]}; without "by": model.
struct GenAiCostRequest {
  query::Plan plan;
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  std::vector<genai::CostDimension> by;
};
/// Errors: kInvalidArgument naming the member; those of the filter.
Result<GenAiCostRequest> ParseGenAiCostRequest(std::string_view body, std::int64_t now_monotonic_ns,
                                               const query::GroupLookup& groups);

/// What an answer says beside its rows.
struct GenAiCostScope {
  std::uint64_t traces = 0;      ///< that were read
  std::uint64_t cut_traces = 0;  ///< of them, those of which only the first part was priced
  bool complete = true;
  std::vector<std::string> damaged;
};
/// Rows of either source: of traces as GenAiCostJson finds them, or of sums.
std::string PrintGenAiCost(const GenAiCostRequest& request, const genai::CostRows& rows,
                           const GenAiCostScope& scope, const genai::ModelPrices& prices);

/// Prices every trace that matches, each as many times as it stands for. Errors: those of Search.
Result<std::string> GenAiCostJson(store::TraceStore& store, const GenAiCostRequest& request,
                                  const genai::ModelPrices& prices);

/// For every dollar the tokens, the price and the arithmetic; what did not count, and why. Pure.
std::string AuditJson(const model::AssembledTrace& trace, const genai::ModelPrices& prices);

/// The member "usage" of a trace's JSON. Pure.
void WriteUsage(JsonWriter& out, const genai::TraceCost& cost, const genai::ModelPrices& prices);

}  // namespace fluoro::api::ui
