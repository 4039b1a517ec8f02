#include "genai/fields.h"

#include <gmock/gmock.h>

#include <set>

#include "genai/derive.h"
#include "genai/provider.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::XRaySubsegment;

SpanBuilder Step() { return OtelSpan(2, SpanKind::kInternal, "x").Parent(1).Between(0, 6000); }

std::string Read(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  return value ? model::ScalarText(*value) : "-";
}

TEST(CanonicalField, EachSourceIsRead) {
  std::set<std::string_view> tried;
  for (const Field& field : Fields()) {
    for (const Source& source : field.sources) {
      if (source.when != nullptr) continue;
      SpanBuilder span = Step();
      switch (source.reading) {
        case Reading::kMember:
          span.Set(source.key, "{\"" + std::string(source.part) + "\": \"1\"}");
          break;
        case Reading::kTag:
          span.Set(source.key, std::vector<std::string>{"other", std::string(source.part) + "1"});
          break;
        case Reading::kSeconds:
          span.Set(source.key, 0.001);
          break;
        case Reading::kPerSecond:
          span.Set(source.key, 1000);
          break;
        case Reading::kValue:
          span.Set(source.key, "1");
          break;
      }
      const std::string wanted = field.form == Form::kFlag  ? "true"
                                 : field.name == "provider" ? "other:1"
                                                            : "1";
      EXPECT_EQ(Read(span, field.name), wanted) << field.name << " from " << source.key;
      tried.insert(source.key);
    }
  }
  EXPECT_GT(tried.size(), 150U);
}

TEST(CanonicalField, OwnNameWinsOverEverything) {
  for (const Field& field : Fields()) {
    EXPECT_TRUE(IsCanonicalField(field.name));
    const bool text = field.form == Form::kText || field.form == Form::kContent;
    SpanBuilder span = Step().Set(field.name, text ? "mine" : "1");
    for (const Source& source : field.sources) span.Set(source.key, "7");
    const std::string wanted = text ? "mine" : field.form == Form::kFlag ? "true" : "1";
    EXPECT_EQ(Read(span, field.name), wanted) << field.name;
    EXPECT_EQ(Read(SpanBuilder(span).Annotate(field.name, text ? "annotated" : "1"), field.name),
              text ? "annotated" : wanted);
  }
}

TEST(CanonicalField, UnknownAndAbsentAreNull) {
  EXPECT_FALSE(IsCanonicalField("http.method"));
  EXPECT_EQ(Read(Step().Set("http.method", "GET"), "http.method"), "-");
  for (const Field& field : Fields()) {
    if (field.name == "step_name") continue;
    EXPECT_EQ(Read(Step(), field.name), "-") << field.name;
  }
}

TEST(CanonicalField, NewerNamesComeFirst) {
  EXPECT_EQ(Read(Step().Set("llm.model_name", "b").Set("gen_ai.request.model", "a"), "model"), "a");
  EXPECT_EQ(Read(Step().Set("gen_ai.usage.prompt_tokens", 1).Set("gen_ai.usage.input_tokens", 2),
                 "prompt_tokens"),
            "2");
  EXPECT_EQ(Read(Step().Set("gen_ai.usage.input_tokens", "x").Set("llm.token_count.prompt", 3),
                 "prompt_tokens"),
            "3")
      << "a value that is no count is passed over";
}

TEST(CanonicalField, XRayMetadataIsRead) {
  Span span = XRaySubsegment(2, 1, "llm");
  span.document = R"({"name":"llm","metadata":{"default":{"model":"m-1","prompt_tokens":12}}})";
  EXPECT_EQ(Read(span, "model"), "m-1");
  EXPECT_EQ(Read(span, "prompt_tokens"), "12");
  EXPECT_EQ(Read(span, "tenant"), "-");
}

