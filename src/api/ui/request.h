// What the calls under /ui/api are asked: one body shape for search, graph and export.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "net/http.h"
#include "query/plan.h"

namespace fluoro::api::ui {

inline constexpr std::uint64_t kSearchLimitDefault = 100;
inline constexpr std::uint64_t kSearchLimitMax = 10'000;
inline constexpr std::size_t kDeleteIdsMax = 10'000;
inline constexpr std::int64_t kQueryDeadlineNs = 30'000'000'000;

/// {"expression": text, "from": ns, "to": ns, "limit": n, "group": name, "next_token": text,
/// "explain": bool, "brief": bool, "without_index": bool, "from_spans": bool, "format": name,
/// "ids": [trace ids], "dry_run": bool}; every member may be absent or null. Of "policies"
/// (what_if.h) nothing is read here.
struct QueryRequest {
  std::string expression;
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  std::uint64_t limit = kSearchLimitDefault;
  std::string group;
  std::string format;
  std::optional<query::Cursor> after;
  bool explain = false;
  bool without_index = false;
  bool brief = false;               ///< searches: outlines are enough
  std::vector<model::TraceId> ids;  ///< at most kDeleteIdsMax
  bool dry_run = false;
  bool from_spans = false;  ///< graphs: by every span, not by what was summed before
};

/// Errors: kInvalidArgument naming the member.
Result<QueryRequest> ParseQueryRequest(std::string_view body);

/// Plan with filter, window, cursor and a deadline `now_monotonic_ns` + kQueryDeadlineNs.
/// `groups` finds the group asked for, and those that the expression names.
/// Errors: those of the filter; kNotFound for a group that there is not.
Result<query::Plan> MakePlan(const QueryRequest& request, std::int64_t now_monotonic_ns,
                             const query::GroupLookup& groups = {});

/// "<start ns>.<32 hex>": where a search goes on.
std::string PrintToken(const query::Cursor& cursor);

/// One end of the window asked about, in nanoseconds since the Unix epoch; null where it is open.
void WriteTime(JsonWriter& out, std::string_view key, std::int64_t ns);

/// A weighted count: a whole number where it is one.
void WriteWeighted(JsonWriter& out, std::string_view key, double count);

/// {"error":{"code","message"}} with the status that fits the code.
net::HttpResponse ErrorAnswer(const Error& error);

}  // namespace fluoro::api::ui
