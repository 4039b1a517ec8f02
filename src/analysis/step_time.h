// What kind of step each entity is, and who answers for its time.
#pragma once

#include <cstdint>
#include <vector>

#include "genai/step.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// http, db or cache: what another step does its work by.
bool IsTransport(genai::StepKind kind);
/// llm, embedding, reranker, retriever, tool or guardrail: does one thing for whoever asked, and
/// answers for the transport below it.
bool IsCall(genai::StepKind kind);

/// Step kind of each entity (inferred ones: of the call they were made for).
std::vector<genai::StepKind> StepKinds(const model::AssembledTrace& trace);

/// Who answers for an entity's time: a http, db or cache entity below an llm, embedding, reranker,
/// retriever, tool or guardrail takes the kind of the nearest such ancestor; every other owns
/// itself.
std::vector<genai::StepKind> OwnerKinds(const model::AssembledTrace& trace,
                                        const std::vector<genai::StepKind>& kinds);

/// The entity whose kind that is: the ancestor, else the entity itself.
std::vector<std::int32_t> Owners(const model::AssembledTrace& trace,
                                 const std::vector<genai::StepKind>& kinds);

}  // namespace fluoro::analysis
