// Sums of calls of models and tools, as asked and as JSON: docs/cli.md, `fluoro genai`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

inline constexpr std::uint64_t kCallRowsMax = 10'000;

/// What calls are asked about.
enum class CallsOf : std::uint8_t { kAll, kModels, kTools };

struct CallsRequest {
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  std::int64_t step_ns = 0;  ///< 0: one row a group; else a multiple of a minute
  CallsOf of = CallsOf::kAll;
  /// rollup::CallDimension bits of the groups.
  std::uint16_t dimensions = 0;
};

/// {"from": ns, "to": ns, "step_minutes": n, "of": "models"|"tools"|"all", "by": [names of
/// dimensions]}; every member may be absent or null. Without "by": provider and model, the tool, or
/// kind. Errors: kInvalidArgument naming the member.
Result<CallsRequest> ParseCallsRequest(std::string_view body);

/// The plan: its dimensions hold the kind, which CallsJson chooses rows by.
store::CallsPlan PlanOf(const CallsRequest& request, std::int64_t now_monotonic_ns);

/// Rows in order of time, then of calls. Pure.
std::string CallsJson(const CallsRequest& request, const store::CallsResult& result);

}  // namespace fluoro::api::ui
