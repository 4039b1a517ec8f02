// Canonical GenAI fields of one span, whatever convention it was recorded in.
// Source: OpenTelemetry GenAI semantic conventions, OpenInference, OpenLLMetry; our names:
// docs/genai.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/span.h"

namespace fluoro::genai {

enum class StepKind : std::uint8_t {
  kGateway,
  kAgent,
  kChain,
  kRetriever,
  kReranker,
  kEmbedding,
  kLlm,
  kTool,
  kGuardrail,
  kDb,
  kCache,
  kHttp
};
/// "gateway", "agent", ...
std::string_view StepKindName(StepKind kind);

/// What kind of work the span is. Pure.
StepKind ClassifyStep(const model::Span& span);

/// Value of a canonical field (`model`, `prompt_tokens`, `tenant`, ...) if the span reports it
/// under its own or any known name; null if the field is unknown or not reported. An annotation or
/// plain attribute of exactly that name wins. Pure.
std::optional<model::AttributeValue> CanonicalField(const model::Span& span,
                                                    std::string_view field);

/// True if `field` is one of the canonical names.
bool IsCanonicalField(std::string_view field);

}  // namespace fluoro::genai
