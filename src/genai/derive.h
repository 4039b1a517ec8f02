// Fields that are computed from more than one attribute, from events, or from the span itself.
#pragma once

#include "genai/fields.h"

namespace fluoro::genai::derive {

Value StepKindOf(const model::Span& span);
Value SubKind(const model::Span& span);
Value StepName(const model::Span& span);
Value ProviderByHost(const model::Span& span);
Value CostSource(const model::Span& span);
Value ToolName(const model::Span& span);
Value ToolLatency(const model::Span& span);
Value Timeout(const model::Span& span);
Value Throttled(const model::Span& span);
Value ErrorType(const model::Span& span);
Value Route(const model::Span& span);
Value ExperimentId(const model::Span& span);
Value ExperimentArm(const model::Span& span);
Value DocumentCount(const model::Span& span);
Value TopScore(const model::Span& span);
Value Stream(const model::Span& span);
Value TimeToFirstToken(const model::Span& span);
Value TimePerToken(const model::Span& span);
Value ChunkGapP50(const model::Span& span);
Value ChunkGapP95(const model::Span& span);
Value ChunkGapMax(const model::Span& span);
Value FinishReason(const model::Span& span);
Value NormFlags(const model::Span& span);

Value CanonicalProvider(const model::Span& span, model::AttributeValue value, const Source* source);
Value InclusivePrompt(const model::Span& span, model::AttributeValue value, const Source* source);
Value InclusiveCompletion(const model::Span& span, model::AttributeValue value,
                          const Source* source);
Value PlausibleTtft(const model::Span& span, model::AttributeValue value, const Source* source);

/// The worst of several reasons, in canonical words.
std::string CanonicalFinishReason(const model::AttributeValue& reasons);
/// Without query; path segments that look like ids become `{id}`.
std::string TemplateRoute(std::string_view url_or_path);

bool IsTool(const model::Span& span);
bool IsAgent(const model::Span& span);
bool IsRetriever(const model::Span& span);
bool IsCostInUsd(const model::Span& span);

}  // namespace fluoro::genai::derive
