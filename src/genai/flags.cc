#include "genai/flags.h"

#include <algorithm>
#include <array>

#include "genai/classify.h"
#include "genai/derive.h"
#include "genai/evidence.h"
#include "genai/fields.h"
#include "genai/provider.h"
#include "genai/reading.h"
#include "genai/step.h"
#include "genai/stream.h"
#include "genai/tokens.h"

namespace fluoro::genai {
namespace {

using model::Span;

bool IsUnclassified(const Span& span) { return !Classify(span); }

bool IsCacheModeAssumed(const Span& span) { return InclusionOf(span).assumed; }

// Attributes that hold JSON wherever they are written as meant.
constexpr auto kJsonKeys = std::to_array<std::string_view>(
    {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
     "gen_ai.tool.definitions", "gen_ai.retrieval.documents", "ai.prompt.messages",
     "ai.response.toolCalls", "ai.toolCall.args", "langfuse.observation.usage_details",
     "langfuse.observation.cost_details", "langsmith.usage_metadata",
     "gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details",
     "mlflow.chat.tokenUsage", "mlflow.llm.cost", "mlflow.spanInputs", "mlflow.spanOutputs"});

// SDKs keep 128 attributes unless told otherwise; flattened messages need more.
bool IsTruncated(const Span& span) {
  constexpr std::size_t kAttributesOfSdks = 128;
  constexpr auto kFlattened = std::to_array<std::string_view>(
      {"gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages."});
  const bool lost = span.dropped_attributes > 0 || span.attributes.size() == kAttributesOfSdks;
  if (lost && std::any_of(kFlattened.begin(), kFlattened.end(),
                          [&](std::string_view prefix) { return HasPrefix(span, prefix); })) {
    return true;
  }
  return std::any_of(kJsonKeys.begin(), kJsonKeys.end(), [&](std::string_view key) {
    const model::AttributeValue* value = FindAny(span, key);
    return value != nullptr && IsBrokenJson(*value);
  });
}

bool IsTtftUnitGuessed(const Span& span) {
  if (FindAny(span, "ttft_ms") != nullptr) return false;
  const Field& field = FieldNamed("ttft_ms");
  for (const Source& source : field.sources) {
    const Value read = ReadSource(span, source, field.form);
    if (!read) continue;
    const Value used = derive::PlausibleTtft(span, *read, &source);
    if (used) return *used != *read;
  }
  return false;
}

bool IsProviderByHost(const Span& span) {
  if (FindAny(span, "provider") != nullptr) return false;
  const Field& field = FieldNamed("provider");
  for (const Source& source : field.sources) {
    const Value stated = ReadSource(span, source, field.form);
    if (!stated) continue;
    const Value used = derive::CanonicalProvider(span, *stated, &source);
    const std::string* name = used ? used->AsString() : nullptr;
    return name != nullptr && *name != NormaliseProvider(*stated->AsString());
  }
  return false;
}

// Instrumentations that set usage after the span's end lose it.
bool IsUsageMissing(const Span& span) {
  const auto step = Classify(span);
  if (!step || step->kind != StepKind::kLlm || step->sub_kind == "engine") return false;
  if (span.Has(model::SpanFlag::kInProgress) || span.status == model::StatusCode::kError) {
    return false;
  }
  const auto stream = CanonicalField(span, "stream");
  return stream && stream->AsBool() != nullptr && *stream->AsBool() &&
         !CanonicalField(span, "prompt_tokens") && !CanonicalField(span, "completion_tokens");
}

// A cost in another currency is no cost in dollars.
bool IsOtherCurrency(const Span& span) { return !derive::IsCostInUsd(span); }

struct Flag {
  std::string_view name;
  bool (*holds)(const Span&);
  bool of_genai = true;  ///< only of spans with evidence of such work
};
constexpr auto kFlags = std::to_array<Flag>({{"unclassified", IsUnclassified, false},
                                             {"token_conflict", HasTokenConflict},
                                             {"cache_mode_assumed", IsCacheModeAssumed},
                                             {"invalid_tokens", HasBadTokenCount},
                                             {"truncated_content", IsTruncated},
                                             {"ttft_unit_guess", IsTtftUnitGuessed},
                                             {"provider_by_host", IsProviderByHost},
                                             {"usage_missing", IsUsageMissing},
                                             {"early_end", EndsEarly, false},
                                             {"other_currency", IsOtherCurrency}});

}  // namespace

std::string FlagsOf(const Span& span) {
  const bool genai = HasEvidence(span);
  std::string flags;
  for (const Flag& flag : kFlags) {
    if ((flag.of_genai && !genai) || !flag.holds(span)) continue;
    if (!flags.empty()) flags += ' ';
    flags += flag.name;
  }
  return flags;
}

}  // namespace fluoro::genai
