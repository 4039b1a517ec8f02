#include "genai/fields.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/json_tree.h"
#include "genai/derive.h"
#include "genai/step.h"

namespace fluoro::genai {
namespace {

using model::AttributeValue;
using model::Span;
using enum Reading;

// Order within a field: OpenTelemetry newest first, OpenInference, Vercel AI SDK, Langfuse,
// LangSmith, Traceloop, MLflow, engines, general conventions.

constexpr auto kProvider = std::to_array<Source>({{"gen_ai.provider.name"},
                                                  {"gen_ai.system"},
                                                  {"llm.provider"},
                                                  {"llm.system"},
                                                  {"ai.model.provider"},
                                                  {"langsmith.metadata.ls_provider"},
                                                  {"mlflow.llm.provider"}});
constexpr auto kModel = std::to_array<Source>({{"gen_ai.request.model"},
                                               {"llm.request.model_name"},
                                               {"llm.model_name"},
                                               {"embedding.model_name"},
                                               {"reranker.model_name"},
                                               {"ai.model.id"},
                                               {"langfuse.observation.model.name"},
                                               {"langsmith.metadata.ls_model_name"},
                                               {"mlflow.llm.model"}});
constexpr auto kModelResponse = std::to_array<Source>(
    {{"gen_ai.response.model"}, {"llm.response.model_name"}, {"ai.response.model"}});
constexpr auto kPromptTokens =
    std::to_array<Source>({{"gen_ai.usage.input_tokens"},
                           {"gen_ai.usage.prompt_tokens"},
                           {"llm.token_count.prompt"},
                           {"ai.usage.inputTokens"},
                           {"ai.usage.promptTokens"},
                           {"ai.usage.tokens"},
                           {"ai.usage.inputTokenDetails.noCacheTokens"},
                           {"langfuse.observation.usage_details", kMember, "input"},
                           {"langfuse.observation.usage_details", kMember, "prompt_tokens"},
                           {"langfuse.observation.usage_details", kMember, "input_tokens"},
                           {"langsmith.usage_metadata", kMember, "input_tokens"},
                           {"langsmith.metadata.usage_metadata", kMember, "input_tokens"},
                           {"llm.usage.prompt_tokens"},
                           {"mlflow.chat.tokenUsage", kMember, "input_tokens"}});
constexpr auto kCompletionTokens =
    std::to_array<Source>({{"gen_ai.usage.output_tokens"},
                           {"gen_ai.usage.completion_tokens"},
                           {"llm.token_count.completion"},
                           {"ai.usage.outputTokens"},
                           {"ai.usage.completionTokens"},
                           {"langfuse.observation.usage_details", kMember, "output"},
                           {"langfuse.observation.usage_details", kMember, "completion_tokens"},
                           {"langfuse.observation.usage_details", kMember, "output_tokens"},
                           {"langsmith.usage_metadata", kMember, "output_tokens"},
                           {"langsmith.metadata.usage_metadata", kMember, "output_tokens"},
                           {"llm.usage.completion_tokens"},
                           {"mlflow.chat.tokenUsage", kMember, "output_tokens"}});
constexpr auto kCachedTokens = std::to_array<Source>(
    {{"gen_ai.usage.cache_read.input_tokens"},
     {"gen_ai.usage.cache_read_input_tokens"},
     {"gen_ai.usage.cache_read_tokens"},
     {"gen_ai.usage.details.cache_read_tokens"},
     {"gen_ai.usage.details.cache_read_input_tokens"},
     {"gen_ai.usage.input_cached_tokens"},
     {"gen_ai.usage.input_token_details.cached"},
     {"llm.token_count.prompt_details.cache_read"},
     {"ai.usage.cachedInputTokens"},
     {"ai.usage.inputTokenDetails.cacheReadTokens"},
     {"langfuse.observation.usage_details", kMember, "input_cached_tokens"},
     {"langfuse.observation.usage_details", kMember, "cache_read_input_tokens"},
     {"langfuse.observation.usage_details", kMember, "input_cache_read"},
     {"langfuse.observation.usage_details", kMember, "prompt_details.cache_read"},
     {"langfuse.observation.usage_details", kMember, "prompt_tokens_details/cached_tokens"},
     {"langfuse.observation.usage_details", kMember, "input_tokens_details/cached_tokens"},
     {"gen_ai.usage.input_token_details", kMember, "cache_read"},
     {"langsmith.usage_metadata", kMember, "input_token_details/cache_read"},
     {"langsmith.metadata.usage_metadata", kMember, "input_token_details/cache_read"},
     {"mlflow.chat.tokenUsage", kMember, "cache_read_input_tokens"}});
constexpr auto kCacheWriteTokens = std::to_array<Source>(
    {{"gen_ai.usage.cache_write.input_tokens"},
     {"gen_ai.usage.cache_creation.input_tokens"},
     {"gen_ai.usage.cache_creation_input_tokens"},
     {"gen_ai.usage.cache_write_tokens"},
     {"gen_ai.usage.details.cache_write_tokens"},
     {"gen_ai.usage.details.cache_creation_input_tokens"},
     {"llm.token_count.prompt_details.cache_write"},
     {"ai.usage.inputTokenDetails.cacheWriteTokens"},
     {"langfuse.observation.usage_details", kLargest,
      "input_cache_creation|input_cache_creation_5m+input_cache_creation_1h"},
     {"gen_ai.usage.input_token_details", kLargest,
      "cache_creation|ephemeral_5m_input_tokens+ephemeral_1h_input_tokens"},
     {"langsmith.usage_metadata", kLargest,
      "input_token_details/cache_creation|input_token_details/ephemeral_5m_input_tokens+"
      "input_token_details/ephemeral_1h_input_tokens"},
     {"langsmith.metadata.usage_metadata", kMember, "input_token_details/cache_creation"},
     {"mlflow.chat.tokenUsage", kMember, "cache_creation_input_tokens"}});
constexpr auto kReasoningTokens = std::to_array<Source>(
    {{"gen_ai.usage.reasoning.output_tokens"},
     {"gen_ai.usage.reasoning_tokens"},
     {"gen_ai.usage.details.reasoning_tokens"},
     {"llm.token_count.completion_details.reasoning"},
     {"ai.usage.reasoningTokens"},
     {"ai.usage.outputTokenDetails.reasoningTokens"},
     {"langfuse.observation.usage_details", kMember, "output_reasoning_tokens"},
     {"langfuse.observation.usage_details", kMember, "output_reasoning"},
     {"langfuse.observation.usage_details", kMember, "completion_details.reasoning"},
     {"langfuse.observation.usage_details", kMember, "completion_tokens_details/reasoning_tokens"},
     {"langfuse.observation.usage_details", kMember, "output_tokens_details/reasoning_tokens"},
     {"langfuse.observation.usage_details", kMember, "thoughtsTokenCount"},
     {"gen_ai.usage.output_token_details", kMember, "reasoning"},
     {"langsmith.usage_metadata", kMember, "output_token_details/reasoning"},
     {"langsmith.metadata.usage_metadata", kMember, "output_token_details/reasoning"},
     {"llm.usage.reasoning_tokens"}});
constexpr auto kAudioIn =
    std::to_array<Source>({{"gen_ai.usage.audio.input_tokens"},
                           {"llm.token_count.prompt_details.audio"},
                           {"langfuse.observation.usage_details", kMember, "input_audio"},
                           {"gen_ai.usage.input_token_details", kMember, "audio"}});
constexpr auto kAudioOut =
    std::to_array<Source>({{"gen_ai.usage.audio.output_tokens"},
                           {"llm.token_count.completion_details.audio"},
                           {"langfuse.observation.usage_details", kMember, "output_audio"},
                           {"gen_ai.usage.output_token_details", kMember, "audio"}});
constexpr auto kImageIn = std::to_array<Source>({{"gen_ai.usage.image.input_tokens"}});
constexpr auto kImageOut = std::to_array<Source>({{"gen_ai.usage.image.output_tokens"}});

constexpr auto kCost =
    std::to_array<Source>({{"gen_ai.usage.cost.amount", kValue, "", derive::IsCostInUsd},
                           {"gen_ai.usage.cost"},
                           {"gen_ai.usage.total_cost"},
                           {"llm.cost.total"},
                           {"langfuse.observation.cost_details", kMember, "total"},
                           {"langfuse.observation.cost_details", kSum},
                           {"langsmith.usage_metadata", kMember, "total_cost"},
                           {"mlflow.llm.cost", kMember, "total_cost"},
                           {"_signoz.gen_ai.total_cost"},
                           {"operation.cost"},
                           {"usage.cost"}});
constexpr auto kCostInput =
    std::to_array<Source>({{"llm.cost.prompt"},
                           {"langfuse.observation.cost_details", kMember, "input"},
                           {"langsmith.usage_metadata", kMember, "input_cost"},
                           {"mlflow.llm.cost", kMember, "input_cost"}});
constexpr auto kCostCached =
    std::to_array<Source>({{"llm.cost.prompt_details.cache_read"},
                           {"llm.cost.prompt_details.cache_input"},
                           {"langfuse.observation.cost_details", kMember, "input_cached_tokens"},
                           {"langfuse.observation.cost_details", kMember, "input_cache_read"}});
constexpr auto kCostOutput =
    std::to_array<Source>({{"llm.cost.completion"},
                           {"langfuse.observation.cost_details", kMember, "output"},
                           {"langsmith.usage_metadata", kMember, "output_cost"},
                           {"mlflow.llm.cost", kMember, "output_cost"}});

constexpr auto kToolName =
    std::to_array<Source>({{"gen_ai.tool.name"},
                           {"tool.name"},
                           {"ai.toolCall.name"},
                           {"traceloop.entity.name", kValue, "", derive::IsTool}});
constexpr auto kToolCallId = std::to_array<Source>(
    {{"gen_ai.tool.call.id"}, {"tool.id"}, {"tool_call.id"}, {"ai.toolCall.id"}});
constexpr auto kToolLatency = std::to_array<Source>({{"gen_ai.execute_tool.duration", kSeconds}});
constexpr auto kRetries = std::to_array<Source>({{"aws.xray.retries"},
                                                 {"aws.retries"},
                                                 {"ApproximateReceiveCount", kFromOne},
                                                 {"AWS_BATCH_JOB_ATTEMPT", kFromOne}});
constexpr auto kAttempt =
    std::to_array<Source>({{"http.request.resend_count"}, {"http.resend_count"}});
constexpr auto kErrorType = std::to_array<Source>({{"error.type"}});

constexpr auto kTenant = std::to_array<Source>({{"tenant.id"},
                                                {"tenant_id"},
                                                {"app.tenant"},
                                                {"metadata", kMember, "tenant"},
                                                {"metadata", kMember, "tenant_id"},
                                                {"ai.settings.context.tenantId"},
                                                {"ai.settings.context.tenant"},
                                                {"ai.settings.runtimeContext.tenantId"},
                                                {"ai.settings.runtimeContext.tenant"},
                                                {"ai.telemetry.metadata.tenantId"},
                                                {"ai.telemetry.metadata.tenant"},
                                                {"langfuse.trace.metadata.tenant"},
                                                {"langfuse.trace.metadata.tenant_id"},
                                                {"langfuse.trace.metadata.tenantId"},
                                                {"langfuse.trace.tags", kTag, "tenant:"},
                                                {"langsmith.metadata.tenant"},
                                                {"langsmith.metadata.tenant_id"},
                                                {"traceloop.association.properties.tenant_id"},
                                                {"traceloop.association.properties.customer_id"},
                                                {"traceloop.association.properties.org_id"},
                                                {"traceloop.association.properties.workspace_id"},
                                                {"baggage.tenant"},
                                                {"baggage.tenant_id"}});
constexpr auto kTenantResource =
    std::to_array<std::string_view>({"tenant", "tenant.id", "tenant_id", "app.tenant"});
constexpr auto kRoute = std::to_array<Source>({{"http.route"}});
constexpr auto kExperiment = std::to_array<Source>({{"feature_flag.key"},
                                                    {"metadata", kMember, "experiment_id"},
                                                    {"metadata", kMember, "experiment"},
                                                    {"ai.settings.context.experimentId"},
                                                    {"ai.settings.context.experiment"},
                                                    {"ai.settings.runtimeContext.experimentId"},
                                                    {"ai.settings.runtimeContext.experiment"},
                                                    {"ai.telemetry.metadata.experimentId"},
                                                    {"ai.telemetry.metadata.experiment"},
                                                    {"langfuse.experiment.id"},
                                                    {"langfuse.experiment.name"},
                                                    {"langsmith.metadata.experiment_id"},
                                                    {"langsmith.metadata.experiment"},
                                                    {"baggage.experiment_id"}});
constexpr auto kExperimentArm = std::to_array<Source>({{"feature_flag.result.variant"},
                                                       {"feature_flag.variant"},
                                                       {"metadata", kMember, "experiment_arm"},
                                                       {"metadata", kMember, "variant"},
                                                       {"ai.settings.context.variant"},
                                                       {"ai.settings.runtimeContext.variant"},
                                                       {"ai.telemetry.metadata.variant"},
                                                       {"langsmith.metadata.experiment_arm"},
                                                       {"langsmith.metadata.variant"},
                                                       {"baggage.experiment_arm"}});
constexpr auto kSession =
    std::to_array<Source>({{"gen_ai.conversation.id"},
                           {"session.id"},
                           {"ai.settings.context.sessionId"},
                           {"ai.settings.context.threadId"},
                           {"ai.settings.runtimeContext.sessionId"},
                           {"ai.settings.runtimeContext.threadId"},
                           {"ai.telemetry.metadata.sessionId"},
                           {"ai.telemetry.metadata.threadId"},
                           {"langfuse.session.id"},
                           {"langsmith.metadata.session_id"},
                           {"langsmith.metadata.thread_id"},
                           {"langsmith.metadata.conversation_id"},
                           {"traceloop.association.properties.session_id"},
                           {"traceloop.association.properties.thread_id"},
                           {"traceloop.association.properties.conversation_id"},
                           {"wandb.thread_id"}});
constexpr auto kUser = std::to_array<Source>({{"user.id"},
                                              {"enduser.id"},
                                              {"ai.settings.context.userId"},
                                              {"ai.settings.runtimeContext.userId"},
                                              {"ai.telemetry.metadata.userId"},
                                              {"langfuse.user.id"},
                                              {"langsmith.metadata.user_id"},
                                              {"gen_ai.user"},
                                              {"llm.user"},
                                              {"traceloop.association.properties.user_id"}});
constexpr auto kAgentName =
    std::to_array<Source>({{"gen_ai.agent.name"},
                           {"agent.name"},
                           {"graph.node.name"},
                           {"ai.telemetry.functionId"},
                           {"traceloop.entity.name", kValue, "", derive::IsAgent}});
constexpr auto kWorkflow = std::to_array<Source>(
    {{"gen_ai.workflow.name"}, {"langsmith.trace.name"}, {"traceloop.workflow.name"}});
constexpr auto kPromptName = std::to_array<Source>(
    {{"gen_ai.prompt.name"}, {"langfuse.observation.prompt.name"}, {"traceloop.prompt.key"}});
constexpr auto kPromptVersion = std::to_array<Source>({{"gen_ai.prompt.version"},
                                                       {"llm.prompt_template.version"},
                                                       {"langfuse.observation.prompt.version"},
                                                       {"traceloop.prompt.version"}});
constexpr auto kDataSource =
    std::to_array<Source>({{"gen_ai.data_source.id"},
                           {"aws.bedrock.knowledge_base.id"},
                           {"db.collection.name", kValue, "", derive::IsRetriever},
                           {"db.system.name", kValue, "", derive::IsRetriever},
                           {"db.system", kValue, "", derive::IsRetriever}});
constexpr auto kTopK =
    std::to_array<Source>({{"gen_ai.retrieval.top_k"},
                           {"gen_ai.request.top_k", kValue, "", derive::IsRetriever},
                           {"reranker.top_k"},
                           {"db.vector.query.top_k"}});
constexpr auto kDocCount = std::to_array<Source>({{"db.vector.query.result_count"}});
constexpr auto kTopScore = std::to_array<Source>({{"db.vector.query.top_score"}});
constexpr auto kStream = std::to_array<Source>({{"gen_ai.request.stream"},
                                                {"langsmith.request.streaming"},
                                                {"gen_ai.is_streaming"},
                                                {"llm.is_streaming"}});
constexpr auto kTtft =
    std::to_array<Source>({{"gen_ai.response.time_to_first_chunk", kSeconds},
                           {"gen_ai.client.operation.time_to_first_chunk", kSeconds},
                           {"ai.response.msToFirstChunk"},
                           {"ai.stream.msToFirstChunk"},
                           {"gen_ai.latency.time_to_first_token", kSeconds},
                           {"gen_ai.server.time_to_first_token", kSeconds}});
constexpr auto kTpot =
    std::to_array<Source>({{"gen_ai.client.operation.time_per_output_chunk", kSeconds},
                           {"ai.response.avgOutputTokensPerSecond", kPerSecond},
                           {"ai.response.avgCompletionTokensPerSecond", kPerSecond}});
constexpr auto kQueue = std::to_array<Source>(
    {{"gen_ai.latency.time_in_queue", kSeconds}, {"gen_ai.latency.time_in_scheduler", kSeconds}});
constexpr auto kPrefill =
    std::to_array<Source>({{"gen_ai.latency.time_in_model_prefill", kSeconds},
                           {"gen_ai.latency.time_in_model_forward", kSeconds}});
constexpr auto kDecode = std::to_array<Source>({{"gen_ai.latency.time_in_model_decode", kSeconds}});
constexpr auto kInput = std::to_array<Source>({{"gen_ai.input.messages"},
                                               {"gen_ai.prompt"},
                                               {"input.value"},
                                               {"ai.prompt.messages"},
                                               {"ai.prompt"},
                                               {"ai.value"},
                                               {"ai.values"},
                                               {"langfuse.observation.input"},
                                               {"traceloop.entity.input"},
                                               {"mlflow.spanInputs"},
                                               {"gen_ai.tool.call.arguments"},
                                               {"ai.toolCall.args"}});
constexpr auto kOutput = std::to_array<Source>({{"gen_ai.output.messages"},
                                                {"gen_ai.completion"},
                                                {"output.value"},
                                                {"ai.response.text"},
                                                {"ai.response.object"},
                                                {"ai.response.toolCalls"},
                                                {"ai.result.text"},
                                                {"ai.result.object"},
                                                {"langfuse.observation.output"},
                                                {"traceloop.entity.output"},
                                                {"mlflow.spanOutputs"},
                                                {"gen_ai.tool.call.result"},
                                                {"ai.toolCall.result"}});
constexpr auto kSystem = std::to_array<Source>({{"gen_ai.system_instructions"}});

constexpr auto kFields = std::to_array<Field>({
    {.name = "step_kind", .derive = derive::StepKindOf},
    {.name = "sub_kind", .derive = derive::SubKind},
    {.name = "step_name", .derive = derive::StepName},
    {.name = "provider",
     .sources = kProvider,
     .derive = derive::ProviderByHost,
     .finish = derive::CanonicalProvider},
    {.name = "model", .sources = kModel},
    {.name = "model_response", .sources = kModelResponse},
    {.name = "prompt_tokens",
     .form = Form::kCount,
     .sources = kPromptTokens,
     .finish = derive::InclusivePrompt},
    {.name = "completion_tokens",
     .form = Form::kCount,
     .sources = kCompletionTokens,
     .finish = derive::InclusiveCompletion},
    {.name = "cached_tokens", .form = Form::kCount, .sources = kCachedTokens},
    {.name = "cache_write_tokens", .form = Form::kCount, .sources = kCacheWriteTokens},
    {.name = "reasoning_tokens", .form = Form::kCount, .sources = kReasoningTokens},
    {.name = "audio_in_tokens", .form = Form::kCount, .sources = kAudioIn},
    {.name = "audio_out_tokens", .form = Form::kCount, .sources = kAudioOut},
    {.name = "image_in_tokens", .form = Form::kCount, .sources = kImageIn},
    {.name = "image_out_tokens", .form = Form::kCount, .sources = kImageOut},
    {.name = "usage_role"},
    {.name = "cost_usd", .form = Form::kNumber, .sources = kCost},
    {.name = "cost_input_usd", .form = Form::kNumber, .sources = kCostInput},
    {.name = "cost_cached_usd", .form = Form::kNumber, .sources = kCostCached},
    {.name = "cost_output_usd", .form = Form::kNumber, .sources = kCostOutput},
    {.name = "cost_source", .derive = derive::CostSource},
    {.name = "tool_name", .sources = kToolName, .derive = derive::ToolName},
    {.name = "tool_call_id", .sources = kToolCallId},
    {.name = "tool_latency_ms",
     .form = Form::kNumber,
     .sources = kToolLatency,
     .derive = derive::ToolLatency},
    {.name = "retry_count", .form = Form::kCount, .sources = kRetries},
    {.name = "attempt", .form = Form::kCount, .sources = kAttempt},
    {.name = "timeout", .form = Form::kFlag, .derive = derive::Timeout},
    {.name = "throttled", .form = Form::kFlag, .derive = derive::Throttled},
    {.name = "error_type", .sources = kErrorType, .derive = derive::ErrorType},
    {.name = "tenant", .sources = kTenant, .resource = kTenantResource},
    {.name = "route", .sources = kRoute, .derive = derive::Route},
    {.name = "experiment_id", .sources = kExperiment, .derive = derive::ExperimentId},
    {.name = "experiment_arm", .sources = kExperimentArm, .derive = derive::ExperimentArm},
    {.name = "session_id", .sources = kSession},
    {.name = "user_id", .sources = kUser},
    {.name = "agent_name", .sources = kAgentName},
    {.name = "workflow_name", .sources = kWorkflow},
    {.name = "prompt_name", .sources = kPromptName},
    {.name = "prompt_version", .sources = kPromptVersion},
    {.name = "data_source", .sources = kDataSource},
    {.name = "top_k", .form = Form::kCount, .sources = kTopK},
    {.name = "doc_count",
     .form = Form::kCount,
     .sources = kDocCount,
     .derive = derive::DocumentCount},
    {.name = "top_score", .form = Form::kNumber, .sources = kTopScore, .derive = derive::TopScore},
    {.name = "stream", .form = Form::kFlag, .sources = kStream, .derive = derive::Stream},
    {.name = "ttft_ms",
     .form = Form::kNumber,
     .sources = kTtft,
     .derive = derive::TimeToFirstToken,
     .finish = derive::PlausibleTtft},
    {.name = "tpot_ms", .form = Form::kNumber, .sources = kTpot, .derive = derive::TimePerToken},
    {.name = "itl_p50_ms", .form = Form::kNumber, .derive = derive::ChunkGapP50},
    {.name = "itl_p95_ms", .form = Form::kNumber, .derive = derive::ChunkGapP95},
    {.name = "itl_max_ms", .form = Form::kNumber, .derive = derive::ChunkGapMax},
    {.name = "queue_ms", .form = Form::kNumber, .sources = kQueue},
    {.name = "prefill_ms", .form = Form::kNumber, .sources = kPrefill},
    {.name = "decode_ms", .form = Form::kNumber, .sources = kDecode},
    {.name = "finish_reason", .derive = derive::FinishReason},
    {.name = "input_content", .form = Form::kContent, .sources = kInput},
    {.name = "output_content", .form = Form::kContent, .sources = kOutput},
    {.name = "system_content", .form = Form::kContent, .sources = kSystem},
    {.name = "norm_flags", .derive = derive::NormFlags},
});

const Field* FindField(std::string_view name) {
  const auto field = std::find_if(kFields.begin(), kFields.end(),
                                  [&](const Field& known) { return known.name == name; });
  return field == kFields.end() ? nullptr : &*field;
}

Value ReadTag(const AttributeValue& value, std::string_view prefix) {
  Value found;
  ForEachText(value, [&](std::string_view text) {
    if (!found && text.starts_with(prefix) && text.size() > prefix.size()) {
      found = AttributeValue{std::string(text.substr(prefix.size()))};
    }
  });
  return found;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Totals and their parts stand side by side; either may be missing or 0.
Value ReadLargest(const AttributeValue& value, std::string_view sums) {
  std::optional<std::int64_t> largest;
  for (const std::string_view sum : Split(sums, '|')) {
    for (std::int64_t total = 0; const std::string_view member : Split(sum, '+')) {
      const Value found = MemberOf(value, member);
      const Value count = found ? Coerce(*found, Form::kCount) : std::nullopt;
      if (!count) continue;
      total += *count->AsInt();
      largest = std::max(largest.value_or(0), total);
    }
  }
  return largest ? Value(AttributeValue{*largest}) : std::nullopt;
}

// `metadata.default.<name>` of an X-Ray document, which no attribute holds.
Value FromMetadata(const Span& span, const Field& field) {
  if (span.source != model::SpanSource::kXRay ||
      span.document.find("\"metadata\"") == std::string::npos ||
      span.document.find("\"" + std::string(field.name) + "\"") == std::string::npos) {
    return std::nullopt;
  }
  const auto tree = JsonTree::Parse(span.document);
  if (!tree) return std::nullopt;
  const JsonView view = tree->root()["metadata"]["default"][field.name];
  if (const auto text = view.String()) return Coerce({std::string(*text)}, field.form);
  if (const auto flag = view.Bool()) return Coerce({*flag}, field.form);
  if (const auto number = view.Double()) return Coerce({*number}, field.form);
  return std::nullopt;
}

}  // namespace

std::span<const Field> Fields() { return kFields; }

const Field& FieldNamed(std::string_view name) {
  const Field* field = FindField(name);
  FLUORO_ASSERT(field != nullptr);
  return *field;
}

Value ReadSource(const Span& span, const Source& source, Form form) {
  const AttributeValue* raw = FindAny(span, source.key);
  if (raw == nullptr || (source.when != nullptr && !source.when(span))) return std::nullopt;
  switch (source.reading) {
    case kValue:
      return Coerce(*raw, form);
    case kMember: {
      const Value member = MemberOf(*raw, source.part);
      return member ? Coerce(*member, form) : std::nullopt;
    }
    case kSum: {
      const std::optional<double> sum = SumOfMembers(*raw);
      return sum ? Value(AttributeValue{*sum}) : std::nullopt;
    }
    case kLargest:
      return ReadLargest(*raw, source.part);
    case kTag:
      return ReadTag(*raw, source.part);
    case kFromOne: {
      const Value count = Coerce(*raw, Form::kCount);
      if (!count || *count->AsInt() == 0) return std::nullopt;
      return AttributeValue{*count->AsInt() - 1};
    }
    case kSeconds:
    case kPerSecond:
      break;
  }
  const Value number = Coerce(*raw, Form::kNumber);
  if (!number) return std::nullopt;
  const double value = *number->AsDouble();
  if (source.reading == kSeconds) return AttributeValue{value * 1000};
  return value > 0 ? Value(AttributeValue{1000 / value}) : std::nullopt;
}

Value ReadSources(const Span& span, const Field& field) {
  // A value that cannot be is passed over.
  const auto finished = [&](Value value, const Source* source) {
    return !value || field.finish == nullptr ? std::move(value)
                                             : field.finish(span, *std::move(value), source);
  };
  for (const Source& source : field.sources) {
    if (Value value = finished(ReadSource(span, source, field.form), &source)) return value;
  }
  for (const std::string_view key : field.resource) {
    const AttributeValue* raw = span.resource ? span.resource->Find(key) : nullptr;
    if (raw == nullptr) continue;
    if (Value value = finished(Coerce(*raw, field.form), nullptr)) return value;
  }
  return field.derive == nullptr ? std::nullopt : finished(field.derive(span), nullptr);
}

bool IsCanonicalField(std::string_view field) { return FindField(field) != nullptr; }

std::optional<AttributeValue> CanonicalField(const Span& span, std::string_view name) {
  const Field* field = FindField(name);
  if (field == nullptr) return std::nullopt;
  if (const AttributeValue* own = FindAny(span, name)) {
    if (Value value = Coerce(*own, field->form)) return value;
  }
  if (Value value = FromMetadata(span, *field)) return value;
  return ReadSources(span, *field);
}

}  // namespace fluoro::genai
