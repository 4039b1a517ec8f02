// The entities of one trace as steps: what each is, who answers for its time, how it ended.
// Source of the rules: docs/genai.md, "The ledger" and "Waste".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "genai/step.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// Names of tools and models are cut at so many bytes, between characters.
inline constexpr std::size_t kStepTextMax = 256;

struct Step {
  genai::StepKind kind = genai::StepKind::kChain;
  std::string sub_kind;           ///< "" if none
  std::int32_t owner = -1;        ///< entity that answers for its time (step_time.h)
  std::int32_t tool_owner = -1;   ///< nearest tool step, itself included; -1: none
  std::int32_t model_owner = -1;  ///< itself, or the nearest step above of its kind, that names a
                                  ///< model; -1: none, or no kind that calls models
  std::string tool;               ///< of a tool step
  std::string model;              ///< of a step that calls a model: that answered, else asked for
  bool is_work = false;           ///< false: made up by assembly, its time is another entity's
  bool in_progress = false;
  bool failed = false;  ///< an error, a throttle, a timeout or a cancellation
  bool timeout = false;
  bool throttled = false;
  bool cancelled = false;
  std::int64_t retries = 0;             ///< as stated: by itself, a queue or a batch system
  std::optional<std::int64_t> attempt;  ///< ordinal, 0: the first
};

/// One an entity. Pure.
std::vector<Step> StepsOf(const model::AssembledTrace& trace);

/// Entities from the roots down: parents before children, every one once. Ends on any input.
std::vector<std::int32_t> ParentsFirst(const model::AssembledTrace& trace);

/// llm, embedding, reranker and guardrail.
bool CallsModel(genai::StepKind kind);

}  // namespace fluoro::analysis
