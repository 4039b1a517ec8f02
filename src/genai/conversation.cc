#include "genai/conversation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>

#include "genai/json_text.h"
#include "genai/message_json.h"
#include "genai/reading.h"
#include "model/attribute_reader.h"

namespace fluoro::genai {
namespace {

using model::AttributeValue;
using model::Event;
using model::Span;

constexpr std::size_t kFlattenedMax = 8'192;  ///< attributes

// ---- One attribute a member: `llm.input_messages.0.message.role` ----

struct Tree {
  std::map<std::string, std::unique_ptr<Tree>, std::less<>> members;
  const AttributeValue* value = nullptr;
};

std::optional<std::uint64_t> IndexOf(std::string_view name) {
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (name.empty() || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return index;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as a key has dots, at most kDepthMax
void Write(JsonWriter& out, const Tree& tree) {
  if (tree.members.empty()) {
    if (tree.value == nullptr) {
      out.Null();
    } else if (const std::string* text = tree.value->AsString()) {
      out.String(*text);
    } else {
      out.Raw(JsonOrText(*tree.value));
    }
    return;
  }
  std::vector<std::pair<std::uint64_t, const Tree*>> elements;
  for (const auto& [name, member] : tree.members) {
    if (const auto index = IndexOf(name)) elements.emplace_back(*index, member.get());
  }
  if (elements.size() == tree.members.size()) {
    std::sort(elements.begin(), elements.end());
    out.BeginArray();
    for (const auto& [index, element] : elements) Write(out, *element);
    out.EndArray();
    return;
  }
  out.BeginObject();
  for (const auto& [name, member] : tree.members) {
    out.Key(name);
    Write(out, *member);
  }
  out.EndObject();
}

// JSON of all attributes whose keys begin so; "" if there are none.
std::string Unflatten(const Span& span, std::string_view prefix) {
  constexpr std::size_t kDepthMax = 16;
  Tree root;
  std::size_t count = 0;
  for (const model::Attribute& attribute : span.attributes) {
    if (!attribute.key.starts_with(prefix) || ++count > kFlattenedMax) continue;
    std::string_view rest = std::string_view(attribute.key).substr(prefix.size());
    if (!IndexOf(rest.substr(0, rest.find('.')))) continue;  // `gen_ai.prompt.name`
    Tree* at = &root;
    for (std::size_t depth = 0; depth < kDepthMax; ++depth) {
      const std::size_t dot = depth + 1 == kDepthMax ? std::string_view::npos : rest.find('.');
      auto& member = at->members[std::string(rest.substr(0, dot))];
      if (member == nullptr) member = std::make_unique<Tree>();
      at = member.get();
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    at->value = &attribute.value;
  }
  if (root.members.empty()) return {};
  JsonWriter out;
  Write(out, root);
  return out.Take();
}

// ---- Where messages stand ----

enum class Form : std::uint8_t {
  kMessages,   ///< messages, in JSON of any dialect, or one plain text
  kFlattened,  ///< `key` begins the keys of all their members
  kText,       ///< one text
  kReasoning,
  kToolCalls,  ///< calls that the model asks for
};

struct Place {
  std::string_view key;
  Form form = Form::kMessages;
  /// Belongs to the same message as the place before.
  bool continues = false;
};

// Best first.
constexpr auto kInput = std::to_array<Place>({{"gen_ai.input.messages"},
                                              {"llm.input_messages.", Form::kFlattened},
                                              {"llm.prompts.", Form::kFlattened},
                                              {"ai.prompt.messages"},
                                              {"ai.prompt"},
                                              {"langfuse.observation.input"},
                                              {"gen_ai.prompt.", Form::kFlattened},
                                              {"gen_ai.prompt"},
                                              {"events"},
                                              {"all_messages_events"},
                                              {"input.value"},
                                              {"traceloop.entity.input"},
                                              {"mlflow.spanInputs"},
                                              {"ai.value"},
                                              {"ai.values"}});
constexpr auto kOutput = std::to_array<Place>({{"gen_ai.output.messages"},
                                               {"llm.output_messages.", Form::kFlattened},
                                               {"llm.choices.", Form::kFlattened},
                                               {"ai.response.reasoning", Form::kReasoning},
                                               {"ai.response.text", Form::kText, true},
                                               {"ai.response.toolCalls", Form::kToolCalls, true},
                                               {"ai.response.object", Form::kMessages},
                                               {"ai.result.text", Form::kText},
                                               {"ai.result.toolCalls", Form::kToolCalls, true},
                                               {"ai.result.object", Form::kMessages},
                                               {"langfuse.observation.output"},
                                               {"gen_ai.completion.", Form::kFlattened},
                                               {"gen_ai.completion"},
                                               {"output.value"},
                                               {"traceloop.entity.output"},
                                               {"mlflow.spanOutputs"}});
// What tools are called with and what they answer.
constexpr auto kArguments = std::to_array<std::string_view>(
    {"gen_ai.tool.call.arguments", "ai.toolCall.args", "tool.parameters", "mcp.request.argument"});
constexpr auto kResults = std::to_array<std::string_view>(
    {"gen_ai.tool.call.result", "ai.toolCall.result", "mcp.response.value"});

/// `answers`: where answers go that stand among the messages; null: they are messages too.
void ReadPlace(const Span& span, const Place& place, std::string_view role,
               std::vector<Message>& messages, std::vector<Message>* answers) {
  if (place.form == Form::kFlattened) {
    if (const std::string json = Unflatten(span, place.key); !json.empty()) {
      ReadMessages(json, role, messages);
    }
    return;
  }
  const AttributeValue* value = FindAny(span, place.key);
  if (value == nullptr) return;
  const std::string text = JsonOrText(*value);
  if (text.empty()) return;
  if (place.form == Form::kMessages) {
    ReadMessages(text, role, messages, answers);
    return;
  }
  if (!place.continues || messages.empty()) messages.push_back({.role = std::string(role)});
  std::vector<Part>& parts = messages.back().parts;
  if (place.form == Form::kToolCalls) {
    ReadToolCalls(text, parts);
  } else {
    parts.push_back({.type = place.form == Form::kReasoning ? "reasoning" : "text", .text = text});
  }
  if (parts.empty()) messages.pop_back();
}

template <std::size_t n>
std::vector<Message> FirstOf(const Span& span, const std::array<Place, n>& places,
                             std::string_view role, std::vector<Message>* answers) {
  std::vector<Message> messages;
  for (const Place& place : places) {
    if (!messages.empty() && !place.continues) break;
    ReadPlace(span, place, role, messages, answers);
  }
  return messages;
}

// ---- Events ----

std::string EventJson(const Event& event, std::string_view key) {
  const AttributeValue* value = event.Find(key);
  return value == nullptr ? std::string() : JsonOrText(*value);
}

// One message each (1.28 to 1.36), all of them in one attribute (1.26), or all of the new
// attributes on one event (since 1.37).
void ReadEvents(const Span& span, Messages& messages) {
  for (const Event& event : span.events) {
    if (event.name == "gen_ai.content.prompt") {
      ReadMessages(EventJson(event, "gen_ai.prompt"), "user", messages.input);
    } else if (event.name == "gen_ai.content.completion") {
      ReadMessages(EventJson(event, "gen_ai.completion"), "assistant", messages.output);
    } else if (event.name == "gen_ai.client.inference.operation.details") {
      ReadMessages(EventJson(event, "gen_ai.input.messages"), "user", messages.input);
      ReadMessages(EventJson(event, "gen_ai.output.messages"), "assistant", messages.output);
      ReadParts(EventJson(event, "gen_ai.system_instructions"), messages.system);
    } else if (IsMessageEvent(event.name)) {
      std::string json = EventJson(event, "gen_ai.event.content");
      if (json.empty()) json = EventJson(event, "body");
      if (json.empty()) {
        JsonWriter out;
        out.BeginObject();
        for (const model::Attribute& attribute : event.attributes) {
          out.Key(attribute.key);
          if (attribute.value.AsString() != nullptr) {
            out.String(*attribute.value.AsString());
          } else {
            out.Raw(JsonOrText(attribute.value));
          }
        }
        out.EndObject();
        json = out.Take();
      }
      const bool is_choice = event.name == "gen_ai.choice";
      ReadMessages(json, RoleOfEvent(event.name), is_choice ? messages.output : messages.input,
                   nullptr);
    }
  }
}

// ---- Tools ----

template <std::size_t n>
std::string FirstText(const Span& span, const std::array<std::string_view, n>& keys) {
  for (const std::string_view key : keys) {
    const AttributeValue* value = FindAny(span, key);
    if (value == nullptr) continue;
    if (std::string text = JsonOrText(*value); !text.empty()) return text;
  }
  return {};
}

void ReadTool(const Span& span, Messages& messages) {
  const auto name = [&] {
    for (const std::string_view key : {"gen_ai.tool.name", "ai.toolCall.name", "tool.name"}) {
      if (std::string text = TextAt(span, key); !text.empty()) return text;
    }
    return std::string();
  };
  const auto id = [&] {
    for (const std::string_view key : {"gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id"}) {
      if (std::string text = TextAt(span, key); !text.empty()) return text;
    }
    return std::string();
  };
  const std::string arguments = FirstText(span, kArguments);
  if (messages.input.empty() && !arguments.empty()) {
    messages.input.push_back(
        {.role = "assistant",
         .parts = {
             {.type = "tool_call", .id = id(), .name = name(), .json = AsJsonValue(arguments)}}});
  }
  const std::string result = FirstText(span, kResults);
  if (messages.output.empty() && !result.empty()) {
    messages.output.push_back({.role = "tool",
                               .parts = {{.type = "tool_call_response",
                                          .id = id(),
                                          .name = name(),
                                          .json = AsJsonValue(result)}}});
  }
}

bool Limit(std::vector<Message>& messages) {
  if (messages.size() <= kMessagesMax) return false;
  messages.resize(kMessagesMax);
  return true;
}

}  // namespace

bool MayHaveMessages(const Span& span) {
  constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"gen_ai.", "llm.", "ai.", "langfuse.observation.", "input.", "output.", "traceloop.entity.",
       "mlflow.span", "mcp.", "tool.", "events", "all_messages_events"});
  const auto holds = [&](std::string_view key) {
    return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                       [&](std::string_view prefix) { return key.starts_with(prefix); });
  };
  return std::any_of(span.attributes.begin(), span.attributes.end(),
                     [&](const model::Attribute& a) { return holds(a.key); }) ||
         std::any_of(span.events.begin(), span.events.end(),
                     [&](const Event& event) { return holds(event.name); });
}

Messages MessagesOf(const Span& span) {
  Messages messages;
  if (!MayHaveMessages(span)) return messages;
  if (const AttributeValue* system = FindAny(span, "gen_ai.system_instructions")) {
    ReadParts(JsonOrText(*system), messages.system);
  }
  ReadEvents(span, messages);
  // What the newest names hold is better than events of older ones.
  std::vector<Message> answers;
  if (messages.input.empty() || FindAny(span, "gen_ai.input.messages") != nullptr) {
    messages.input = FirstOf(span, kInput, "user", &answers);
  }
  if (messages.output.empty() || FindAny(span, "gen_ai.output.messages") != nullptr) {
    messages.output = FirstOf(span, kOutput, "assistant", nullptr);
  }
  if (messages.output.empty()) messages.output = std::move(answers);
  ReadTool(span, messages);
  messages.cut = Limit(messages.input);
  messages.cut = Limit(messages.output) || messages.cut;
  return messages;
}

}  // namespace fluoro::genai
