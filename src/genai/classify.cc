#include "genai/classify.h"

#include <algorithm>
#include <array>
#include <span>

#include "genai/reading.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using enum StepKind;

using Verdict = std::optional<StepClass>;

constexpr std::array<std::string_view, 12> kKindNames = {
    "gateway", "agent", "chain",     "retriever", "reranker", "embedding",
    "llm",     "tool",  "guardrail", "db",        "cache",    "http"};

// ---- Attributes whose value names the kind (rules 2 to 10) ----

struct ValueClass {
  std::string_view value;  ///< lower case; "*" takes every other value
  StepClass step;
};

constexpr auto kOpenInference = std::to_array<ValueClass>({{"llm", {kLlm, ""}},
                                                           {"embedding", {kEmbedding, ""}},
                                                           {"chain", {kChain, ""}},
                                                           {"retriever", {kRetriever, ""}},
                                                           {"reranker", {kReranker, ""}},
                                                           {"tool", {kTool, ""}},
                                                           {"agent", {kAgent, ""}},
                                                           {"guardrail", {kGuardrail, ""}},
                                                           {"evaluator", {kChain, "evaluator"}},
                                                           {"prompt", {kChain, "prompt"}}});
constexpr auto kLangSmith = std::to_array<ValueClass>({{"llm", {kLlm, ""}},
                                                       {"chain", {kChain, ""}},
                                                       {"tool", {kTool, ""}},
                                                       {"retriever", {kRetriever, ""}},
                                                       {"embedding", {kEmbedding, ""}},
                                                       {"prompt", {kChain, "prompt"}},
                                                       {"parser", {kChain, "parser"}}});
constexpr auto kLangfuse = std::to_array<ValueClass>({{"generation", {kLlm, ""}},
                                                      {"embedding", {kEmbedding, ""}},
                                                      {"agent", {kAgent, ""}},
                                                      {"tool", {kTool, ""}},
                                                      {"chain", {kChain, ""}},
                                                      {"retriever", {kRetriever, ""}},
                                                      {"guardrail", {kGuardrail, ""}},
                                                      {"evaluator", {kChain, "evaluator"}}});
constexpr auto kMcp = std::to_array<ValueClass>({{"tools/call", {kTool, "mcp"}},
                                                 {"sampling/createmessage", {kChain, "mcp"}},
                                                 {"*", {kHttp, "mcp"}}});
constexpr auto kOperation = std::to_array<ValueClass>({{"chat", {kLlm, ""}},
                                                       {"text_completion", {kLlm, ""}},
                                                       {"generate_content", {kLlm, ""}},
                                                       {"completion", {kLlm, ""}},
                                                       {"generate", {kLlm, ""}},
                                                       {"response", {kLlm, ""}},
                                                       {"responses", {kLlm, ""}},
                                                       {"llm_request", {kLlm, ""}},
                                                       {"embeddings", {kEmbedding, ""}},
                                                       {"embedding", {kEmbedding, ""}},
                                                       {"retrieval", {kRetriever, ""}},
                                                       {"vector_db_retrieve", {kRetriever, ""}},
                                                       {"rerank", {kReranker, ""}},
                                                       {"execute_tool", {kTool, ""}},
                                                       {"invoke_agent", {kAgent, ""}},
                                                       {"create_agent", {kAgent, ""}},
                                                       {"invoke_workflow", {kChain, "workflow"}},
                                                       {"plan", {kChain, "plan"}},
                                                       {"execute_task", {kChain, ""}},
                                                       {"apply_guardrail", {kGuardrail, ""}},
                                                       {"search_memory", {kRetriever, "memory"}},
                                                       {"create_memory", {kDb, "memory"}},
                                                       {"update_memory", {kDb, "memory"}},
                                                       {"upsert_memory", {kDb, "memory"}},
                                                       {"delete_memory", {kDb, "memory"}},
                                                       {"create_memory_store", {kDb, "memory"}},
                                                       {"delete_memory_store", {kDb, "memory"}},
                                                       {"fetch_response", {kHttp, ""}}});
constexpr auto kTraceloop = std::to_array<ValueClass>({{"workflow", {kChain, "workflow"}},
                                                       {"task", {kChain, ""}},
                                                       {"agent", {kAgent, ""}},
                                                       {"tool", {kTool, ""}}});
