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

// {"a":{"b":"1"}} of "a/b".
std::string ObjectWith(std::string_view path) {
  const std::size_t slash = path.find('/');
  const std::string name(path.substr(0, slash));
  const std::string inner =
      slash == std::string_view::npos ? "\"1\"" : ObjectWith(path.substr(slash + 1));
  return "{\"" + name + "\":" + inner + "}";
}

TEST(CanonicalField, EachSourceIsRead) {
  std::set<std::string_view> tried;
  for (const Field& field : Fields()) {
    for (const Source& source : field.sources) {
      if (source.when != nullptr) continue;
      SpanBuilder span = Step();
      switch (source.reading) {
        case Reading::kMember:
          span.Set(source.key, ObjectWith(source.part));
          break;
        case Reading::kSum:
          span.Set(source.key, R"({"a":0.25,"b":0.75})");
          break;
        case Reading::kLargest:
          span.Set(source.key, ObjectWith(source.part.substr(0, source.part.find('|'))));
          break;
        case Reading::kFromOne:
          span.Set(source.key, 2);
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
  EXPECT_GT(tried.size(), 160U);
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
    if (field.name == "step_name" || field.name == "norm_flags") continue;
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

TEST(Provider, EverySpellingAndHost) {
  struct Case {
    std::string provider;
    std::vector<std::string> spellings;
    std::vector<std::string> hosts;
  };
  const std::vector<Case> cases = {
      {"openai",
       {"openai", "OpenAI", "openai.chat", "openai.responses", "openai.embedding",
        "openai.completion"},
       {"api.openai.com", "API.OpenAI.com:443"}},
      {"azure_openai",
       {"azure.ai.openai", "az.ai.openai", "azure", "azure-openai", "azure.chat",
        "azure-openai.chat"},
       {"my.openai.azure.com"}},
      {"azure_inference",
       {"azure.ai.inference", "az.ai.inference"},
       {"x.inference.ai.azure.com", "x.services.ai.azure.com"}},
      {"anthropic", {"anthropic", "anthropic.messages"}, {"api.anthropic.com"}},
      {"aws_bedrock",
       {"aws.bedrock", "aws_bedrock", "bedrock", "amazon", "AWS", "amazon-bedrock"},
       {"bedrock-runtime.eu-west-1.amazonaws.com:443"}},
      {"google_gemini",
       {"gcp.gemini", "gemini", "google.generative-ai", "google_genai"},
       {"generativelanguage.googleapis.com"}},
      {"google_vertex",
       {"gcp.vertex_ai", "vertex_ai", "vertexai", "google.vertex", "google.vertex.chat"},
       {"us-central1-aiplatform.googleapis.com", "aiplatform.googleapis.com"}},
      {"google", {"gcp.gen_ai", "google"}, {}},
      {"mistral", {"mistral_ai", "mistralai", "mistral", "mistral.chat"}, {"api.mistral.ai"}},
      {"cohere", {"cohere", "cohere.chat"}, {"api.cohere.com"}},
      {"xai", {"x_ai", "xai", "xai.chat"}, {"api.x.ai"}},
      {"deepseek", {"deepseek", "deepseek.chat"}, {"api.deepseek.com"}},
      {"groq", {"groq", "groq.chat"}, {"api.groq.com"}},
      {"perplexity", {"perplexity", "perplexity.chat"}, {"api.perplexity.ai"}},
      {"cerebras", {"cerebras", "cerebras.chat"}, {"api.cerebras.ai"}},
      {"replicate", {"replicate", "replicate.chat"}, {}},
      {"ai21", {"ai21", "ai21.chat"}, {}},
      {"moonshot", {"moonshot_ai", "moonshot"}, {"api.moonshot.ai", "api.moonshot.cn"}},
      {"together", {"together_ai", "together", "togetherai.chat"}, {"api.together.xyz"}},
      {"fireworks", {"fireworks", "fireworks.chat"}, {"api.fireworks.ai"}},
      {"ibm_watsonx", {"ibm.watsonx.ai", "watsonx"}, {"us-south.ml.cloud.ibm.com"}},
      {"openrouter", {"openrouter"}, {"openrouter.ai"}},
      {"huggingface", {"hugging_face", "huggingface"}, {"api-inference.huggingface.co"}},
      {"ollama", {"ollama"}, {"localhost:11434"}},
      {"vllm", {"vllm"}, {}},
      {"sglang", {"sglang"}, {}},
      {"tgi", {"tgi"}, {}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(NormaliseProvider(c.provider), c.provider) << "a canonical name is its own";
    for (const std::string& spelling : c.spellings) {
      EXPECT_EQ(NormaliseProvider(spelling), c.provider) << spelling;
      EXPECT_EQ(Read(Step().Set("gen_ai.provider.name", spelling), "provider"), c.provider);
    }
    for (const std::string& host : c.hosts) {
      EXPECT_EQ(ProviderOfHost(host), c.provider) << host;
      EXPECT_EQ(Read(Step().Set("server.address", host), "provider"), c.provider) << host;
      // Behind OpenAI's client may be anyone; of another client the label is believed.
      const SpanBuilder labelled =
          Step().Set("gen_ai.system", "openai").Set("server.address", host);
      EXPECT_EQ(Read(labelled, "provider"), c.provider) << host;
      EXPECT_EQ(Read(labelled, "norm_flags").find("provider_by_host") != std::string::npos,
                c.provider != "openai")
          << host;
    }
  }
  EXPECT_EQ(NormaliseProvider("Acme"), "other:acme");
  EXPECT_EQ(NormaliseProvider(std::string(40, 'x')), "other:" + std::string(32, 'x'));
  for (const char* host :
       {"example.com", "notopenai.azure.com.example", "api.openai.com.evil.test"})
    EXPECT_EQ(ProviderOfHost(host), "") << host;
  EXPECT_EQ(Read(Step().Set("gen_ai.system", "anthropic").Set("server.address", "api.groq.com"),
                 "provider"),
            "anthropic");
  EXPECT_EQ(Read(Step().Set("url.full", "https://api.mistral.ai/v1/chat"), "provider"), "mistral");
  EXPECT_EQ(Read(Step().Set("server.address", "localhost").Set("server.port", 11434), "provider"),
            "ollama");
}

TEST(CanonicalField, EveryFinishReason) {
  struct Case {
    std::string reason;
    std::vector<std::string> raw;
  };
  const std::vector<Case> worst_first = {
      {"error", {"error", "malformed_function_call"}},
      {"content_filter",
       {"content_filter", "content-filter", "content_filtered", "SAFETY", "RECITATION", "blocklist",
        "prohibited_content", "spii", "guardrail_intervened", "refusal"}},
      {"cancelled", {"cancelled", "canceled", "abort", "aborted", "incomplete"}},
      {"length", {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"}},
      {"other", {"pause_turn", "other", "unknown", "language", "anything else"}},
      {"tool_calls", {"tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"}},
      {"stop", {"stop", "STOP", "end_turn", "stop_sequence", "eos", "complete", "completed"}},
  };
  for (std::size_t i = 0; i < worst_first.size(); ++i) {
    for (const std::string& raw : worst_first[i].raw) {
      for (const std::string_view key :
           {"gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason",
            "gen_ai.response.finish_reason", "gen_ai.response.stop_reason",
            "llm.response.finish_reason", "llm.response.stop_reason"}) {
        EXPECT_EQ(Read(Step().Set(key, raw), "finish_reason"), worst_first[i].reason) << raw;
      }
      for (std::size_t better = i; better < worst_first.size(); ++better) {
        EXPECT_EQ(Read(Step().Set("gen_ai.response.finish_reasons",
                                  std::vector<std::string>{worst_first[better].raw[0], raw}),
                       "finish_reason"),
                  worst_first[i].reason)
            << raw;
      }
    }
  }
}

TEST(CanonicalField, CancelledIsNoTimeout) {
  const SpanBuilder call = Step().Set("gen_ai.operation.name", "chat");
  for (const SpanBuilder& cancelled :
       {SpanBuilder(call).Set("http.response.status_code", 499),
        SpanBuilder(call).Set("rpc.grpc.status_code", 1),
        SpanBuilder(call).Exception("AbortError", "The operation was aborted")}) {
    EXPECT_EQ(Read(cancelled, "finish_reason"), "cancelled");
    EXPECT_EQ(Read(cancelled, "timeout"), "-");
  }
}

TEST(CanonicalField, UnitsOfEveryTimeName) {
  struct Case {
    std::string key;
    std::string field;
    double sent;
    std::string wanted_ms;
  };
  // The span takes 6 s.
  const std::vector<Case> cases = {
      {"gen_ai.response.time_to_first_chunk", "ttft_ms", 1.5, "1500"},
      {"gen_ai.client.operation.time_to_first_chunk", "ttft_ms", 1.5, "1500"},
      {"gen_ai.latency.time_to_first_token", "ttft_ms", 1.5, "1500"},
      {"gen_ai.server.time_to_first_token", "ttft_ms", 1.5, "1500"},
      {"gen_ai.server.time_to_first_token", "ttft_ms", 1500, "1500"},
      {"ai.response.msToFirstChunk", "ttft_ms", 1500, "1500"},
      {"ai.stream.msToFirstChunk", "ttft_ms", 1500, "1500"},
      {"gen_ai.client.operation.time_per_output_chunk", "tpot_ms", 0.02, "20"},
      {"ai.response.avgOutputTokensPerSecond", "tpot_ms", 50, "20"},
      {"ai.response.avgCompletionTokensPerSecond", "tpot_ms", 50, "20"},
      {"gen_ai.execute_tool.duration", "tool_latency_ms", 0.25, "250"},
      {"gen_ai.latency.time_in_queue", "queue_ms", 0.5, "500"},
      {"gen_ai.latency.time_in_model_prefill", "prefill_ms", 0.5, "500"},
      {"gen_ai.latency.time_in_model_decode", "decode_ms", 0.5, "500"},
      {"tool_latency_ms", "tool_latency_ms", 250, "250"},
      {"ttft_ms", "ttft_ms", 1500, "1500"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Read(Step().Set(c.key, c.sent), c.field), c.wanted_ms) << c.key;
  }
}

TEST(CanonicalField, CostsOfPartsAreTheirSum) {
  EXPECT_EQ(Read(Step().Set("langfuse.observation.cost_details", R"({"input":0.25,"output":0.5})"),
                 "cost_usd"),
            "0.75");
  EXPECT_EQ(Read(Step().Set("langfuse.observation.cost_details", R"({"input":-1})"), "cost_usd"),
            "-");
}

TEST(CanonicalField, AValueThatCannotBeGivesWayToTheNextName) {
  EXPECT_EQ(Read(Step()
                     .Set("gen_ai.response.time_to_first_chunk", 900'000)
                     .Set("ai.response.msToFirstChunk", 100),
                 "ttft_ms"),
            "100");
}

}  // namespace
}  // namespace fluoro::genai
