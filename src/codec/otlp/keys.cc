#include "codec/otlp/keys.h"

#include <algorithm>
#include <array>

namespace fluoro::codec::otlp::internal {
namespace {

// Attributes that hold what went into a model and what came out, by the conventions of
// OpenTelemetry, OpenInference, OpenLLMetry, the Vercel AI SDK, Langfuse, MLflow and MCP.
constexpr std::array<std::string_view, 23> kContentKeys = {
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "input.value",
    "output.value",
    "tool.parameters",
    "document.content",
    "llm.invocation_parameters",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "ai.prompt",
    "ai.value",
    "ai.values",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "mcp.response.value",
};
constexpr std::array<std::string_view, 12> kContentPrefixes = {
    "gen_ai.prompt",   "gen_ai.completion", "gen_ai.content.", "llm.prompts",
    "llm.completions", "llm.choices",       "llm.tools",       "llm.prompt_template",
    "ai.prompt.",      "ai.response.",      "ai.result.",      "retrieval.documents.",
};

// In the order of SpanSource.
constexpr std::array<std::string_view, 5> kSourceNames = {"otlp", "xray", "zipkin", "jaeger",
                                                          "csv"};

bool IsContentKey(std::string_view key) {
  if (std::ranges::find(kContentKeys, key) != kContentKeys.end()) return true;
  const auto is_prefix = [key](std::string_view prefix) { return key.starts_with(prefix); };
  if (std::ranges::any_of(kContentPrefixes, is_prefix)) return true;
  // gen_ai.input.messages, llm.output_messages.0.message.content, ...
  return (key.starts_with("gen_ai.") || key.starts_with("llm.")) &&
         key.find("messages") != std::string_view::npos;
}

}  // namespace

std::string_view SourceName(model::SpanSource source) {
  return kSourceNames.at(static_cast<std::size_t>(source));
}

std::optional<model::SpanSource> SourceFromName(std::string_view name) {
  const auto it = std::ranges::find(kSourceNames, name);
  if (it == kSourceNames.end()) return std::nullopt;
  return static_cast<model::SpanSource>(it - kSourceNames.begin());
}

bool IsViewKey(std::string_view key, bool xray) {
  if (key.starts_with("fluoro.")) {
    return key == kSourceKey || key == kFlagsKey || key.starts_with(kPlainPrefix) ||
           key.starts_with(kAnnotationPrefix);
  }
  if (!xray || !key.starts_with("aws.xray.")) return false;
  return key == kDocumentKey || key == kAnnotationsKey || key == kFaultKey || key == kErrorKey ||
         key == kThrottleKey || key == kInProgressKey || key.starts_with(kMetadataPrefix);
}

KeyClass ClassifyKey(std::string_view key) {
  if (key == kSourceKey) return KeyClass::kSource;
  if (key == kDocumentKey) return KeyClass::kDocument;
  if (IsViewKey(key, /*xray=*/true)) return KeyClass::kView;
  return IsContentKey(key) ? KeyClass::kContent : KeyClass::kPlain;
}

}  // namespace fluoro::codec::otlp::internal
