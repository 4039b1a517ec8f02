// What a question that sums over the whole store starts from: head and blocks at one instant, and
// which part of its window is answered by what.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "rollup/rollup.h"
#include "store/embedded/block.h"
#include "store/embedded/head.h"

namespace fluoro::store {

/// Head and list of blocks as they were at one instant, or nearly: a trace is never seen in both or
/// in neither.
struct Snapshot {
  std::shared_ptr<const BlockList> blocks;
  std::shared_ptr<const BlockList> folded;  ///< sums of blocks that are gone
  std::vector<std::unique_ptr<TraceRows>> head;
  std::unordered_set<model::TraceId> in_head;
  std::vector<std::string> damaged;
};

/// Whole minutes come from sums, the parts of minutes at both ends from spans; at an end beyond
/// which nothing was summed the sums are all there is.
struct SumWindows {
  rollup::RollupWindow minutes{.from_ns = 0, .until_ns = 0};  ///< of sums to add; empty: none
  std::vector<rollup::RollupWindow> all, whole, rest;         ///< asked: from sums, and from spans
};
/// @param first_ns, last_ns  of all that was summed; first > last: nothing. Pure.
SumWindows SplitWindow(const rollup::RollupWindow& asked, std::int64_t first_ns,
                       std::int64_t last_ns);
/// Everything from spans.
SumWindows WindowFromSpans(const rollup::RollupWindow& asked);

/// Whether something that lasts from start to end reaches into one of the windows.
bool Touches(std::int64_t start_ns, std::int64_t end_ns,
             std::span<const rollup::RollupWindow> windows);

}  // namespace fluoro::store
