// What the calls that compare many traces share: what they ask, and how they say what they looked
// at.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "base/json_tree.h"
#include "genai/model_prices.h"
#include "query/filter.h"
#include "query/plan.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

struct CompareContext {
  store::TraceStore& store;
  std::int64_t now_monotonic_ns = 0;
  std::int64_t now_ns = 0;
  query::GroupLookup groups = {};
  const genai::ModelPrices& model_prices;
};

/// 1/probability with which the trace was kept.
double WeightOf(const model::AssembledTrace& trace);

/// Members "as_of", "scanned_traces", "scanned_share", "complete", "cut_traces" and "damaged".
void WriteScanned(JsonWriter& out, const store::SearchResult& found, std::int64_t now_ns);

/// A number of the object, `fallback` where it is absent or null.
/// Errors: kInvalidArgument if it is no number in [low, high].
Result<double> NumberIn(JsonView object, std::string_view member, double fallback, double low,
                        double high);
Result<std::int64_t> IntIn(JsonView object, std::string_view member, std::int64_t fallback);
Result<bool> BoolIn(JsonView object, std::string_view member);
/// "" where it is absent or null.
Result<std::string> TextIn(JsonView object, std::string_view member);

}  // namespace fluoro::api::ui
