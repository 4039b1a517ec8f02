// What a search asks of the store.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>

#include "model/ids.h"
#include "query/filter.h"

namespace fluoro::query {

/// Which instant of a trace must lie in [from_ns, until_ns).
enum class TimeRange : std::uint8_t {
  kTraceStart,  ///< earliest start (X-Ray TimeRangeType TraceId)
  kEvent,       ///< any span's interval intersects the window
  kService,     ///< the end of some segment
};

/// Position in the order newest start first, ties by id descending: results continue strictly after
/// it.
struct Cursor {
  std::int64_t start_ns = 0;
  model::TraceId trace_id;
  auto operator<=>(const Cursor&) const = default;
};

struct Plan {
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  TimeRange time_range = TimeRange::kTraceStart;
  std::optional<Filter> filter;  ///< absent: everything
  std::optional<Cursor> after;   ///< continue a search
  /// False: zone maps and filters are not looked at, which changes no answer: to measure what they
  /// save, and what scanning costs.
  bool use_index = true;
  std::uint64_t scan_max = UINT64_MAX;   ///< stop after examining so many traces
  std::int64_t deadline_ns = INT64_MAX;  ///< Clock::MonotonicNs
  std::stop_token stop;                  ///< the client left
};

}  // namespace fluoro::query
