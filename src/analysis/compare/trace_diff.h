// What differs between two traces, step by step. docs/compare.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/compare/trace_shape.h"

namespace fluoro::analysis::compare {

enum class Change : std::uint8_t { kSame, kAdded, kRemoved, kSlower, kFaster };
/// "same", "added", "removed", "slower", "faster".
std::string_view ChangeName(Change change);

struct AttributeChange {
  std::string key;
  std::optional<std::string> a, b;  ///< nullopt: the step has no such attribute
};

/// Two steps that are one, or one without its like.
struct DiffNode {
  std::int32_t parent = -1;     ///< node of the diff; stands before this one
  std::int32_t a = -1, b = -1;  ///< nodes of the shapes; -1: not there
  Change change = Change::kSame;
  // b less a; what is not there counts 0.
  std::int64_t duration_delta_ns = 0;
  std::int64_t self_delta_ns = 0;
  std::int64_t path_delta_ns = 0;
  bool outcome_changed = false;
  /// The difference is shown here: nothing below explains it.
  bool explains = false;
  std::vector<AttributeChange> attributes;  ///< at most kAttributeChangesMax
  std::size_t attributes_more = 0;
};
inline constexpr std::size_t kAttributeChangesMax = 16;

struct TraceDiff {
  std::vector<DiffNode> nodes;  ///< pre-order
  /// Those that explain something, most of the critical path first.
  std::vector<std::int32_t> explained_by;
  [[nodiscard]] bool same() const;  ///< nothing differs, attributes included
};

/// Steps pair by path, name and order. Slower and faster: by more than a twentieth of the step and
/// a thousandth of the trace, and outside what is usual in `a`. The sum of path_delta_ns is the
/// difference of the roots, if nothing was left out. Diff(b, a) is Diff(a, b) with a and b, and all
/// signs, changed, as long as both are single traces. Pure.
TraceDiff Diff(const TraceShape& a, const TraceShape& b);

}  // namespace fluoro::analysis::compare
