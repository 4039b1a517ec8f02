#include "model/content.h"

#include <gtest/gtest.h>

#include <string>

#include "base/utf8.h"

namespace fluoro::model {
namespace {

TEST(IsContentKey, KnowsPromptsAnswersMessagesAndToolsOfEveryConvention) {
  for (const char* const key :
       {"gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.definitions",
        "gen_ai.content.prompt",
        "llm.input_messages.0.message.content",
        "llm.prompts",
        "llm.prompt_template.template",
        "llm.invocation_parameters",
        "input.value",
        "output.value",
        "retrieval.documents.3.document.content",
        "traceloop.entity.input",
        "traceloop.entity.output",
        "ai.prompt.messages",
        "ai.response.text",
        "langfuse.observation.input",
        "mlflow.spanOutputs",
        "mcp.response.value",
        "mcp.request.argument",
        "ai.request.headers.authorization",
        "langsmith.request.headers",
        "gen_ai.headers",
        "llm.headers",
        "gen_ai.evaluation.explanation",
        "evaluations.0.evaluation.explanation",
        "reranker.input_documents.0.document.content",
        "embedding.embeddings.0.embedding.text",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
        "input_content"}) {
    EXPECT_TRUE(IsContentKey(key)) << key;
  }
  for (const char* const key :
       {"", "gen_ai.system", "gen_ai.request.model", "llm.model_name", "ai.model.id", "messages",
        "chat.messages", "input", "output.values", "db.statement", "GEN_AI.PROMPT",
        // What describes content, and costs, ledgers and labels are made of.
        "gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version",
        "ai.response.model", "ai.response.finishReason", "ai.response.msToFirstChunk",
        "gen_ai.prompt.0.role", "gen_ai.completion.0.finish_reason",
        "retrieval.documents.0.document.score",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
        "gen_ai.usage.input_tokens"}) {
    EXPECT_FALSE(IsContentKey(key)) << key;
  }
}

TEST(IsContentOfEvent, KnowsTheEventsThatHoldMessages) {
  EXPECT_TRUE(IsContentOfEvent("gen_ai.user.message", "content"));
  EXPECT_TRUE(IsContentOfEvent("gen_ai.choice", "message"));
  EXPECT_FALSE(IsContentOfEvent("gen_ai.user.message", "role"));
  EXPECT_FALSE(IsContentOfEvent("gen_ai.evaluation.result", "content"));
  EXPECT_FALSE(IsContentOfEvent("cart.message", "content"));
}

TEST(CutInTwo, KeepsBothEndsWholeCodePointsAndTheLength) {
  std::string text = "begin";
  while (text.size() < 100'000) text += "\xc3\xa4";
  text += "end";
  for (std::size_t bytes_max = kCutInTwoMin; bytes_max < kCutInTwoMin + 16; ++bytes_max) {
    const std::string cut = CutInTwo(text, bytes_max);
    EXPECT_LE(cut.size(), bytes_max);
    EXPECT_GE(cut.size(), bytes_max - 8);
    EXPECT_TRUE(cut.starts_with("begin") && cut.ends_with("end"));
    EXPECT_NE(cut.find("\n<cut: " + std::to_string(text.size()) + " bytes"), std::string::npos);
    EXPECT_TRUE(IsValidUtf8(cut));
  }
}

TEST(ValueBounds, ContentMayBeLongUntilTheSpanHasItsShare) {
  const Limits limits;
  ValueBounds bounds(limits);
  EXPECT_EQ(bounds.BytesMax("db.statement", std::size_t{1} << 30), limits.value_bytes_max);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(bounds.BytesMax("gen_ai.prompt", std::size_t{1} << 30), limits.content_bytes_max);
    bounds.Kept(limits.content_bytes_max);
  }
  bounds.Kept(limits.value_bytes_max);  // as short as an ordinary value: takes no share
  bounds.Kept(limits.content_bytes_max / 2);
  EXPECT_EQ(bounds.ContentBytesMax(), limits.content_bytes_max / 2);
  bounds.Kept(limits.content_bytes_max / 2);
  EXPECT_EQ(bounds.BytesMax("gen_ai.prompt", std::size_t{1} << 30), limits.value_bytes_max);
  bounds.Reset();
  EXPECT_EQ(bounds.ContentBytesMax(), limits.content_bytes_max);
}

}  // namespace
}  // namespace fluoro::model
