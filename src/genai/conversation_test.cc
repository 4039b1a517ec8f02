#include "genai/conversation.h"

#include <gmock/gmock.h>

#include "genai/message_json.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;

SpanBuilder Step() { return OtelSpan(2, SpanKind::kClient, "chat").Parent(1).Between(0, 6000); }

std::string Print(const std::vector<Message>& messages) {
  JsonWriter out;
  out.BeginArray();
  for (const Message& message : messages) WriteMessage(out, message);
  out.EndArray();
  return out.Take();
}
std::string Input(const Span& span) { return Print(MessagesOf(span).input); }
std::string Output(const Span& span) { return Print(MessagesOf(span).output); }

// One talk: a question, a call of a tool, its answer; then what the model says.
constexpr std::string_view kTalk =
    R"([{"role":"user","parts":[{"type":"text","content":"Weather in Paris?"}]},)"
    R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get_weather","arguments":{"city":"Paris"}}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"rainy"}]}])";
constexpr std::string_view kAnswer =
    R"([{"role":"assistant","parts":[{"type":"text","content":"It rains."}],"finish_reason":"stop"}])";
constexpr std::string_view kAnswerWithoutReason =
    R"([{"role":"assistant","parts":[{"type":"text","content":"It rains."}]}])";

struct Form {
  std::string name;
  SpanBuilder span;
  bool has_reason = false;
};