TEST(CanonicalField, ResourceAttributesComeLast) {
  const SpanBuilder span = Step().Resource("tenant", "from resource");
  EXPECT_EQ(Read(span, "tenant"), "from resource");
  EXPECT_EQ(Read(SpanBuilder(span).Set("tenant.id", "acme"), "tenant"), "acme");
}

TEST(CanonicalField, PromptTokensIncludeTheCache) {
  const auto prompt = [](std::int64_t input, std::int64_t read, std::int64_t write,
                         std::int64_t out, std::optional<std::int64_t> total) {
    SpanBuilder span = Step()
                           .Set("gen_ai.usage.input_tokens", input)
                           .Set("gen_ai.usage.output_tokens", out)
                           .Set("gen_ai.usage.cache_read.input_tokens", read)
                           .Set("gen_ai.usage.cache_creation.input_tokens", write);
    if (total) span.Set("gen_ai.usage.total_tokens", *total);
    return Read(span, "prompt_tokens");
  };
  EXPECT_EQ(prompt(100, 80, 0, 10, std::nullopt), "100");
  EXPECT_EQ(prompt(20, 80, 10, 10, std::nullopt), "110") << "the cache cannot exceed the prompt";
  EXPECT_EQ(prompt(100, 80, 0, 10, 110), "100");
  EXPECT_EQ(prompt(100, 80, 0, 10, 190), "180");
  EXPECT_EQ(Read(Step().Set("langfuse.observation.usage_details",
                            R"({"input":100,"input_cached_tokens":80,"output":10})"),
                 "prompt_tokens"),
            "180");
}

TEST(CanonicalField, CompletionTokensIncludeReasoning) {
  const SpanBuilder span = Step().Set("gen_ai.usage.output_tokens", 10);
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.usage.reasoning_tokens", 4), "completion_tokens"),
            "10");
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.usage.reasoning_tokens", 40), "completion_tokens"),
            "50");
}

TEST(CanonicalField, StreamingFromVllmMatchesTheFixture) {
  const SpanBuilder client = OtelSpan(2, SpanKind::kClient, "chat")
                                 .Parent(1)
                                 .Between(20, 6180)
                                 .Set("gen_ai.usage.output_tokens", 240)
                                 .Set("gen_ai.response.time_to_first_chunk", 1.420);
  EXPECT_EQ(Read(client, "ttft_ms"), "1420");
  EXPECT_NEAR(*CanonicalField(client, "tpot_ms")->AsDouble(), 19.83, 0.005);
  EXPECT_EQ(Read(client, "stream"), "true");
  const SpanBuilder engine = OtelSpan(3, SpanKind::kInternal, "llm_request")
                                 .Parent(2)
                                 .Between(60, 6150)
                                 .Set("gen_ai.latency.time_in_queue", 0.9)
                                 .Set("gen_ai.latency.time_in_model_prefill", 0.43)
                                 .Set("gen_ai.latency.time_in_model_decode", 4.76)
                                 .Set("gen_ai.latency.time_to_first_token", 1.33);
  EXPECT_EQ(Read(engine, "queue_ms"), "900");
  EXPECT_EQ(Read(engine, "prefill_ms"), "430");
  EXPECT_EQ(Read(engine, "decode_ms"), "4760");
  EXPECT_EQ(Read(engine, "ttft_ms"), "1330");
  EXPECT_EQ(Read(engine, "sub_kind"), "engine");
}

