// Mistakes that are easily made with real GenAI traces, each with the rule that prevents it. The
// numbers are those of docs/genai.md, "Mistakes to avoid". What other modules prevent is tested
// there.
#include <gmock/gmock.h>

#include "genai/calls.h"
#include "genai/classify.h"
#include "genai/conversation.h"
#include "genai/flags.h"
#include "genai/labels.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::TestSpanId;
using ::testing::HasSubstr;
using ::testing::Not;

SpanBuilder Step() { return OtelSpan(2, SpanKind::kInternal, "x").Parent(1).Between(0, 6000); }
SpanBuilder Chat(std::uint64_t id, std::uint64_t parent) {
  return OtelSpan(id, SpanKind::kClient, "chat m")
      .Parent(parent)
      .Between(10, 90)
      .Set("gen_ai.operation.name", "chat")
      .Set("gen_ai.usage.input_tokens", 10)
      .Set("gen_ai.usage.output_tokens", 1);
}

std::string Read(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  return value ? model::ScalarText(*value) : "-";
}

std::int64_t PromptTokens(const std::vector<Span>& spans) {
  CallFinder finder;
  for (const Span& span : spans) finder.Add(span);
  std::int64_t tokens = 0;
  finder.Finish([&](const Call& call) { tokens += call.prompt_tokens; });
  return tokens;
}

TEST(Gotcha, N01TheProjectOfLangSmithIsNoConversation) {
  EXPECT_EQ(Read(Step().Set("langsmith.trace.session_id", "project"), "session_id"), "-");
  EXPECT_EQ(Read(Step().Set("langsmith.metadata.thread_id", "t"), "session_id"), "t");
}

TEST(Gotcha, N02LangSmithNamesOperationsOfItsOwn) {
  EXPECT_EQ(
      Read(
          Step().Set("gen_ai.operation.name", "embeddings").Set("langsmith.span.kind", "retriever"),
          "step_kind"),
      "retriever");
  EXPECT_EQ(Read(Step().Set("gen_ai.operation.name", "chat").Set("langsmith.span.kind", "prompt"),
                 "sub_kind"),
            "prompt");
}

TEST(Gotcha, N03NamesThatTraceloopCopiesDoNotClassify) {
  const SpanBuilder below = Step()
                                .Set("traceloop.workflow.name", "joke")
                                .Set("traceloop.entity.path", "a.b")
                                .Set("traceloop.entity.name", "crm");
  EXPECT_EQ(Read(below, "step_kind"), "-");
  EXPECT_EQ(Read(below, "tool_name"), "-");
  EXPECT_EQ(Read(below, "workflow_name"), "joke");
}

TEST(Gotcha, N04AnAgentRepeatsTheSumOfItsSteps) {
  const Span agent = OtelSpan(1, SpanKind::kInternal, "invoke_agent a")
                         .Between(0, 100)
                         .Set("gen_ai.operation.name", "invoke_agent")
                         .Set("gen_ai.usage.input_tokens", 20)
                         .Set("gen_ai.usage.output_tokens", 2);
  EXPECT_EQ(PromptTokens({agent, Chat(2, 1), Chat(3, 1)}), 20);
  EXPECT_EQ(PromptTokens({agent}), 20);
}

TEST(Gotcha, N05TwoInstrumentationsSeeOneCall) {
  EXPECT_EQ(PromptTokens({Chat(1, 0), Chat(2, 1)}), 10);
}

TEST(Gotcha, N06ThePromptMayComeWithoutTheCache) {
  EXPECT_EQ(Read(Step()
                     .Set("gen_ai.usage.input_tokens", 12)
                     .Set("gen_ai.usage.cache_read_input_tokens", 1000),
                 "prompt_tokens"),
            "1012");
}

TEST(Gotcha, N07SecondsAndMilliseconds) {
  const SpanBuilder guessed = Step().Set("gen_ai.server.time_to_first_token", 1500);
  EXPECT_EQ(Read(guessed, "ttft_ms"), "1500");
  EXPECT_THAT(FlagsOf(guessed), HasSubstr("ttft_unit_guess"));
  const SpanBuilder seconds = Step().Set("gen_ai.server.time_to_first_token", 1.5);
  EXPECT_EQ(Read(seconds, "ttft_ms"), "1500");
  EXPECT_THAT(FlagsOf(seconds), Not(HasSubstr("ttft_unit_guess")));
}

TEST(Gotcha, N08TopKSamplesOrRetrieves) {
  const SpanBuilder span = Step().Set("gen_ai.request.top_k", 40);
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.operation.name", "chat"), "top_k"), "-");
  EXPECT_EQ(Read(SpanBuilder(span).Set("gen_ai.operation.name", "retrieval"), "top_k"), "40");
}

TEST(Gotcha, N09OldNamesOfProviders) {
  for (const auto& [old, provider] : {std::pair{"vertex_ai", "google_vertex"},
                                      {"gemini", "google_gemini"},
                                      {"az.ai.openai", "azure_openai"},
                                      {"az.ai.inference", "azure_inference"},
                                      {"xai", "xai"}}) {
    EXPECT_EQ(Read(Step().Set("gen_ai.system", old), "provider"), provider);
  }
}

TEST(Gotcha, N10TheFunctionIdIsPartOfVercelsOperation) {
  EXPECT_EQ(Read(Step().Set("operation.name", "ai.streamText.doStream my-function"), "step_kind"),
            "llm");
  EXPECT_EQ(
      Read(Step().Set("ai.operationId", "ai.generateText").Set("ai.telemetry.functionId", "f"),
           "agent_name"),
      "f");
}