constexpr auto kRequestType = std::to_array<ValueClass>({{"chat", {kLlm, ""}},
                                                         {"completion", {kLlm, ""}},
                                                         {"embedding", {kEmbedding, ""}},
                                                         {"rerank", {kReranker, ""}}});
constexpr auto kVercel = std::to_array<ValueClass>({{"ai.generatetext.dogenerate", {kLlm, ""}},
                                                    {"ai.streamtext.dostream", {kLlm, ""}},
                                                    {"ai.generateobject.dogenerate", {kLlm, ""}},
                                                    {"ai.streamobject.dostream", {kLlm, ""}},
                                                    {"ai.embed.doembed", {kEmbedding, ""}},
                                                    {"ai.embedmany.doembed", {kEmbedding, ""}},
                                                    {"ai.rerank.dorerank", {kReranker, ""}},
                                                    {"ai.toolcall", {kTool, ""}},
                                                    {"ai.generatetext", {kAgent, ""}},
                                                    {"ai.streamtext", {kAgent, ""}},
                                                    {"ai.generateobject", {kAgent, ""}},
                                                    {"ai.streamobject", {kAgent, ""}},
                                                    {"ai.embed", {kChain, ""}},
                                                    {"ai.embedmany", {kChain, ""}},
                                                    {"ai.rerank", {kChain, ""}}});
constexpr auto kMlflow = std::to_array<ValueClass>({{"llm", {kLlm, ""}},
                                                    {"chat_model", {kLlm, ""}},
                                                    {"embedding", {kEmbedding, ""}},
                                                    {"retriever", {kRetriever, ""}},
                                                    {"reranker", {kReranker, ""}},
                                                    {"tool", {kTool, ""}},
                                                    {"agent", {kAgent, ""}},
                                                    {"guardrail", {kGuardrail, ""}},
                                                    {"chain", {kChain, ""}},
                                                    {"workflow", {kChain, "workflow"}},
                                                    {"task", {kChain, ""}},
                                                    {"parser", {kChain, "parser"}},
                                                    {"evaluator", {kChain, "evaluator"}},
                                                    {"memory", {kChain, "memory"}}});

Verdict ByValue(const Span& span, std::string_view key, std::span<const ValueClass> classes) {
  std::string value = LowerCase(TextAt(span, key));
  if (key == "operation.name") value.resize(std::min(value.size(), value.find(' ')));
  if (value.empty()) return std::nullopt;
  for (const ValueClass& known : classes) {
    if (known.value == value || known.value == "*") return known.step;
  }
  return std::nullopt;
}

// ---- The other rules ----

Verdict Explicit(const Span& span) {
  const auto kind = ParseStepKind(TextAt(span, "step_kind"));
  return kind ? Verdict(StepClass{*kind, {}}) : std::nullopt;
}