TEST(CanonicalField, ImplausibleTtftIsRepairedOrDropped) {
  EXPECT_EQ(Read(Step().Set("gen_ai.server.time_to_first_token", 1500), "ttft_ms"), "1500")
      << "milliseconds under a name of seconds";
  EXPECT_EQ(Read(Step().Set("gen_ai.response.time_to_first_chunk", 900'000), "ttft_ms"), "-");
}

TEST(CanonicalField, TtftAndGapsFromEvents) {
  const SpanBuilder span = Step()
                               .Event("gen_ai.content.completion.chunk", {}, 100'000'000)
                               .Event("gen_ai.content.completion.chunk", {}, 110'000'000)
                               .Event("gen_ai.content.completion.chunk", {}, 140'000'000);
  EXPECT_EQ(Read(span, "ttft_ms"), "100");
  EXPECT_EQ(Read(span, "itl_p50_ms"), "10");
  EXPECT_EQ(Read(span, "itl_max_ms"), "30");
  EXPECT_EQ(
      Read(Step().Set("langfuse.observation.completion_start_time", "\"1970-01-01T00:00:00.250Z\""),
           "ttft_ms"),
      "250");
}

TEST(CanonicalField, FinishReasonIsTheWorst) {
  const auto reason = [](const auto& value) {
    return Read(Step().Set("gen_ai.response.finish_reasons", value), "finish_reason");
  };
  EXPECT_EQ(reason(std::vector<std::string>{"stop", "max_tokens"}), "length");
  EXPECT_EQ(reason("[\"tool_use\"]"), "tool_calls");
  EXPECT_EQ(reason("END_TURN"), "stop");
  EXPECT_EQ(reason("pause_turn"), "other");
  EXPECT_EQ(reason(std::vector<std::string>{"length", "error", "refusal"}), "error");
  EXPECT_EQ(Read(Step().Set("gen_ai.output.messages", R"([{"finish_reason":"tool_call"}])"),
                 "finish_reason"),
            "tool_calls");
}

TEST(CanonicalField, ToolsAreNamedAndTimed) {
  const SpanBuilder tool = OtelSpan(2, SpanKind::kInternal, "execute_tool refund_quote")
                               .Parent(1)
                               .Between(1530, 5630)
                               .Set("gen_ai.operation.name", "execute_tool");
  EXPECT_EQ(Read(tool, "tool_name"), "refund_quote");
  EXPECT_EQ(Read(tool, "tool_latency_ms"), "4100");
  EXPECT_EQ(Read(tool, "step_name"), "refund_quote");
  EXPECT_EQ(Read(SpanBuilder(tool).Set("gen_ai.execute_tool.duration", 0.5), "tool_latency_ms"),
            "500");
  EXPECT_EQ(Read(Step().Set("traceloop.span.kind", "tool").Set("traceloop.entity.name", "crm"),
                 "tool_name"),
            "crm");
  EXPECT_EQ(Read(Step().Set("traceloop.span.kind", "agent").Set("traceloop.entity.name", "bot"),
                 "agent_name"),
            "bot");
}

TEST(CanonicalField, TopKBelongsToRetrievals) {
  const SpanBuilder span = Step().Set("gen_ai.request.top_k", 40);
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.operation.name", "chat"), "top_k"), "-");
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.operation.name", "retrieval"), "top_k"), "40");
}

TEST(CanonicalField, RetrievedDocumentsAreCounted) {
  const SpanBuilder json = Step().Set("gen_ai.retrieval.documents",
                                      R"([{"id":"a","score":0.5},{"id":"b","score":0.75}])");
  EXPECT_EQ(Read(json, "doc_count"), "2");
  EXPECT_EQ(Read(json, "top_score"), "0.75");
  const SpanBuilder flat = Step()
                               .Set("retrieval.documents.0.document.score", 0.25)
                               .Set("retrieval.documents.2.document.id", "c");
  EXPECT_EQ(Read(flat, "doc_count"), "3");
  EXPECT_EQ(Read(flat, "top_score"), "0.25");
}

TEST(CanonicalField, TimeoutsAndThrottles) {
  EXPECT_EQ(Read(Step().Set("error.type", "timeout"), "timeout"), "true");
  EXPECT_EQ(Read(Step().Exception("httpx.ReadTimeout", ""), "timeout"), "true");
  EXPECT_EQ(Read(Step().Exception("Error", "connect ETIMEDOUT 1.2.3.4"), "timeout"), "true");
  EXPECT_EQ(Read(Step().Set("http.response.status_code", 504), "timeout"), "true");
  EXPECT_EQ(Read(Step().Set("rpc.grpc.status_code", 4), "timeout"), "true");
  EXPECT_EQ(Read(Step().Set("http.response.status_code", 500), "timeout"), "-");
  EXPECT_EQ(Read(Step().Set("http.response.status_code", 429), "throttled"), "true");
  EXPECT_EQ(Read(Step().Set("error.type", "RateLimitError"), "throttled"), "true");
  EXPECT_EQ(Read(Step().Exception("ValueError", "x"), "error_type"), "ValueError");
}

TEST(CanonicalField, CostOnlyInDollars) {
  const SpanBuilder span = Step().Set("gen_ai.usage.cost.amount", 0.5);
  EXPECT_EQ(Read(span, "cost_usd"), "0.5");
  EXPECT_EQ(Read(span, "cost_source"), "reported");
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.usage.cost.currency", "EUR"), "cost_usd"), "-");
}

TEST(CanonicalField, SessionIsNotTheLangSmithProject) {
  EXPECT_EQ(Read(Step().Set("langsmith.trace.session_id", "p"), "session_id"), "-");
}

TEST(CanonicalField, ExperimentsFromFlagEvents) {
  const SpanBuilder span =
      Step().Event("feature_flag.evaluation",
                   {{"feature_flag.key", "rerank_v2"}, {"feature_flag.result.variant", "B"}});
  EXPECT_EQ(Read(span, "experiment_id"), "rerank_v2");
  EXPECT_EQ(Read(span, "experiment_arm"), "B");
}

TEST(TemplateRoute, ReplacesIds) {
  EXPECT_EQ(derive::TemplateRoute("https://h.example/api/users/42/orders?x=1"),
            "/api/users/{id}/orders");
  EXPECT_EQ(derive::TemplateRoute("/t/0614a31f4ec5c1ec/x"), "/t/{id}/x");
  EXPECT_EQ(derive::TemplateRoute("/u/6f1c1d2e-1b2c-4d5e-8f90-123456789abc"), "/u/{id}");
  EXPECT_EQ(derive::TemplateRoute("/d/2026-08-21/bob@example.com"), "/d/{id}/{id}");
  EXPECT_EQ(derive::TemplateRoute("/v1/chat/completions"), "/v1/chat/completions");
  EXPECT_EQ(derive::TemplateRoute("/a/b/c/d/e/f/g/h/i/j"), "/a/b/c/d/e/f/g/h/*");
  EXPECT_EQ(derive::TemplateRoute("https://h.example"), "/");
}

TEST(Provider, SpellingsAndHosts) {
  EXPECT_EQ(NormaliseProvider("az.ai.openai"), "azure_openai");
  EXPECT_EQ(NormaliseProvider("OpenAI"), "openai");
  EXPECT_EQ(NormaliseProvider("AWS.Bedrock"), "aws_bedrock");
  EXPECT_EQ(NormaliseProvider("Acme"), "other:acme");
  EXPECT_EQ(ProviderOfHost("my.openai.azure.com"), "azure_openai");
  EXPECT_EQ(ProviderOfHost("bedrock-runtime.eu-west-1.amazonaws.com:443"), "aws_bedrock");
  EXPECT_EQ(ProviderOfHost("localhost:11434"), "ollama");
  EXPECT_EQ(ProviderOfHost("example.com"), "");
  EXPECT_EQ(Read(Step().Set("server.address", "api.anthropic.com"), "provider"), "anthropic");
  EXPECT_EQ(
      Read(Step().Set("gen_ai.system", "openai").Set("server.address", "api.groq.com"), "provider"),
      "groq");
  EXPECT_EQ(Read(Step().Set("gen_ai.system", "anthropic").Set("server.address", "api.groq.com"),
                 "provider"),
            "anthropic");
  EXPECT_EQ(Read(Step().Set("url.full", "https://api.mistral.ai/v1/chat"), "provider"), "mistral");
}

}  // namespace
}  // namespace fluoro::genai
