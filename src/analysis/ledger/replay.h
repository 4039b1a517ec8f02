// What a trace would have taken had some of its steps been faster, absent, or not waited for one
// another.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "analysis/critical_path.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// What is different about one entity.
struct StepChange {
  static constexpr double kTakesNoTime = std::numeric_limits<double>::infinity();
  /// It and all below it run so many times as fast; >= 1. What is changed below it is not looked
  /// at.
  double speed = 1;
  /// It starts when this earlier sibling starts, whatever it waited for; -1: as it did.
  std::int32_t starts_with = -1;
  [[nodiscard]] bool is_none() const { return speed == 1 && starts_with < 0; }
};

struct Replay {
  std::vector<EntityTime> times;  ///< one an entity
  std::int64_t root_ns = 0;       ///< of the root, never more than it took
};

/// Runs the trace again. What a step waited for it waits for again: it starts as long after the
/// last of those siblings that had ended before it started, or after its parent's start where none
/// had; its parent ends as long after the last of its children as it did. A child that outlived its
/// parent held it up only as long as both ran. Children move with their parent.
/// @param changes  one an entity. Pure; no recursion; entities times log.
Replay ReplayTrace(const model::AssembledTrace& trace, std::span<const StepChange> changes);

}  // namespace fluoro::analysis
