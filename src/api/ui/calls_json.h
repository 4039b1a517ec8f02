// Sums of calls of models and tools, as asked and as JSON: docs/cli.md, `fluoro genai`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "genai/model_prices.h"
#include "rollup/call_sums.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

inline constexpr std::uint64_t kCallRowsMax = 10'000;

/// What calls are asked about.
enum class CallsOf : std::uint8_t { kAll, kModels, kTools, kRequests };

struct CallsRequest {
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  std::int64_t step_ns = 0;  ///< 0: one row a group; else a multiple of a minute
  CallsOf of = CallsOf::kAll;
  /// rollup::CallDimension bits of the groups.
  std::uint16_t dimensions = 0;
  /// Only calls that have this; "": none.
  std::map<rollup::CallDimension, std::string> where;
};

/// {"from": ns, "to": ns, "step_minutes": n, "of": "models"|"tools"|"requests"|"all", "by": [names
/// of dimensions], "where": {dimension: text, or null: none}}; every member may be absent or null.
/// Without "by": provider and model, the tool, or kind. Errors: kInvalidArgument naming the member.
Result<CallsRequest> ParseCallsRequest(std::string_view body);

/// The plan: its dimensions and period are also those that prices need and rows are chosen by.
store::CallsPlan PlanOf(const CallsRequest& request, const genai::ModelPrices& prices,
                        std::int64_t now_monotonic_ns);

/// Rows in order of time, then of calls. Calls that state no cost are priced by the day on which
/// they ended. Pure.
std::string CallsJson(const CallsRequest& request, const store::CallsResult& result,
                      const genai::ModelPrices& prices);

}  // namespace fluoro::api::ui