std::vector<Form> Forms() {
  const std::string openai =
      R"([{"role":"user","content":"Weather in Paris?"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":"rainy"}])";
  const std::string choice =
      R"([{"index":0,"message":{"role":"assistant","content":"It rains."},"finish_reason":"stop"}])";
  const std::string anthropic =
      R"({"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Weather in Paris?"},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"get_weather","input":{"city":"Paris"}}]},)"
      R"({"role":"tool","content":[{"type":"tool_result","tool_use_id":"c1","content":"rainy"}]}]})";
  const std::string vercel =
      R"([{"role":"user","content":[{"type":"text","text":"Weather in Paris?"}]},)"
      R"({"role":"assistant","content":[{"type":"tool-call","toolCallId":"c1","toolName":"get_weather","input":{"city":"Paris"}}]},)"
      R"({"role":"tool","content":[{"type":"tool-result","toolCallId":"c1","output":"rainy"}]}])";
  const std::string responses =
      R"([{"role":"user","content":"Weather in Paris?"},)"
      R"({"type":"function_call","call_id":"c1","id":"fc_1","name":"get_weather","arguments":"{\"city\":\"Paris\"}"},)"
      R"({"type":"function_call_output","call_id":"c1","output":"rainy"}])";
  const std::string events =
      R"([{"event.name":"gen_ai.user.message","content":"Weather in Paris?","role":"user"},)"
      R"({"event.name":"gen_ai.assistant.message","tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":{"city":"Paris"}}}]},)"
      R"({"event.name":"gen_ai.tool.message","content":"rainy","id":"c1","role":"tool","name":""},)"
      R"({"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"It rains."},"finish_reason":"stop"}])";
  const std::string langchain =
      R"([[{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"Weather in Paris?","type":"human"}},)"
      R"({"lc":1,"type":"constructor","kwargs":{"content":"","type":"ai","tool_calls":[{"name":"get_weather","args":{"city":"Paris"},"id":"c1","type":"tool_call"}]}},)"
      R"({"lc":1,"type":"constructor","kwargs":{"content":"rainy","type":"tool","tool_call_id":"c1"}}]])";
  const auto openinference = [] {
    return Step()
        .Set("llm.input_messages.0.message.role", "user")
        .Set("llm.input_messages.0.message.contents.0.message_content.type", "text")
        .Set("llm.input_messages.0.message.contents.0.message_content.text", "Weather in Paris?")
        .Set("llm.input_messages.1.message.role", "assistant")
        .Set("llm.input_messages.1.message.tool_calls.0.tool_call.id", "c1")
        .Set("llm.input_messages.1.message.tool_calls.0.tool_call.function.name", "get_weather")
        .Set("llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments",
             R"({"city":"Paris"})")
        .Set("llm.input_messages.2.message.role", "tool")
        .Set("llm.input_messages.2.message.tool_call_id", "c1")
        .Set("llm.input_messages.2.message.content", "rainy")
        .Set("llm.output_messages.0.message.role", "assistant")
        .Set("llm.output_messages.0.message.content", "It rains.");
  };
  const auto flattened = [] {
    return Step()
        .Set("gen_ai.prompt.name", "weather-prompt")
        .Set("gen_ai.prompt.0.role", "user")
        .Set("gen_ai.prompt.0.content", "Weather in Paris?")
        .Set("gen_ai.prompt.1.role", "assistant")
        .Set("gen_ai.prompt.1.tool_calls.0.id", "c1")
        .Set("gen_ai.prompt.1.tool_calls.0.name", "get_weather")
        .Set("gen_ai.prompt.1.tool_calls.0.arguments", R"({"city":"Paris"})")
        .Set("gen_ai.prompt.2.role", "tool")
        .Set("gen_ai.prompt.2.tool_call_id", "c1")
        .Set("gen_ai.prompt.2.content", "rainy")
        .Set("gen_ai.completion.0.role", "assistant")
        .Set("gen_ai.completion.0.content", "It rains.")
        .Set("gen_ai.completion.0.finish_reason", "stop");
  };
  return {
      {"OpenTelemetry 1.37",
       Step().Set("gen_ai.input.messages", kTalk).Set("gen_ai.output.messages", kAnswer), true},
      {"OpenTelemetry 1.37 on an event",
       Step().Event("gen_ai.client.inference.operation.details",
                    {{"gen_ai.input.messages", std::string(kTalk)},
                     {"gen_ai.output.messages", std::string(kAnswer)}}),
       true},
      {"events of 1.28 to 1.36",
       Step()
           .Event("gen_ai.user.message", {{"content", "Weather in Paris?"}})
           .Event(
               "gen_ai.assistant.message",
               {{"gen_ai.event.content",
                 R"({"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]})"}})
           .Event("gen_ai.tool.message",
                  {{"gen_ai.event.content",
                    R"({"role":"tool","tool_call_id":"c1","content":"rainy"})"}})
           .Event(
               "gen_ai.choice",
               {{"gen_ai.event.content",
                 R"({"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"It rains."}})"}}),
       true},
      {"events of 1.26",
       Step()
           .Event("gen_ai.content.prompt", {{"gen_ai.prompt", openai}})
           .Event("gen_ai.content.completion", {{"gen_ai.completion", choice}}),
       true},
      {"OpenInference", openinference()},
      {"OpenLLMetry", flattened(), true},
      {"LangSmith", Step().Set("gen_ai.prompt", openai).Set("gen_ai.completion", choice), true},
      {"Vercel", Step().Set("ai.prompt.messages", vercel).Set("ai.response.text", "It rains.")},
      {"Vercel, outer span", Step()
                                 .Set("ai.prompt", "{\"messages\":" + vercel + "}")
                                 .Set("ai.response.text", "It rains.")},
      {"Langfuse, OpenAI",
       Step()
           .Set("langfuse.observation.input", openai)
           .Set("langfuse.observation.output", R"({"role":"assistant","content":"It rains."})")},
      {"Langfuse, a request of Anthropic",
       Step()
           .Set("langfuse.observation.input", anthropic)
           .Set(
               "langfuse.observation.output",
               R"({"role":"assistant","content":[{"type":"text","text":"It rains."}],"stop_reason":"stop"})"),
       true},
      {"OpenAI responses",
       Step()
           .Set("input.value", responses)
           .Set(
               "output.value",
               R"({"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"It rains."}]}]})")},
      {"MLflow",
       Step()
           .Set("mlflow.spanInputs", "{\"messages\":" + openai + "}")
           .Set("mlflow.spanOutputs", "{\"choices\":" + choice + "}"),
       true},
      {"LangChain",
       Step().Set("traceloop.entity.input", langchain).Set("traceloop.entity.output", choice),
       true},
      {"a list of events in an attribute", Step().Set("events", events), true},
  };
}

TEST(Conversation, EveryFormBecomesOne) {
  for (const Form& form : Forms()) {
    EXPECT_EQ(Input(form.span), kTalk) << form.name;
    EXPECT_EQ(Output(form.span), form.has_reason ? kAnswer : kAnswerWithoutReason) << form.name;
  }
}

