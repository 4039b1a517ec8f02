#include "genai/classify.h"

#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;

// "llm/engine", "llm", "-" where no rule knows the span.
std::string Print(const Span& span) {
  const auto step = Classify(span);
  if (!step) return "-";
  std::string text(StepKindName(step->kind));
  if (!step->sub_kind.empty()) text += "/" + std::string(step->sub_kind);
  return text;
}

SpanBuilder Child(SpanKind kind = SpanKind::kInternal) { return OtelSpan(2, kind, "x").Parent(1); }

TEST(Classify, ValuesOfTheKindAttributes) {
  struct Case {
    std::string key;
    std::string value;
    std::string step;
  };
  const std::vector<Case> cases = {
      {"step_kind", "reranker", "reranker"},
      {"step_kind", "nonsense", "-"},
      {"openinference.span.kind", "LLM", "llm"},
      {"openinference.span.kind", "EVALUATOR", "chain/evaluator"},
      {"openinference.span.kind", "Guardrail", "guardrail"},
      {"openinference.span.kind", "UNKNOWN", "-"},
      {"langsmith.span.kind", "parser", "chain/parser"},
      {"langfuse.observation.type", "generation", "llm"},
      {"langfuse.observation.type", "span", "-"},
      {"mcp.method.name", "tools/call", "tool/mcp"},
      {"mcp.method.name", "sampling/createMessage", "chain/mcp"},
      {"mcp.method.name", "initialize", "http/mcp"},
      {"gen_ai.operation.name", "chat", "llm"},
      {"gen_ai.operation.name", "embeddings", "embedding"},
      {"gen_ai.operation.name", "retrieval", "retriever"},
      {"gen_ai.operation.name", "rerank", "reranker"},
      {"gen_ai.operation.name", "execute_tool", "tool"},
      {"gen_ai.operation.name", "create_agent", "agent"},
      {"gen_ai.operation.name", "invoke_workflow", "chain/workflow"},
      {"gen_ai.operation.name", "apply_guardrail", "guardrail"},
      {"gen_ai.operation.name", "search_memory", "retriever/memory"},
      {"gen_ai.operation.name", "delete_memory_store", "db/memory"},
      {"gen_ai.operation.name", "fetch_response", "http"},
      {"gen_ai.operation.name", "something_else", "-"},
      {"traceloop.span.kind", "workflow", "chain/workflow"},
      {"traceloop.span.kind", "task", "chain"},
      {"traceloop.span.kind", "unknown", "-"},
      {"traceloop.workflow.name", "w", "-"},
      {"traceloop.entity.path", "a.b", "-"},
      {"llm.request.type", "rerank", "reranker"},
      {"traceloop.llm.request.type", "completion", "llm"},
      {"ai.operationId", "ai.streamText.doStream", "llm"},
      {"ai.operationId", "ai.streamText", "agent"},
      {"operation.name", "ai.embed.doEmbed my-function", "embedding"},
      {"operation.name", "ai.toolCall my-function", "tool"},
      {"mlflow.spanType", "\"CHAT_MODEL\"", "llm"},
      {"mlflow.spanType", "\"WORKFLOW\"", "chain/workflow"},
      {"gen_ai.latency.time_in_queue", "0.9", "llm/engine"},
      {"gen_ai.tool.name", "crm_lookup", "tool"},
      {"gen_ai.tool.call.id", "call_1", "-"},
      {"tool.name", "x", "-"},
      {"reranker.model_name", "m", "reranker"},
      {"embedding.model_name", "m", "embedding"},
      {"gen_ai.request.model", "m", "-"},
      {"retrieval.documents.0.document.score", "0.5", "retriever"},
      {"gen_ai.retrieval.documents", "[]", "retriever"},
      {"db.vector.query.top_k", "5", "retriever"},
      {"db.system", "redis", "cache"},
      {"db.system.name", "postgresql", "db"},
      {"messaging.system", "kafka", "http/queue"},
      {"faas.name", "fn", "http/lambda"},
      {"http.request.method", "GET", "http"},
      {"server.address", "h", "http"},
      {"url.full", "http://h/", "http"},
      {"unknown.key", "x", "-"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Print(Child().Set(c.key, c.value)), c.step) << c.key << "=" << c.value;
  }
}

TEST(Classify, EarlierRulesWin) {
  EXPECT_EQ(Print(Child()
                      .Set("gen_ai.operation.name", "embeddings")
                      .Set("langsmith.span.kind", "retriever")),
            "retriever")
      << "LangSmith writes the operation of something else";
  EXPECT_EQ(
      Print(Child().Set("gen_ai.operation.name", "chat").Set("langsmith.span.kind", "prompt")),
      "chain/prompt");
  EXPECT_EQ(Print(Child().Annotate("step_kind", "tool").Set("openinference.span.kind", "LLM")),
            "tool");
}

TEST(Classify, ModelEvidenceNeedsTokensOrAClient) {
  EXPECT_EQ(Print(Child().Set("gen_ai.request.model", "m").Set("gen_ai.usage.input_tokens", 5)),
            "llm");
  EXPECT_EQ(Print(Child(SpanKind::kClient).Set("gen_ai.request.model", "m")), "llm");
}

TEST(Classify, ToolNameNeedsItsInput) {
  EXPECT_EQ(Print(Child().Set("tool.name", "x").Set("input.value", "{}")), "tool");
}

TEST(Classify, NumberedVercelSteps) {
  EXPECT_EQ(Print(OtelSpan(2, SpanKind::kInternal, "step 3").Parent(1)), "chain");
  EXPECT_EQ(Print(OtelSpan(2, SpanKind::kInternal, "step x").Parent(1)), "-");
}

