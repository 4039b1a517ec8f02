#include "analysis/critical_path.h"

#include <algorithm>

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using model::Entity;
using model::EntityRole;

using Interval = EntityTime;
using Times = std::span<const EntityTime>;

Interval Clip(const Interval& a, const Interval& b) {
  return {std::max(a.start_ns, b.start_ns), std::min(a.end_ns, b.end_ns)};
}

Interval IntervalOf(const Entity& entity) { return {entity.start_ns, entity.end_ns}; }
Interval IntervalOf(Times times, std::int32_t entity) {
  return times[static_cast<std::size_t>(entity)];
}

const Entity& At(const AssembledTrace& trace, std::int32_t index) {
  return trace.entities[static_cast<std::size_t>(index)];
}

struct Child {
  std::int32_t entity = -1;
  Interval interval;  ///< clipped to the parent's clipped interval, not empty
};

// Inferred segments are no work of their own: their time is the call's.
std::vector<Child> ClippedChildren(const AssembledTrace& trace, Times times, std::int32_t parent,
                                   const Interval& within) {
  std::vector<Child> children;
  for (const std::int32_t child : At(trace, parent).children) {
    if (At(trace, child).role == EntityRole::kInferred) continue;
    const Interval interval = Clip(IntervalOf(times, child), within);
    if (!interval.empty()) children.push_back({child, interval});
  }
  return children;
}

// One entity whose interval is being told, from its end backwards.
struct Frame {
  std::int32_t entity = -1;
  std::int64_t start_ns = 0;
  std::int64_t until_ns = 0;    ///< what lies behind this is told
  std::vector<Child> children;  ///< the one to end first stands first; taken from the back
};

Frame Open(const AssembledTrace& trace, Times times, const Child& what) {
  Frame frame{.entity = what.entity,
              .start_ns = what.interval.start_ns,
              .until_ns = what.interval.end_ns,
              .children = ClippedChildren(trace, times, what.entity, what.interval)};
  // Of two that end together the longer is told: the other is off the path.
  std::sort(frame.children.begin(), frame.children.end(), [](const Child& a, const Child& b) {
    if (a.interval.end_ns != b.interval.end_ns) return a.interval.end_ns < b.interval.end_ns;
    if (a.interval.start_ns != b.interval.start_ns)
      return a.interval.start_ns > b.interval.start_ns;
    return a.entity > b.entity;
  });
  return frame;
}

}  // namespace

std::vector<EntityTime> EntityTimes(const AssembledTrace& trace) {
  std::vector<EntityTime> times;
  times.reserve(trace.entities.size());
  for (const Entity& entity : trace.entities) times.push_back(IntervalOf(entity));
  return times;
}

std::vector<PathInterval> CriticalPath(const AssembledTrace& trace) {
  return CriticalPath(trace, EntityTimes(trace));
}

std::vector<PathInterval> CriticalPath(const AssembledTrace& trace, Times times) {
  std::vector<PathInterval> path;
  if (trace.root < 0) return path;
  const Interval root = IntervalOf(times, trace.root);
  if (root.end_ns == root.start_ns) return {{trace.root, root.start_ns, root.end_ns}};

  std::vector<Frame> open;
  open.push_back(Open(trace, times, {trace.root, root}));
  while (!open.empty()) {
    Frame& frame = open.back();
    while (!frame.children.empty() && frame.children.back().interval.end_ns > frame.until_ns) {
      frame.children.pop_back();  // still running at that point: it did not hold the parent up
    }
    const bool told = frame.children.empty();
    const std::int64_t own_from_ns = told ? frame.start_ns : frame.children.back().interval.end_ns;
    if (own_from_ns < frame.until_ns) path.push_back({frame.entity, own_from_ns, frame.until_ns});
    if (told) {
      open.pop_back();
      continue;
    }
    const Child next = frame.children.back();
    frame.children.pop_back();
    frame.until_ns = next.interval.start_ns;
    open.push_back(Open(trace, times, next));
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<std::int64_t> SelfTimes(const AssembledTrace& trace) {
  std::vector<std::int64_t> self_times(trace.entities.size(), 0);
  const std::vector<EntityTime> times = EntityTimes(trace);
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& entity = trace.entities[i];
    if (entity.role == EntityRole::kInferred) continue;
    std::vector<Child> children =
        ClippedChildren(trace, times, static_cast<std::int32_t>(i), times[i]);
    std::sort(children.begin(), children.end(), [](const Child& a, const Child& b) {
      return a.interval.start_ns < b.interval.start_ns;
    });
    std::int64_t covered_ns = 0;
    std::int64_t covered_until_ns = entity.start_ns;
    for (const Child& child : children) {
      const std::int64_t from_ns = std::max(child.interval.start_ns, covered_until_ns);
      if (child.interval.end_ns <= from_ns) continue;
      covered_ns += child.interval.end_ns - from_ns;
      covered_until_ns = child.interval.end_ns;
    }
    self_times[i] = entity.duration_ns() - covered_ns;
  }
  return self_times;
}

}  // namespace fluoro::analysis