TEST(Conversation, GoogleAndBedrock) {
  const SpanBuilder google =
      Step()
          .Set(
              "input.value",
              R"({"contents":[{"role":"user","parts":[{"text":"Weather in Paris?"}]},)"
              R"({"role":"model","parts":[{"functionCall":{"name":"get_weather","args":{"city":"Paris"}}}]},)"
              R"({"role":"user","parts":[{"functionResponse":{"name":"get_weather","response":{"result":"rainy"}}}]}]})")
          .Set(
              "output.value",
              R"({"candidates":[{"content":{"role":"model","parts":[{"text":"It rains."}]},"finishReason":"STOP"}]})");
  EXPECT_EQ(
      Input(google),
      R"([{"role":"user","parts":[{"type":"text","content":"Weather in Paris?"}]},)"
      R"({"role":"assistant","parts":[{"type":"tool_call","name":"get_weather","arguments":{"city":"Paris"}}]},)"
      R"({"role":"user","parts":[{"type":"tool_call_response","name":"get_weather","response":{"result":"rainy"}}]}])");
  EXPECT_EQ(
      Output(google),
      R"([{"role":"assistant","parts":[{"type":"text","content":"It rains."}],"finish_reason":"STOP"}])");
  const SpanBuilder bedrock =
      Step()
          .Set(
              "input.value",
              R"({"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Hi"}]},)"
              R"({"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"f","input":{}}}]}]})")
          .Set(
              "output.value",
              R"({"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"stopReason":"end_turn"})");
  EXPECT_EQ(
      Input(bedrock),
      R"([{"role":"system","parts":[{"type":"text","content":"Be brief."}]},)"
      R"({"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
      R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{}}]}])");
  EXPECT_EQ(Output(bedrock),
            R"([{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}])");
}

TEST(Conversation, CandidatesThatSayWhyTheyEnded) {
  EXPECT_EQ(
      Output(Step().Set(
          "output.value",
          R"({"candidates":[{"content":{"role":"model","parts":[{"text":"Yes"}]},"finish_reason":"STOP"}]})")),
      R"([{"role":"assistant","parts":[{"type":"text","content":"Yes"}],"finish_reason":"STOP"}])");
}

TEST(Conversation, DefinitionsOfToolsAreNoMessages) {
  EXPECT_EQ(
      Input(Step().Set(
          "langfuse.observation.input",
          R"([{"role":"user","content":"Hi"},{"role":"tool","content":{"type":"function","function":{"name":"f","parameters":{}}}}])")),
      R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]}])");
}

TEST(Conversation, CallsOfVercelWithoutAType) {
  EXPECT_EQ(
      Output(Step().Set("langfuse.observation.output",
                        R"([{"toolCallId":"c1","toolName":"f","input":"{\"a\":1}"}])")),
      R"([{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}]}])");
}

TEST(Conversation, InstructionsStandApart) {
  const Messages messages = MessagesOf(
      Step().Set("gen_ai.system_instructions", R"([{"type":"text","content":"Be brief."}])"));
  ASSERT_EQ(messages.system.size(), 1U);
  EXPECT_EQ(messages.system[0].text, "Be brief.");
}

TEST(Conversation, StructuredAttributesAreReadAsTheirJson) {
  using model::AttributeValue;
  const AttributeValue part{
      AttributeValue::KvList{{{"type", {std::string("text")}}, {"content", {std::string("Hi")}}}}};
  const AttributeValue message{AttributeValue::KvList{
      {{"role", {std::string("user")}}, {"parts", {AttributeValue::Array{{part}}}}}}};
  EXPECT_EQ(
      Input(Step().Set("gen_ai.input.messages", AttributeValue{AttributeValue::Array{{message}}})),
      R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]}])");
}

TEST(Conversation, OtherPartsAreKept) {
  EXPECT_EQ(
      Input(Step().Set(
          "gen_ai.input.messages",
          R"([{"role":"user","parts":[{"type":"reasoning","content":"hm"},{"type":"uri","modality":"image","uri":"https://x/y.png"},)"
          R"({"type":"blob","mime_type":"image/png","content":"AAAA"},{"type":"server_tool_call","id":"s"}]}])")),
      R"([{"role":"user","parts":[{"type":"reasoning","content":"hm"},{"type":"uri","uri":"https://x/y.png"},)"
      R"({"type":"blob","content":{"type":"blob","mime_type":"image/png","content":"AAAA"}},)"
      R"({"type":"server_tool_call","content":{"type":"server_tool_call","id":"s"}}]}])");
  EXPECT_EQ(
      Input(Step().Set(
          "langfuse.observation.input",
          R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}])")),
      R"([{"role":"user","parts":[{"type":"uri","uri":"https://x/y.png"}]}])");
  EXPECT_EQ(
      Output(Step().Set(
          "output.value",
          R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]})")),
      R"([{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"a"}]}])");
}

TEST(Conversation, ToolsAreAskedAndAnswer) {
  const SpanBuilder tool = Step()
                               .Set("gen_ai.tool.name", "get_weather")
                               .Set("gen_ai.tool.call.id", "c1")
                               .Set("gen_ai.tool.call.arguments", R"({"city":"Paris"})")
                               .Set("gen_ai.tool.call.result", "rainy");
  EXPECT_EQ(
      Input(tool),
      R"([{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get_weather","arguments":{"city":"Paris"}}]}])");
  EXPECT_EQ(
      Output(tool),
      R"([{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","name":"get_weather","response":"rainy"}]}])");
  EXPECT_EQ(
      Output(Step().Set("mcp.request.argument", "{}").Set("mcp.response.value", R"({"ok":1})")),
      R"([{"role":"tool","parts":[{"type":"tool_call_response","response":{"ok":1}}]}])");
}

