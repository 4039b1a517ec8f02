// How the root's time divides over kinds of step.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "analysis/critical_path.h"
#include "genai/step.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// Step kind of each entity (inferred ones: of the call they were made for).
std::vector<genai::StepKind> StepKinds(const model::AssembledTrace& trace);

/// Who answers for an entity's time: a http, db or cache entity below an llm, embedding, reranker,
/// retriever, tool or guardrail takes the kind of the nearest such ancestor; every other owns
/// itself.
std::vector<genai::StepKind> OwnerKinds(const model::AssembledTrace& trace,
                                        const std::vector<genai::StepKind>& kinds);

/// Nanoseconds of the critical path by owner kind; they sum to the root's duration. Pure.
std::map<genai::StepKind, std::int64_t> PathByOwnerKind(const std::vector<PathInterval>& path,
                                                        const std::vector<genai::StepKind>& owners);

}  // namespace fluoro::analysis