TEST(Classify, AwsCallsOfBothProtocols) {
  struct Case {
    std::string service;
    std::string operation;
    std::string step;
  };
  const std::vector<Case> cases = {
      {"BedrockRuntime", "Converse", "llm"},
      {"Bedrock Runtime", "ApplyGuardrail", "guardrail"},
      {"Bedrock Agent Runtime", "Retrieve", "retriever"},
      {"BedrockAgentRuntime", "RetrieveAndGenerate", "chain"},
      {"BedrockAgentRuntime", "Rerank", "reranker"},
      {"BedrockAgentRuntime", "InvokeAgent", "agent"},
      {"SFN", "StartExecution", "chain/stepfn"},
      {"sqs", "SendMessage", "http/queue"},
      {"AmazonSNS", "Publish", "http/queue"},
      {"EventBridge", "PutEvents", "http/queue"},
      {"Batch", "SubmitJob", "chain/batch"},
      {"SageMaker", "CreateTrainingJob", "chain/train"},
      {"runtime.sagemaker", "InvokeEndpoint", "http"},
      {"S3", "PutObject", "db/storage"},
      {"AmazonDynamoDBv2", "PutItem", "db"},
      {"RDS Data", "ExecuteStatement", "db"},
      {"RDSDataService", "ExecuteStatement", "db"},
      {"ElastiCache", "x", "cache"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Print(Child(SpanKind::kClient)
                        .Set("rpc.system", "aws-api")
                        .Set("rpc.service", c.service)
                        .Set("rpc.method", c.operation)),
              c.step)
        << c.service;
    EXPECT_EQ(Print(XRaySubsegment(2, 1, c.service, "aws").Set("aws.operation", c.operation)),
              c.step)
        << c.service;
  }
  const SpanBuilder invoke =
      XRaySubsegment(2, 1, "Bedrock Runtime", "aws").Set("aws.operation", "InvokeModel");
  EXPECT_EQ(Print(invoke), "llm");
  EXPECT_EQ(Print(SpanBuilder(invoke).Annotate("model", "amazon.titan-embed-text-v2:0")),
            "embedding");
  EXPECT_EQ(Print(SpanBuilder(invoke).Annotate("model", "cohere.rerank-v3-5:0")), "reranker");
  EXPECT_EQ(Print(XRaySubsegment(2, 1, "sagemaker-runtime", "aws")
                      .Set("aws.operation", "InvokeEndpoint")
                      .Annotate("prompt_tokens", 5)),
            "llm");
}

TEST(Classify, StoresByWhatIsDoneWithThem) {
  const auto store = [](const char* system, const char* operation) {
    return Print(Child(SpanKind::kClient).Set("db.system", system).Set("db.operation", operation));
  };
  EXPECT_EQ(store("qdrant", "query"), "retriever");
  EXPECT_EQ(store("pinecone", "upsert"), "db");
  EXPECT_EQ(store("valkey", "GET"), "cache");
  EXPECT_EQ(Print(Child().Set("db.system", "postgresql").Set("db.statement", "ORDER BY v <=> $1")),
            "retriever");
  EXPECT_EQ(Print(XRaySubsegment(2, 1, "db@host", "remote").Set("aws.xray.sql", true)), "db");
}

TEST(Classify, ServedRequests) {
  EXPECT_EQ(Print(OtelSpan(1, SpanKind::kServer, "POST /v1/chat")), "gateway");
  EXPECT_EQ(Print(Child(SpanKind::kServer)), "http/rpc");
  EXPECT_EQ(Print(Child(SpanKind::kServer).Service("llm-gateway")), "gateway");
  EXPECT_EQ(Print(Child(SpanKind::kServer).Service("album-api")), "http/rpc");
  EXPECT_EQ(Print(Child(SpanKind::kServer).Set("gen_ai.gateway.name", "g")), "gateway");
  EXPECT_EQ(Print(XRaySegment(2, "api/prod")
                      .Parent(1)
                      .Resource("aws.xray.origin", "AWS::APIGateway::Stage")),
            "gateway");
  EXPECT_EQ(
      Print(XRaySegment(2, "fn").Parent(1).Resource("aws.xray.origin", "AWS::Lambda::Function")),
      "http/lambda");
  EXPECT_EQ(Print(XRaySegment(1, "web")), "gateway");
}

TEST(Classify, XRaySubsegments) {
  EXPECT_EQ(Print(XRaySubsegment(2, 1, "Initialization")), "http/cold_start");
  EXPECT_EQ(Print(XRaySubsegment(2, 1, "api.example.com", "remote")), "http");
  EXPECT_EQ(Print(XRaySubsegment(2, 1, "## work")), "-");
}

TEST(ClassifyStep, UnknownWorkIsAChain) {
  EXPECT_EQ(ClassifyStep(Child()), StepKind::kChain);
  EXPECT_EQ(ClassifyStep(Child().Set("gen_ai.operation.name", "chat")), StepKind::kLlm);
}

TEST(StepKindName, AndBack) {
  for (int i = 0; i < 12; ++i) {
    const auto kind = static_cast<StepKind>(i);
    EXPECT_EQ(ParseStepKind(StepKindName(kind)), kind);
  }
  EXPECT_EQ(ParseStepKind("LLM"), StepKind::kLlm);
  EXPECT_FALSE(ParseStepKind("span"));
}

}  // namespace
}  // namespace fluoro::genai
