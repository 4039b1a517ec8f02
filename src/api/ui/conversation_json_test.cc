#include "api/ui/conversation_json.h"

#include <gmock/gmock.h>

#include "base/json_tree.h"
#include "model/testing.h"

namespace fluoro::api::ui {
namespace {

using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;

SpanBuilder Chat(std::uint64_t id, std::int64_t start_ms, std::string_view input,
                 std::string_view output) {
  return OtelSpan(id, SpanKind::kClient, "chat m")
      .Parent(1)
      .Between(start_ms, start_ms + 10)
      .Set("gen_ai.operation.name", "chat")
      .Set("gen_ai.request.model", "m")
      .Set("langfuse.observation.input", input)
      .Set("langfuse.observation.output", output);
}

JsonTree Json(const std::vector<model::Span>& spans) {
  auto tree = JsonTree::Parse(ConversationJson(AssembleSpans(spans)));
  EXPECT_TRUE(tree);
  return *std::move(tree);
}

TEST(ConversationJson, StepsInOrderOfTimeAndWhatTheyRepeat) {
  const std::string first = R"({"role":"user","content":"Hi"})";
  const std::string answer = R"({"role":"assistant","content":"Hello"})";
  const std::string second = R"({"role":"user","content":"And?"})";
  const JsonTree tree = Json({OtelSpan(1, SpanKind::kServer, "POST /chat").Between(0, 100),
                              Chat(3, 50, "[" + first + "," + answer + "," + second + "]",
                                   R"({"role":"assistant","content":"So."})"),
                              Chat(2, 10, "[" + first + "]", answer)});
  const auto steps = tree.root()["steps"].Elements();
  ASSERT_EQ(steps.size(), 2U) << "a step without content is none";
  EXPECT_EQ(steps[0]["start_ns"].Int(), 10'000'000);
  EXPECT_EQ(steps[0]["repeated"].Int(), 0);
  EXPECT_EQ(steps[0]["step_kind"].String(), "llm");
  EXPECT_EQ(steps[0]["model"].String(), "m");
  EXPECT_EQ(steps[1]["repeated"].Int(), 2);
  EXPECT_EQ(steps[1]["input"].Elements()[2]["parts"].Elements()[0]["content"].String(), "And?");
  EXPECT_EQ(tree.root()["cut"].Bool(), false);
}

TEST(ConversationJson, IsBounded) {
  std::vector<model::Span> spans;
  const std::string text(kConversationBytesMax / 4, 'x');
  for (std::uint64_t id = 2; id < 8; ++id) spans.push_back(Chat(id, 1, text, "ok"));
  const JsonTree tree = Json(spans);
  EXPECT_EQ(tree.root()["steps"].Elements().size(), 3U);
  EXPECT_EQ(tree.root()["cut"].Bool(), true);
}

TEST(ConversationJson, ATraceWithoutContentHasNoSteps) {
  const JsonTree tree = Json({OtelSpan(1, SpanKind::kServer, "GET /").Between(0, 100)});
  EXPECT_TRUE(tree.root()["steps"].Elements().empty());
}

}  // namespace
}  // namespace fluoro::api::ui
