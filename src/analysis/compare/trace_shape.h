// What of a trace is compared with another: its tree of steps, without the spans.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "genai/step.h"
#include "model/assembly.h"

namespace fluoro::analysis::compare {

/// What makes two steps the same one: where they stand, who does what, and the how-manieth of such
/// siblings it is.
struct StepName {
  std::string service;
  std::string name;
  genai::StepKind kind = genai::StepKind::kChain;
  std::uint32_t occurrence = 0;  ///< 0 for the first of its siblings
  auto operator<=>(const StepName&) const = default;
};

/// Tokens and money of one step, each counted once in a trace.
struct StepUsage {
  std::int32_t entity = -1;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::optional<std::int64_t> cost_nano_usd;
};

struct ShapeNode {
  StepName step;
  std::int32_t parent = -1;  ///< node; stands before this one
  model::SpanId span;
  std::int64_t start_ns = 0;  ///< from the start of the trace
  std::int64_t duration_ns = 0;
  std::int64_t self_ns = 0;
  std::int64_t path_ns = 0;  ///< of its own on the critical path
  model::Outcome outcome = model::Outcome::kOk;
  std::optional<StepUsage> usage;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< by key
  // Of a typical trace (typical.h) what is usual; of one trace it is that trace.
  double share = 1;                                 ///< of traces, those that have the step
  std::int64_t usual_min_ns = 0, usual_max_ns = 0;  ///< duration
};

/// Nodes stand in pre-order: a parent, then what is below it, siblings by start.
struct TraceShape {
  model::TraceId id;
  std::int64_t duration_ns = 0;
  std::int64_t root_ns =
      0;  ///< of the root; the nodes' path_ns sum to it, unless some are left out
  std::vector<ShapeNode> nodes;
  std::uint64_t nodes_left_out = 0;
  std::uint64_t attributes_left_out = 0;
};

struct ShapeBounds {
  std::size_t nodes_max = 20'000;
  std::size_t attribute_bytes_max = std::size_t{16} << 20;  ///< keys and values of all nodes
  std::size_t value_bytes_max = 256;
};

/// Inferred segments are left out, since their time is the call's. Structured values and content
/// are no attributes here. Pure; ends on any assembled trace; linear but for sorting siblings.
TraceShape ShapeOf(const model::AssembledTrace& trace, std::span<const StepUsage> usage,
                   const ShapeBounds& bounds = {});

/// Children of each node, in order; the last entry holds the roots.
std::vector<std::vector<std::int32_t>> ChildrenOf(const TraceShape& shape);

}  // namespace fluoro::analysis::compare