Verdict VercelStep(const Span& span) {
  constexpr std::string_view kPrefix = "step ";
  const std::string_view name = span.name;
  const bool numbered = name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
                        std::all_of(name.begin() + kPrefix.size(), name.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
  return numbered ? Verdict(StepClass{kChain, {}}) : std::nullopt;
}

Verdict Engine(const Span& span) {
  const bool engine =
      HasAny(span, {"gen_ai.latency.time_in_queue", "gen_ai.latency.time_in_model_prefill",
                    "gen_ai.latency.time_in_model_decode", "gen_ai.latency.e2e"}) ||
      (span.name == "llm_request" && HasAny(span, {"gen_ai.request.id"}));
  return engine ? Verdict(StepClass{kLlm, "engine"}) : std::nullopt;
}

// A bare `gen_ai.tool.call.id` only refers to a tool call.
Verdict Tool(const Span& span) {
  const bool tool =
      HasAny(span, {"gen_ai.tool.name", "ai.toolCall.name"}) ||
      (HasAny(span, {"tool.name"}) && HasAny(span, {"tool.parameters", "input.value"}));
  return tool ? Verdict(StepClass{kTool, {}}) : std::nullopt;
}

bool HasTokens(const Span& span) {
  return CanonicalField(span, "prompt_tokens") || CanonicalField(span, "completion_tokens");
}

std::string ModelOf(const Span& span) {
  for (const std::string_view field : {"model", "model_response"}) {
    if (const auto model = CanonicalField(span, field)) {
      if (const std::string* text = model->AsString()) return *text;
    }
  }
  return {};
}

struct AwsClass {
  std::string_view service;    ///< letters and digits of its name, without vendor
  std::string_view operation;  ///< lower case; "" takes every one
  StepClass step;
};
constexpr auto kAws = std::to_array<AwsClass>({
    {"bedrockruntime", "converse", {kLlm, ""}},
    {"bedrockruntime", "conversestream", {kLlm, ""}},
    {"bedrockruntime", "invokemodel", {kLlm, ""}},
    {"bedrockruntime", "invokemodelwithresponsestream", {kLlm, ""}},
    {"bedrockruntime", "applyguardrail", {kGuardrail, ""}},
    {"bedrockagentruntime", "retrieve", {kRetriever, ""}},
    {"bedrockagentruntime", "retrieveandgenerate", {kChain, ""}},
    {"bedrockagentruntime", "retrieveandgeneratestream", {kChain, ""}},
    {"bedrockagentruntime", "rerank", {kReranker, ""}},
    {"bedrockagentruntime", "invokeagent", {kAgent, ""}},
    {"sfn", "", {kChain, "stepfn"}},
    {"stepfunctions", "", {kChain, "stepfn"}},
    {"states", "", {kChain, "stepfn"}},
    {"sqs", "", {kHttp, "queue"}},
    {"sns", "", {kHttp, "queue"}},
    {"eventbridge", "", {kHttp, "queue"}},
    {"cloudwatchevents", "", {kHttp, "queue"}},
    {"events", "", {kHttp, "queue"}},
    {"kinesis", "", {kHttp, "queue"}},
    {"batch", "", {kChain, "batch"}},
    {"sagemaker", "createtrainingjob", {kChain, "train"}},
    {"sagemaker", "describetrainingjob", {kChain, "train"}},
    {"sagemakerruntime", "invokeendpoint", {kHttp, ""}},
    {"runtimesagemaker", "invokeendpoint", {kHttp, ""}},
    {"sagemakerruntime", "invokeendpointwithresponsestream", {kHttp, ""}},
    {"s3", "", {kDb, "storage"}},
    {"dynamodb", "", {kDb, ""}},
    {"rdsdata", "", {kDb, ""}},
    {"timestream", "", {kDb, ""}},
    {"timestreamquery", "", {kDb, ""}},
    {"timestreamwrite", "", {kDb, ""}},
    {"elasticache", "", {kCache, ""}},
    {"dax", "", {kCache, ""}},
});

// `AmazonDynamoDBv2`, `bedrock-runtime`, `AWS.SDK.S3`, `RDS Data` -> dynamodb, bedrockruntime, s3,
// rdsdata.
std::string AwsServiceName(std::string_view text) {
  std::string name;
  for (const char c : LowerCase(text)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) name += c;
  }
  for (const std::string_view prefix : {"amazon", "awssdk", "aws"}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  for (const std::string_view suffix : {"v2", "service"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  }
  return name;
}

bool IsAwsCall(const Span& span) {
  return TextAt(span, "aws.xray.namespace") == "aws" || TextAt(span, "rpc.system") == "aws-api" ||
         TextAt(span, "rpc.system.name") == "aws-api" || HasAny(span, {"aws.service"});
}

Verdict Aws(const Span& span) {
  if (!IsAwsCall(span)) return std::nullopt;
  std::string operation = TextAt(span, "aws.operation");
  if (operation.empty()) operation = TextAt(span, "rpc.method");
  std::string service = TextAt(span, "rpc.service");
  if (const std::size_t slash = operation.rfind('/'); slash != std::string::npos) {
    if (service.empty()) service = operation.substr(0, slash);
    operation.erase(0, slash + 1);
  }
  if (service.empty()) service = TextAt(span, "aws.service");
  if (service.empty()) service = span.name;
  service = AwsServiceName(service);
  operation = LowerCase(operation);
  for (const AwsClass& known : kAws) {
    if (known.service != service || (!known.operation.empty() && known.operation != operation)) {
      continue;
    }
    StepClass step = known.step;
    if (operation.starts_with("invokemodel")) {
      const std::string model = ModelOf(span);
      if (ContainsIgnoringCase(model, "embed")) step.kind = kEmbedding;
      if (ContainsIgnoringCase(model, "rerank")) step.kind = kReranker;
    } else if (operation.starts_with("invokeendpoint") && HasTokens(span)) {
      step.kind = kLlm;
    }
    return step;
  }
  return std::nullopt;
}

Verdict ModelEvidence(const Span& span) {
  if (HasAny(span, {"reranker.model_name"})) return StepClass{kReranker, {}};
  if (HasAny(span, {"embedding.model_name"})) return StepClass{kEmbedding, {}};
  const bool model =
      HasAny(span, {"gen_ai.request.model", "gen_ai.response.model", "llm.model_name",
                    "llm.request.model_name", "ai.model.id", "langfuse.observation.model.name"});
  if (!model) return std::nullopt;
  const bool llm =
      span.kind == SpanKind::kClient || HasTokens(span) || CanonicalField(span, "ttft_ms");
  return llm ? Verdict(StepClass{kLlm, {}}) : std::nullopt;
}

Verdict Retrieval(const Span& span) {
  const bool retrieval = HasAny(span, {"gen_ai.retrieval.documents"}) ||
                         HasPrefix(span, "retrieval.documents.") ||
                         HasPrefix(span, "db.vector.query.");
  return retrieval ? Verdict(StepClass{kRetriever, {}}) : std::nullopt;
}

constexpr auto kCaches = std::to_array<std::string_view>(
    {"redis", "valkey", "memcached", "keydb", "dragonfly", "dax", "elasticache"});
constexpr auto kVectorStores = std::to_array<std::string_view>(
    {"pinecone", "qdrant", "weaviate", "milvus", "chroma", "chromadb", "lancedb", "marqo", "vespa",
     "turbopuffer", "pgvector", "s3vectors"});
constexpr auto kReads =
    std::to_array<std::string_view>({"query", "search", "fetch", "get", "retrieve", "select",
                                     "scroll", "recommend", "list", "read"});
constexpr auto kVectorOperators =
    std::to_array<std::string_view>({"<->", "<=>", "<#>", "knn", "vector_search"});

template <std::size_t n>
bool AnyContained(std::string_view text, const std::array<std::string_view, n>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return ContainsIgnoringCase(text, part); });
}

