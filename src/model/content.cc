#include "model/content.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/assert.h"
#include "base/utf8.h"

namespace fluoro::model {
namespace {

// Attributes that hold what went into a model and what came out, by the conventions of
// OpenTelemetry, OpenInference, OpenLLMetry, the Vercel AI SDK, LangSmith, Langfuse, MLflow, MCP,
// Google's ADK and Pydantic AI, and by our own canonical names.
constexpr auto kContentKeys = std::to_array<std::string_view>({
    "ai.toolCall.args",
    "ai.toolCall.result",
    "ai.prompt",
    "ai.response.files",
    "ai.response.messages",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.value",
    "ai.values",
    "all_messages_events",
    "document.content",
    "document.metadata",
    "embedding.text",
    "final_result",
    "gcp.vertex.agent.data",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.tool_response",
    "gen_ai.completion",
    "gen_ai.evaluation.explanation",
    "gen_ai.event.content",
    "gen_ai.headers",
    "gen_ai.prompt",
    "gen_ai.retrieval.query.text",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "input.value",
    "input_content",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langsmith.request.headers",
    "llm.function_call",
    "llm.headers",
    "llm.invocation_parameters",
    "llm.prompt_template.template",
    "llm.prompt_template.variables",
    "mcp.request.argument",
    "mcp.response.value",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "output.value",
    "output_content",
    "reranker.query",
    "system_content",
    "tool.parameters",
    "tool_arguments",
    "tool_response",
    "traceloop.entity.input",
    "traceloop.entity.output",
});
constexpr auto kContentPrefixes = std::to_array<std::string_view>({
    "ai.prompt.",
    "ai.request.headers",
    "ai.result.",
    "gen_ai.completion.",
    "gen_ai.content.",
    "llm.choices",
    "llm.completions",
    "llm.prompts",
    "llm.tools",
    "reranker.input_documents.",
    "reranker.output_documents.",
    "retrieval.documents.",
});
// Last names of what is under one of those prefixes, or of a message, and tells nothing of it.
constexpr auto kDescribingNames = std::to_array<std::string_view>(
    {"finish_reason", "id", "mime_type", "name", "role", "score", "type"});

bool IsOneOf(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// gen_ai.prompt.0.content, but neither gen_ai.prompt.name nor gen_ai.prompt.version.
bool IsNumberedPrompt(std::string_view key) {
  constexpr std::string_view kPrompt = "gen_ai.prompt.";
  return key.starts_with(kPrompt) && key.size() > kPrompt.size() && key[kPrompt.size()] >= '0' &&
         key[kPrompt.size()] <= '9';
}

}  // namespace

bool IsContentKey(std::string_view key) {
  if (IsOneOf(kContentKeys, key)) return true;
  // Langfuse and Phoenix write the explanation of each of several evaluations.
  if (key.ends_with(".explanation")) return true;
  if (key.starts_with("embedding.embeddings.")) return key.ends_with(".text");
  const auto is_prefix = [key](std::string_view prefix) { return key.starts_with(prefix); };
  // gen_ai.input.messages, llm.output_messages.0.message.content, ...
  const bool messages = (key.starts_with("gen_ai.") || key.starts_with("llm.")) &&
                        key.find("messages") != std::string_view::npos;
  if (!messages && !IsNumberedPrompt(key) && !std::ranges::any_of(kContentPrefixes, is_prefix))
    return false;
  const std::size_t dot = key.rfind('.');
  return dot == std::string_view::npos || !IsOneOf(kDescribingNames, key.substr(dot + 1));
}

std::string CutInTwo(std::string_view text, std::size_t bytes_max) {
  FLUORO_ASSERT(bytes_max >= kCutInTwoMin && text.size() > bytes_max);
  const std::string between =
      std::string(kLeftOut) + std::to_string(text.size()) + " bytes, the middle is left out>\n";
  const std::size_t kept = bytes_max - between.size();
  std::size_t tail = text.size() - kept / 4;
  while (tail < text.size() && (static_cast<unsigned char>(text[tail]) & 0xc0) == 0x80) ++tail;
  std::string out(TruncateUtf8(text, kept - kept / 4));
  out += between;
  out += text.substr(tail);
  return out;
}

bool IsContentOfEvent(std::string_view event, std::string_view key) {
  if (!event.starts_with("gen_ai.")) return false;
  const bool message = event.ends_with(".message") || event == "gen_ai.choice" ||
                       event.starts_with("gen_ai.content.") ||
                       event == "gen_ai.client.inference.operation.details";
  static constexpr auto kKeys = std::to_array<std::string_view>(
      {"arguments", "body", "content", "event.body", "message", "text", "tool_calls"});
  return message && IsOneOf(kKeys, key);
}

}  // namespace fluoro::model
