// One request as experiments take it: what each of its steps took of the critical path and of the
// money, and when its first token came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "genai/trace_cost.h"
#include "model/assembly.h"

namespace fluoro::analysis::compare {

/// Of all steps of a name: "llm gpt-5.4", "tool search", "db".
struct RequestPart {
  std::string step;
  std::int64_t path_ns = 0;
  std::int64_t cost_nano_usd = 0;
};

/// By owner kind (docs/genai.md), model and tool; by name. path_ns sum to the root's duration,
/// costs to the cost of the trace. Pure.
std::vector<RequestPart> PartsOf(const model::AssembledTrace& trace, const genai::TraceCost& cost);

/// From the root's start to the first token of the model's answer that ended last; nullopt if none
/// tells of it. Pure.
std::optional<std::int64_t> FirstTokenOf(const model::AssembledTrace& trace);

}  // namespace fluoro::analysis::compare
