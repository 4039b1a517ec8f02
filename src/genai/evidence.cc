#include "genai/evidence.h"

#include <algorithm>
#include <array>

#include "genai/reading.h"

namespace fluoro::genai {
namespace {

// All keys that begin so.
constexpr auto kPrefixes =
    std::to_array<std::string_view>({"gen_ai.", "llm.", "ai.model.", "ai.usage.", "ai.toolCall."});
constexpr auto kSure = std::to_array<std::string_view>({"_signoz.gen_ai.total_cost",
                                                        "ai.operationId",
                                                        "completion_tokens",
                                                        "cost_usd",
                                                        "embedding.model_name",
                                                        "langfuse.observation.cost_details",
                                                        "langfuse.observation.model.name",
                                                        "langfuse.observation.type",
                                                        "langfuse.observation.usage_details",
                                                        "langsmith.metadata.usage_metadata",
                                                        "langsmith.span.kind",
                                                        "langsmith.usage_metadata",
                                                        "mcp.method.name",
                                                        "mlflow.chat.tokenUsage",
                                                        "mlflow.llm.cost",
                                                        "mlflow.spanType",
                                                        "openinference.span.kind",
                                                        "operation.cost",
                                                        "prompt_tokens",
                                                        "reranker.model_name",
                                                        "step_kind",
                                                        "tool.name",
                                                        "traceloop.llm.request.type",
                                                        "traceloop.span.kind",
                                                        "usage.cost",
                                                        "usage_role"});
constexpr auto kByValue =
    std::to_array<std::string_view>({"aws.operation", "aws.service", "aws.xray.namespace",
                                     "operation.name", "rpc.method", "rpc.service"});

template <std::size_t n>
bool Holds(const std::array<std::string_view, n>& sorted, std::string_view key) {
  return std::binary_search(sorted.begin(), sorted.end(), key);
}

}  // namespace

Evidence EvidenceOf(std::string_view key) {
  static_assert(std::is_sorted(kSure.begin(), kSure.end()));
  static_assert(std::is_sorted(kByValue.begin(), kByValue.end()));
  // No other letter begins one of them: most keys end here.
  constexpr std::string_view kFirst = "_aceglmoprstu";
  if (key.empty() || kFirst.find(key.front()) == std::string_view::npos) return Evidence::kNone;
  if (std::any_of(kPrefixes.begin(), kPrefixes.end(),
                  [&](std::string_view prefix) { return key.starts_with(prefix); })) {
    return Evidence::kSure;
  }
  if (Holds(kSure, key)) return Evidence::kSure;
  return Holds(kByValue, key) ? Evidence::kByValue : Evidence::kNone;
}

// Called for every AWS and RPC call: both names have their `k` at the seventh place.
bool ValueIsEvidence(std::string_view value) {
  if (value.starts_with("ai.")) return true;
  constexpr std::size_t kAt = 6;
  for (std::size_t i = kAt; i < value.size(); ++i) {
    if ((value[i] | 0x20) != 'k') continue;
    const std::string_view from = value.substr(i - kAt);
    if (ContainsIgnoringCase(from.substr(0, 7), "bedrock") ||
        ContainsIgnoringCase(from.substr(0, 9), "sagemaker")) {
      return true;
    }
  }
  return false;
}

bool HasEvidence(const model::Span& span) {
  bool by_value = false;
  for (const model::Attribute& attribute : span.attributes) {
    const Evidence evidence = EvidenceOf(attribute.key);
    if (evidence == Evidence::kSure) return true;
    if (evidence == Evidence::kNone) continue;
    by_value = true;
    const std::string* text = attribute.value.AsString();
    if (text != nullptr && ValueIsEvidence(*text)) return true;
  }
  return by_value && ValueIsEvidence(span.name);
}

}  // namespace fluoro::genai
