#include "model/content.h"

#include <algorithm>
#include <array>

namespace fluoro::model {
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

}  // namespace

bool IsContentKey(std::string_view key) {
  if (std::ranges::find(kContentKeys, key) != kContentKeys.end()) return true;
  const auto is_prefix = [key](std::string_view prefix) { return key.starts_with(prefix); };
  if (std::ranges::any_of(kContentPrefixes, is_prefix)) return true;
  // gen_ai.input.messages, llm.output_messages.0.message.content, ...
  return (key.starts_with("gen_ai.") || key.starts_with("llm.")) &&
         key.find("messages") != std::string_view::npos;
}

}  // namespace fluoro::model