TEST(Gotcha, N11AToolCallIdAloneMakesNoTool) {
  EXPECT_EQ(Read(Step().Set("gen_ai.tool.call.id", "c1"), "step_kind"), "-");
}

TEST(Gotcha, N14AStepWhoseParentNeverComesIsShown) {
  const auto trace =
      AssembleSpans({OtelSpan(1, SpanKind::kServer, "root").Between(0, 100), Chat(2, 77)});
  const std::int32_t orphan = trace.Find(TestSpanId(2));
  ASSERT_GE(orphan, 0);
  EXPECT_EQ(trace.entities[static_cast<std::size_t>(orphan)].parent_id, TestSpanId(77));
}

TEST(Gotcha, N15UsageThatCameTooLateIsMissing) {
  const SpanBuilder streamed =
      Step().Set("gen_ai.operation.name", "chat").Set("gen_ai.request.stream", true);
  EXPECT_THAT(FlagsOf(streamed), HasSubstr("usage_missing"));
  EXPECT_EQ(Read(streamed, "prompt_tokens"), "-") << "missing is not 0";
  EXPECT_THAT(FlagsOf(SpanBuilder(streamed).Set("gen_ai.usage.output_tokens", 5)),
              Not(HasSubstr("usage_missing")));
  EXPECT_THAT(FlagsOf(SpanBuilder(streamed).Status(model::StatusCode::kError)),
              Not(HasSubstr("usage_missing")));
  EXPECT_THAT(FlagsOf(Step().Set("gen_ai.operation.name", "chat")),
              Not(HasSubstr("usage_missing")));
}

TEST(Gotcha, N16DictionariesOfPythonQuotesOfMlflowAndCutJson) {
  EXPECT_EQ(
      Read(Step().Set("gen_ai.usage.input_token_details", "{'cache_read': 12, 'audio': None}"),
           "cached_tokens"),
      "12");
  EXPECT_EQ(Read(Step().Set("mlflow.spanType", "\"LLM\""), "step_kind"), "llm");
  const SpanBuilder cut =
      Step().Set("langsmith.usage_metadata", R"({"input_tokens": 10, "output_to)");
  EXPECT_EQ(Read(cut, "prompt_tokens"), "-");
  EXPECT_THAT(FlagsOf(cut), HasSubstr("truncated_content"));
  // A dictionary with texts is not guessed at.
  const SpanBuilder texts =
      Step().Set("langsmith.usage_metadata", "{'model': 'it\"s', 'input_tokens': 10}");
  EXPECT_EQ(Read(texts, "prompt_tokens"), "-");
  EXPECT_THAT(FlagsOf(texts), HasSubstr("truncated_content"));
}

TEST(Gotcha, N19TheTenantOfOneSpanIsThatOfTheTrace) {
  const auto trace = AssembleSpans({OtelSpan(1, SpanKind::kServer, "root").Between(0, 100),
                                    Chat(2, 1).Set("tenant", "acme"), Chat(3, 1)});
  const TraceLabels labels = LabelsOf(trace);
  for (const std::uint64_t id : {1U, 2U, 3U}) {
    EXPECT_EQ(labels.Get(trace.Find(TestSpanId(id)), Label::kTenant), "acme");
  }
}

TEST(Gotcha, N20ModelsOfBedrockKeepTheirPrefix) {
  const char* const id = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
  EXPECT_EQ(Read(Step().Set("gen_ai.request.model", id), "model"), id);
  EXPECT_EQ(Read(OtelSpan(2, SpanKind::kClient, "Bedrock Runtime.InvokeModel")
                     .Parent(1)
                     .Set("rpc.system", "aws-api")
                     .Set("rpc.service", "Bedrock Runtime")
                     .Set("rpc.method", "InvokeModel")
                     .Set("gen_ai.request.model", "us.cohere.embed-v4:0"),
                 "step_kind"),
            "embedding");
}

// ---- Flags that are no gotcha of their own ----

TEST(Flags, TruncatedContent) {
  SpanBuilder full = Step().Set("gen_ai.prompt.0.content", "x");
  for (int i = 0; i < 127; ++i) full.Set("a" + std::to_string(i), i);
  EXPECT_THAT(FlagsOf(full), HasSubstr("truncated_content")) << "128 attributes";
  EXPECT_THAT(FlagsOf(SpanBuilder(full).Set("one", "more")), Not(HasSubstr("truncated_content")));
  Span dropped = Step().Set("llm.input_messages.0.message.role", "user");
  dropped.dropped_attributes = 3;
  EXPECT_THAT(FlagsOf(dropped), HasSubstr("truncated_content"));
  EXPECT_THAT(FlagsOf(Step().Set("gen_ai.input.messages", R"([{"role":"user","par)")),
              HasSubstr("truncated_content"));
  EXPECT_THAT(FlagsOf(Step().Set("gen_ai.prompt", "[INST] hello")),
              Not(HasSubstr("truncated_content")))
      << "a plain text may begin so";
}

TEST(Flags, UnclassifiedAndOtherCurrency) {
  EXPECT_EQ(FlagsOf(Step()), "unclassified");
  EXPECT_EQ(FlagsOf(Step().Set("http.request.method", "GET")), "");
  const SpanBuilder cost = Step()
                               .Set("gen_ai.operation.name", "chat")
                               .Set("gen_ai.usage.cost.amount", 0.5)
                               .Set("gen_ai.usage.cost.currency", "EUR");
  EXPECT_EQ(FlagsOf(cost), "other_currency");
  EXPECT_EQ(Read(cost, "norm_flags"), "other_currency");
}

}  // namespace
}  // namespace fluoro::genai
