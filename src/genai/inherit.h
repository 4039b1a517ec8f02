// How a value passes through one trace: from the nearest ancestor that has one. Shared by all that
// label spans with what another span of their trace states.
#pragma once

#include <cstdint>
#include <span>

namespace fluoro::genai {

/// Fills values that are 0 from above. With `upwards`, what is still 0 takes the only value of the
/// trace, if there is only one: a trace has one tenant, whichever span names it.
/// @param order  all places, parents before children
/// @param above  place -> place of its parent, or one that is not below `order.size()`
/// @param value  place -> reference to its value
/// Pure. Source of the rule: docs/genai.md, "Labels".
template <class Above, class Value>
void Inherit(std::span<const std::uint32_t> order, bool upwards, const Above& above,
             const Value& value) {
  std::uint32_t only = 0;
  bool several = false;
  for (const std::uint32_t at : order) {
    const std::uint32_t own = value(at);
    if (!upwards || own == 0 || own == only) continue;
    several = several || only != 0;
    only = own;
  }
  for (const std::uint32_t at : order) {
    if (value(at) != 0) continue;
    if (const std::uint32_t parent = above(at); parent < order.size()) value(at) = value(parent);
    if (value(at) == 0 && !several) value(at) = only;
  }
}

}  // namespace fluoro::genai