std::string FirstText(const Span& span, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (std::string text = TextAt(span, key); !text.empty()) return text;
  }
  return {};
}

Verdict Store(const Span& span) {
  const std::string system = LowerCase(FirstText(span, {"db.system.name", "db.system"}));
  if (system.empty() && !HasAny(span, {"aws.xray.sql"})) return std::nullopt;
  const auto is = [&](std::string_view known) { return known == system; };
  if (std::any_of(kCaches.begin(), kCaches.end(), is) && !HasPrefix(span, "db.vector.")) {
    return StepClass{kCache, {}};
  }
  if (std::any_of(kVectorStores.begin(), kVectorStores.end(), is)) {
    const std::string operation = FirstText(span, {"db.operation.name", "db.operation"});
    const bool reads = AnyContained(operation.empty() ? span.name : operation, kReads);
    return StepClass{reads ? kRetriever : kDb, {}};
  }
  const std::string statement = FirstText(span, {"db.query.text", "db.statement"});
  return StepClass{AnyContained(statement, kVectorOperators) ? kRetriever : kDb, {}};
}

constexpr auto kGatewayWords =
    std::to_array<std::string_view>({"gateway", "litellm", "portkey", "openrouter", "kong", "envoy",
                                     "apisix", "apigw", "alb", "ai-gateway"});
constexpr auto kGatewayOrigins = std::to_array<std::string_view>(
    {"AWS::ApiGateway", "AWS::ElasticLoadBalancing", "AWS::AppSync"});

