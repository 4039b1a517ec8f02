// Which traces are looked at apart from the others: what "what differs" compares.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "query/filter.h"

namespace fluoro::analysis::compare {

/// All conditions that are set hold for a selected trace.
struct Selection {
  std::optional<query::Filter> filter;
  std::int64_t from_ns = INT64_MIN;  ///< start in [from_ns, until_ns)
  std::int64_t until_ns = INT64_MAX;
  std::int64_t duration_min_ns = 0;  ///< first start to last end, both ends included
  std::int64_t duration_max_ns = INT64_MAX;
  double slowest = 0;    ///< share (0, 1] that duration_min_ns stands for; words only
  bool failing = false;  ///< the root ended in error, throttle or fault

  [[nodiscard]] bool Holds(const query::TraceView& view) const;
  /// "the slowest 5 % (1.2 s and more) that failed"; "" if it has no condition.
  [[nodiscard]] std::string Words() const;
  /// Keys that differ because it asks for them: of annotations in the filter, and "outcome".
  [[nodiscard]] std::set<std::string> GivenKeys() const;
};

/// Least duration such that traces at least as long have at least this share of the weight; 0 for
/// none. @param durations  nanoseconds and weights, in any order; are sorted.
std::int64_t SlowestFrom(std::vector<std::pair<std::int64_t, double>>& durations, double share);

}  // namespace fluoro::analysis::compare