TEST(Conversation, VercelAnswersWithSeveralAttributes) {
  EXPECT_EQ(
      Output(
          Step()
              .Set("ai.response.reasoning", "hm")
              .Set("ai.response.text", "Let me see.")
              .Set(
                  "ai.response.toolCalls",
                  R"([{"toolCallType":"function","toolCallId":"c1","toolName":"f","args":"{\"a\":1}"}])")),
      R"([{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"Let me see."},)"
      R"({"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}]}])");
}

TEST(Conversation, NewerNamesWin) {
  const SpanBuilder both =
      Step()
          .Event("gen_ai.user.message", {{"content", "old"}})
          .Set("input.value", "older")
          .Set("gen_ai.input.messages",
               R"([{"role":"user","parts":[{"type":"text","content":"new"}]}])");
  EXPECT_EQ(Input(both), R"([{"role":"user","parts":[{"type":"text","content":"new"}]}])");
  EXPECT_EQ(
      Input(Step().Event("gen_ai.user.message", {{"content", "old"}}).Set("input.value", "x")),
      R"([{"role":"user","parts":[{"type":"text","content":"old"}]}])");
}

// Gotcha 16: what is broken is one text.
TEST(Conversation, BrokenJsonIsText) {
  for (const std::string text :
       {"[{\"role\":\"user\",\"parts\":[{\"ty", "{'role': 'user', 'content': 'it''s'}", "[INST] hi",
        "plain", "{", "[1,"}) {
    const Messages messages = MessagesOf(Step().Set("gen_ai.input.messages", text));
    ASSERT_EQ(messages.input.size(), 1U) << text;
    EXPECT_EQ(messages.input[0].parts[0].text, text);
    EXPECT_EQ(messages.input[0].role, "user");
  }
  EXPECT_EQ(
      MessagesOf(Step().Set("mlflow.spanInputs", "\"quoted \\\"text\\\"\"")).input[0].parts[0].text,
      "quoted \"text\"");
}

TEST(Conversation, AnyJsonIsSurvived) {
  for (const std::string text :
       {"null", "[]", "{}", "[null]", "[[]]", "[{}]", "{\"messages\":null}", "{\"messages\":{}}",
        "[{\"role\":5}]", "[{\"role\":\"user\",\"content\":[null,5,{}]}]",
        "{\"choices\":[1,\"a\"]}", "{\"output\":{\"message\":{}}}",
        "[{\"message\":{\"message\":{}}}]", "{\"tool_calls\":\"[{\"}", "[{\"kwargs\":{}}]", "5",
        "\"", "[[[[[[[[[]]]]]]]]]"}) {
    for (const std::string_view key :
         {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
          "ai.response.toolCalls", "ai.prompt", "gen_ai.prompt.0.content",
          "llm.input_messages.0.message.tool_calls.0", "gen_ai.tool.call.result"}) {
      const Messages messages = MessagesOf(Step().Set(key, text));
      for (const Message& message : messages.input) PlainText(message);
    }
  }
}

TEST(Conversation, LongTalksAreCut) {
  std::string json = "[";
  for (std::size_t i = 0; i < kMessagesMax + 5; ++i) {
    json += std::string(i == 0 ? "" : ",") + R"({"role":"user","content":"x"})";
  }
  const Messages messages = MessagesOf(Step().Set("langfuse.observation.input", json + "]"));
  EXPECT_EQ(messages.input.size(), kMessagesMax);
  EXPECT_TRUE(messages.cut);
}

TEST(Conversation, SpansOfOtherKindsHaveNone) {
  EXPECT_TRUE(MessagesOf(Step().Set("http.route", "/x").Exception("ValueError", "x")).empty());
  EXPECT_FALSE(MayHaveMessages(Step().Set("http.route", "/x")));
}

TEST(PlainText, NamesCallsAndAnswers) {
  const Messages messages = MessagesOf(Step().Set("gen_ai.input.messages", kTalk));
  EXPECT_EQ(PlainText(messages.input[0]), "Weather in Paris?");
  EXPECT_EQ(PlainText(messages.input[1]), "-> get_weather({\"city\":\"Paris\"})");
  EXPECT_EQ(PlainText(messages.input[2]), "<- \"rainy\"");
}

}  // namespace
}  // namespace fluoro::genai
