// The class of one span with its finer class, or that none of the rules knows it.
#pragma once

#include <optional>
#include <string_view>

#include "genai/step.h"

namespace fluoro::genai {

struct StepClass {
  StepKind kind = StepKind::kChain;
  std::string_view sub_kind;  ///< "" if none; static text
  bool operator==(const StepClass&) const = default;
};

/// nullopt: unclassified; ClassifyStep calls it a chain. Pure.
/// Source of the rules and their order: docs/genai.md, "Step kinds".
std::optional<StepClass> Classify(const model::Span& span);

std::optional<StepKind> ParseStepKind(std::string_view name);

}  // namespace fluoro::genai