// Whole words only: `alb` is a load balancer, `album-api` is not.
bool IsGatewayName(std::string_view service) {
  std::string word;
  const auto known = [&] {
    return std::find(kGatewayWords.begin(), kGatewayWords.end(), word) != kGatewayWords.end();
  };
  for (const char c : LowerCase(service)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else {
      if (known()) return true;
      word.clear();
    }
  }
  return known();
}

bool HasOrigin(const Span& span, std::span<const std::string_view> prefixes) {
  const std::string origin = LowerCase(ResourceText(span, "aws.xray.origin"));
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
    return !origin.empty() && origin.starts_with(LowerCase(prefix));
  });
}

bool IsLambda(const Span& span) {
  constexpr auto kLambda = std::to_array<std::string_view>({"AWS::Lambda"});
  return HasPrefix(span, "faas.") || HasOrigin(span, kLambda);
}

Verdict Served(const Span& span) {
  const bool served = span.source == model::SpanSource::kXRay
                          ? !span.Has(model::SpanFlag::kSubsegment)
                          : span.kind == SpanKind::kServer;
  if (!served) return std::nullopt;
  const bool gateway = span.parent_id.IsZero() || HasOrigin(span, kGatewayOrigins) ||
                       HasPrefix(span, "gen_ai.gateway.") || IsGatewayName(span.service());
  if (gateway) return StepClass{kGateway, {}};
  return StepClass{kHttp, IsLambda(span) ? "lambda" : "rpc"};
}

Verdict Transport(const Span& span) {
  if (HasPrefix(span, "messaging.")) return StepClass{kHttp, "queue"};
  if (span.source == model::SpanSource::kXRay && span.name == "Initialization") {
    return StepClass{kHttp, "cold_start"};
  }
  if (IsLambda(span) && span.Has(model::SpanFlag::kSubsegment) == false) {
    return StepClass{kHttp, "lambda"};
  }
  const bool http = HasPrefix(span, "http.") || HasPrefix(span, "url.") ||
                    HasPrefix(span, "rpc.") ||
                    HasAny(span, {"server.address", "aws.xray.namespace"});
  return http ? Verdict(StepClass{kHttp, {}}) : std::nullopt;
}

// ---- The order ----

struct Rule {
  std::string_view key = {};  ///< of an attribute whose value decides
  std::span<const ValueClass> classes = {};
  Verdict (*decide)(const Span&) = nullptr;
};
constexpr auto kRules = std::to_array<Rule>({
    {.decide = Explicit},
    {.key = "openinference.span.kind", .classes = kOpenInference},
    {.key = "langsmith.span.kind", .classes = kLangSmith},
    {.key = "langfuse.observation.type", .classes = kLangfuse},
    {.key = "mcp.method.name", .classes = kMcp},
    {.key = "gen_ai.operation.name", .classes = kOperation},
    {.key = "traceloop.span.kind", .classes = kTraceloop},
    {.key = "llm.request.type", .classes = kRequestType},
    {.key = "traceloop.llm.request.type", .classes = kRequestType},
    {.key = "ai.operationId", .classes = kVercel},
    {.key = "operation.name", .classes = kVercel},
    {.decide = VercelStep},
    {.key = "mlflow.spanType", .classes = kMlflow},
    {.decide = Engine},
    {.decide = Tool},
    {.decide = Aws},
    {.decide = ModelEvidence},
    {.decide = Retrieval},
    {.decide = Store},
    {.decide = Served},
    {.decide = Transport},
});

}  // namespace

std::optional<StepClass> Classify(const Span& span) {
  for (const Rule& rule : kRules) {
    const Verdict verdict =
        rule.decide != nullptr ? rule.decide(span) : ByValue(span, rule.key, rule.classes);
    if (verdict) return verdict;
  }
  return std::nullopt;
}

std::optional<StepKind> ParseStepKind(std::string_view name) {
  const std::string lower = LowerCase(name);
  const auto known = std::find(kKindNames.begin(), kKindNames.end(), lower);
  if (known == kKindNames.end()) return std::nullopt;
  return static_cast<StepKind>(known - kKindNames.begin());
}

std::string_view StepKindName(StepKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

StepKind ClassifyStep(const Span& span) {
  const auto step = Classify(span);
  return step ? step->kind : StepKind::kChain;
}

}  // namespace fluoro::genai
