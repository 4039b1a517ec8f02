#include "analysis/ledger/replay.h"

#include <algorithm>
#include <cmath>

#include "analysis/ledger/steps.h"
#include "base/assert.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using model::Entity;

std::int64_t Faster(std::int64_t ns, double speed) {
  if (speed == 1) return ns;
  return static_cast<std::int64_t>(
      std::llround(static_cast<long double>(ns) / static_cast<long double>(speed)));
}

/// One child that held its parent up for some time, in the parent's clipped time: 0 is its start.
struct Child {
  std::size_t entity = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t new_start_ns = 0;
  std::int64_t new_end_ns = 0;
};

class Run {
 public:
  Run(const AssembledTrace& trace, std::span<const StepChange> changes)
      : trace_(trace),
        changes_(changes),
        clipped_(EntityTimes(trace)),
        saved_ns_(trace.entities.size(), 0),
        moved_ns_(trace.entities.size(), 0),
        arranged_ns_(trace.entities.size(), INT64_MAX) {}

  Replay Go() {
    const std::vector<std::int32_t> order = ParentsFirst(trace_);
    for (const std::int32_t place : order) ClipToParent(static_cast<std::size_t>(place));
    for (auto at = order.rbegin(); at != order.rend(); ++at) Measure(static_cast<std::size_t>(*at));
    Replay replay{.times = EntityTimes(trace_)};
    std::vector<double> speeds(trace_.entities.size(), 1);
    for (const std::int32_t place : order)
      Put(static_cast<std::size_t>(place), speeds, replay.times);
    if (trace_.root >= 0) {
      const EntityTime& root = replay.times[static_cast<std::size_t>(trace_.root)];
      replay.root_ns = std::max<std::int64_t>(root.end_ns - root.start_ns, 0);
    }
    return replay;
  }

 private:
  [[nodiscard]] const Entity& At(std::size_t i) const { return trace_.entities[i]; }
  /// The root is where time begins, whatever stands above it.
  [[nodiscard]] bool HasParent(std::size_t i) const {
    return At(i).parent >= 0 && static_cast<std::int32_t>(i) != trace_.root;
  }

  void ClipToParent(std::size_t i) {
    if (!HasParent(i)) return;
    const EntityTime& parent = clipped_[static_cast<std::size_t>(At(i).parent)];
    EntityTime& own = clipped_[i];
    own.start_ns = std::max(own.start_ns, parent.start_ns);
    own.end_ns = std::min(own.end_ns, parent.end_ns);
  }

  std::vector<Child> ChildrenOf(std::size_t i) const {
    std::vector<Child> children;
    for (const std::int32_t place : At(i).children) {
      const auto child = static_cast<std::size_t>(place);
      if (At(child).role == model::EntityRole::kInferred || clipped_[child].empty() ||
          !HasParent(child))
        continue;
      children.push_back({.entity = child,
                          .start_ns = clipped_[child].start_ns - clipped_[i].start_ns,
                          .end_ns = clipped_[child].end_ns - clipped_[i].start_ns});
    }
    std::ranges::sort(children, {},
                      [](const Child& child) { return std::pair(child.start_ns, child.entity); });
    return children;
  }

  // What of its clipped time an entity saves. Its children are measured.
  void Measure(std::size_t i) {
    if (clipped_[i].empty()) return;
    const std::int64_t old_ns = clipped_[i].end_ns - clipped_[i].start_ns;
    // What ran on after the parent's end did not hold it up: that is saved first.
    const std::int64_t beyond_ns = At(i).end_ns - clipped_[i].end_ns;
    if (changes_[i].speed != 1) {
      saved_ns_[i] =
          std::max<std::int64_t>(old_ns - Faster(old_ns + beyond_ns, changes_[i].speed), 0);
      return;  // all below keeps its place, at that speed
    }
    std::vector<Child> children = ChildrenOf(i);
    Arrange(children);
    std::int64_t last_ns = 0;
    std::int64_t new_last_ns = 0;
    for (const Child& child : children) {
      last_ns = std::max(last_ns, child.end_ns);
      new_last_ns = std::max(new_last_ns, child.new_end_ns);
      moved_ns_[child.entity] = child.new_start_ns - child.start_ns;
    }
    saved_ns_[i] = std::max<std::int64_t>(last_ns - new_last_ns - beyond_ns, 0);
  }

  // New times of siblings, which stand in order of start.
  void Arrange(std::vector<Child>& children) {
    std::vector<const Child*> by_end;
    for (const Child& child : children) by_end.push_back(&child);
    std::ranges::sort(by_end, {}, [](const Child* child) { return child->end_ns; });
    auto ended = by_end.begin();
    std::int64_t after_ns = 0;      // the last end so far, as it was
    std::int64_t new_after_ns = 0;  // as it is
    for (Child& child : children) {
      for (; ended != by_end.end() && (*ended)->end_ns <= child.start_ns; ++ended) {
        after_ns = std::max(after_ns, (*ended)->end_ns);
        new_after_ns = std::max(new_after_ns, (*ended)->new_end_ns);
      }
      child.new_start_ns = new_after_ns + (child.start_ns - after_ns);
      if (const std::int32_t with = changes_[child.entity].starts_with; with >= 0)
        child.new_start_ns =
            std::min(child.new_start_ns, arranged_ns_[static_cast<std::size_t>(with)]);
      arranged_ns_[child.entity] = child.new_start_ns;
      child.new_end_ns =
          child.new_start_ns + child.end_ns - child.start_ns - saved_ns_[child.entity];
    }
  }

  // Where the entity comes to stand; its parent stands already.
  void Put(std::size_t i, std::vector<double>& speeds, std::vector<EntityTime>& times) const {
    const Entity& entity = At(i);
    std::int64_t start_ns = entity.start_ns;
    double speed = 1;
    if (HasParent(i)) {
      const auto parent = static_cast<std::size_t>(entity.parent);
      speed = speeds[parent];
      start_ns = times[parent].start_ns + Faster(entity.start_ns - At(parent).start_ns, speed) +
                 (speed == 1 ? moved_ns_[i] : 0);
    }
    std::int64_t duration_ns = entity.duration_ns();
    if (speed == 1) {
      speed = changes_[i].speed;
      if (speed == 1) duration_ns -= saved_ns_[i];
    }
    speeds[i] = speed;
    times[i] = {start_ns, start_ns + Faster(duration_ns, speed)};
  }

  const AssembledTrace& trace_;
  std::span<const StepChange> changes_;
  std::vector<EntityTime> clipped_;        ///< to all ancestors, as they were
  std::vector<std::int64_t> saved_ns_;     ///< of it
  std::vector<std::int64_t> moved_ns_;     ///< to the front, within the parent
  std::vector<std::int64_t> arranged_ns_;  ///< new start of those that have a place among siblings
};

}  // namespace

Replay ReplayTrace(const AssembledTrace& trace, std::span<const StepChange> changes) {
  FLUORO_ASSERT(changes.size() == trace.entities.size());
  return Run(trace, changes).Go();
}

}  // namespace fluoro::analysis
