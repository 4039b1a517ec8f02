// Where the time of one trace went.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/assembly.h"

namespace fluoro::analysis {

/// One interval of the root's time and the entity that held it.
struct PathInterval {
  std::int32_t entity = -1;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

/// In time order; the intervals tile the root's interval exactly and do not overlap. Children are
/// clipped to their parent; links are not followed. Empty for a trace without root. Pure; linear in
/// entities times log.
std::vector<PathInterval> CriticalPath(const model::AssembledTrace& trace);

/// When an entity ran.
struct EntityTime {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  [[nodiscard]] bool empty() const { return end_ns <= start_ns; }
};

/// As they were sent, by entity.
std::vector<EntityTime> EntityTimes(const model::AssembledTrace& trace);

/// The same with other times, one an entity: what the path would have been.
std::vector<PathInterval> CriticalPath(const model::AssembledTrace& trace,
                                       std::span<const EntityTime> times);

/// Duration minus the union of the children's intervals clipped to the entity; never negative. One
/// entry an entity.
std::vector<std::int64_t> SelfTimes(const model::AssembledTrace& trace);

}  // namespace fluoro::analysis
