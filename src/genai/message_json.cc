#include "genai/message_json.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/json_tree.h"
#include "genai/json_text.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr JsonLimits kLimits = {.depth_max = 64, .values_max = 200'000};

bool IsBlank(const JsonView& view) { return !view.exists() || view.IsNull(); }

// First member of these that is there.
JsonView Any(const JsonView& object, Names names) {
  for (const std::string_view name : names) {
    if (const JsonView member = object[name]; !IsBlank(member)) return member;
  }
  return {};
}

std::string TextOf(const JsonView& object, Names names) {
  const JsonView member = Any(object, names);
  if (const auto text = member.String()) return std::string(*text);
  return IsBlank(member) ? std::string() : JsonText(member);
}

bool IsOneOf(std::string_view text, Names words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string JsonValueOf(const JsonView& view) {
  if (IsBlank(view)) return {};
  if (const auto text = view.String()) return AsJsonValue(*text);
  return JsonText(view);
}

// ---- Parts ----

Part ToolCall(const JsonView& view) {
  const JsonView function = view["function"].IsObject() ? view["function"] : view;
  return {.type = "tool_call",
          .id = TextOf(view, {"call_id", "id", "toolCallId", "toolUseId"}),
          .name = TextOf(function, {"name", "toolName", "tool_name"}),
          .json = JsonValueOf(Any(function, {"arguments", "args", "input"}))};
}

Part ToolResponse(const JsonView& view) {
  return {.type = "tool_call_response",
          .id = TextOf(view,
                       {"tool_use_id", "call_id", "tool_call_id", "toolCallId", "toolUseId", "id"}),
          .name = TextOf(view, {"name", "toolName"}),
          .json = JsonValueOf(Any(view, {"response", "result", "output", "content"}))};
}

Part Text(std::string_view type, std::string text) {
  return {.type = std::string(type), .text = std::move(text)};
}

Part AsSent(std::string_view type, const JsonView& view) {
  return {.type = std::string(type), .json = JsonText(view)};
}

// By the word in `type`.
std::optional<Part> PartOfType(std::string_view type, const JsonView& view) {
  if (IsOneOf(type, {"text", "input_text", "output_text"})) {
    return Text("text", TextOf(view, {"content", "text"}));
  }
  if (IsOneOf(type, {"reasoning", "thinking"})) {
    std::string text = TextOf(view, {"content", "text", "thinking"});
    for (const JsonView& line : view["summary"].Elements()) text += TextOf(line, {"text"});
    return Text("reasoning", std::move(text));
  }
  if (type == "refusal") return Text("refusal", TextOf(view, {"refusal", "content"}));
  if (IsOneOf(type, {"tool_call", "tool-call", "tool_use", "toolCall", "function_call"})) {
    return ToolCall(view);
  }
  if (IsOneOf(type, {"tool_call_response", "tool-result", "tool_result", "function_call_output",
                     "function_result", "function_response"})) {
    return ToolResponse(view);
  }
  if (type == "uri") return Text("uri", TextOf(view, {"uri"}));
  if (type == "image_url" || type == "input_image") {
    const JsonView url = view["image_url"];
    return Text("uri", url.IsObject() ? TextOf(url, {"url"}) : TextOf(view, {"image_url"}));
  }
  return std::nullopt;
}

// Without one: the member that is there tells.
std::optional<Part> PartByMember(const JsonView& view) {
  if (const auto text = view["text"].String()) return Text("text", std::string(*text));
  for (const std::string_view name : {"functionCall", "function_call", "toolUse", "tool_call"}) {
    if (view[name].IsObject()) return ToolCall(view[name]);
  }
  for (const std::string_view name : {"functionResponse", "function_response", "toolResult"}) {
    if (view[name].IsObject()) return ToolResponse(view[name]);
  }
  if (view["function"].IsObject()) return ToolCall(view);
  if (view["toolCallId"].String() && view["toolName"].String()) {
    return IsBlank(Any(view, {"result", "output"})) ? ToolCall(view) : ToolResponse(view);
  }
  if (const JsonView text = view["reasoningContent"]["reasoningText"]["text"]; text.String()) {
    return Text("reasoning", std::string(*text.String()));
  }
  if (const JsonView url = view["image"]["image"]["url"]; url.String()) {
    return Text("uri", std::string(*url.String()));
  }
  return std::nullopt;
}

Part PartOf(JsonView view) {
  if (const auto text = view.String()) return Text("text", std::string(*text));
  if (view["message_content"].IsObject()) view = view["message_content"];
  const std::string type = view["type"].String() ? std::string(*view["type"].String()) : "";
  if (auto part = PartOfType(type, view)) return *std::move(part);
  if (auto part = PartByMember(view)) return *std::move(part);
  return AsSent(type.empty() ? "json" : type, view);
}

// What a model may call, sent along with the messages by some frameworks.
bool IsToolDefinition(const JsonView& view) {
  return view["type"].String() == "function" && view["function"]["parameters"].exists() &&
         !view["function"]["arguments"].exists();
}

void AddParts(const JsonView& content, std::vector<Part>& parts) {
  if (IsBlank(content) || IsToolDefinition(content)) return;
  if (content.IsArray()) {
    for (const JsonView& element : content.Elements()) AddParts(element, parts);
    return;
  }
  Part part = PartOf(content);
  const bool empty = part.text.empty() && part.json.empty() && part.id.empty() && part.name.empty();
  if (!empty) parts.push_back(std::move(part));
}

// ---- Messages ----

std::string RoleNamed(std::string_view word) {
  const std::string role = LowerCase(word);
  if (IsOneOf(role, {"human", "humanmessage"})) return "user";
  if (IsOneOf(role, {"ai", "model", "aimessage", "aimessagechunk", "bot"})) return "assistant";
  if (IsOneOf(role, {"function", "toolmessage"})) return "tool";
  if (role == "systemmessage") return "system";
  return role;
}

bool IsRole(std::string_view word) {
  return IsOneOf(RoleNamed(word), {"user", "assistant", "tool", "system", "developer"});
}

bool IsItem(const JsonView& view) {
  const auto type = view["type"].String();
  return type && IsOneOf(*type, {"function_call", "function_call_output", "message"});
}

// True for what is a message rather than a part of one.
bool IsMessage(const JsonView& view) {
  if (!view.IsObject()) return false;
  const auto type = view["type"].String();
  const bool named = view["role"].String() || view["event.name"].String() ||
                     view["message"].IsObject() || view["kwargs"].IsObject() || IsItem(view) ||
                     (type && IsRole(*type));
  return named || (!type && (view["content"].String() || view["content"].IsArray() ||
                             view["tool_calls"].IsArray() || view["finish_reason"].String()));
}

struct Reader {
  std::vector<Message>& messages;
  std::vector<Message>* answers;

  void Add(Message message, bool is_answer) {
    if (message.parts.empty() && message.finish_reason.empty()) return;
    if (messages.size() > kMessagesMax) return;
    (is_answer && answers != nullptr ? *answers : messages).push_back(std::move(message));
  }

  void AddMessage(const JsonView& outer, std::string_view default_role) {
    JsonView view = outer;
    if (view["message"].IsObject()) view = view["message"];
    if (view["kwargs"].IsObject()) view = view["kwargs"];
    if (view["content"]["parts"].IsArray()) view = view["content"];  // Google's candidates
    const std::string event = TextOf(outer, {"event.name"});
    const std::string type = TextOf(view, {"type"});
    Message message{.role = TextOf(view, {"role"})};
    if (message.role.empty() && IsMessageEvent(event)) message.role = RoleOfEvent(event);
    if (message.role.empty() && IsRole(type)) message.role = type;
    if (message.role.empty() && type == "function_call_output") message.role = "tool";
    if (message.role.empty() && IsItem(view)) message.role = "assistant";
    message.role = RoleNamed(message.role.empty() ? default_role : message.role);
    message.finish_reason =
        TextOf(outer, {"finish_reason", "finishReason", "stop_reason", "stopReason"});
    if (message.finish_reason.empty()) message.finish_reason = TextOf(view, {"finish_reason"});

    if (type == "function_call" || type == "function_call_output") {
      AddParts(view, message.parts);
    } else {
      for (const std::string_view name : {"reasoning_content", "parts", "contents", "content"}) {
        const JsonView content = view[name];
        if (name == "reasoning_content" && content.String()) {
          message.parts.push_back(Text("reasoning", std::string(*content.String())));
        } else if (name != "reasoning_content") {
          const std::size_t before = message.parts.size();
          AddParts(content, message.parts);
          if (message.parts.size() > before) break;
        }
      }
      AddCalls(view, message.parts);
      MakeResponse(view, message);
    }
    Add(std::move(message), event == "gen_ai.choice");
  }

  static void AddCalls(const JsonView& view, std::vector<Part>& parts) {
    JsonView calls = view["tool_calls"];
    if (calls.Elements().empty()) calls = view["additional_kwargs"]["tool_calls"];
    if (const auto text = calls.String()) {
      ReadToolCalls(*text, parts);
      return;
    }
    for (const JsonView& call : calls.Elements()) {
      Part part = ToolCall(call["tool_call"].IsObject() ? call["tool_call"] : call);
      // Anthropic's and Vercel's content names the call too.
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
        parts.push_back(std::move(part));
      }
    }
  }

  // What stands in a tool's message is what the tool answered.
  static void MakeResponse(const JsonView& view, Message& message) {
    const std::string id = TextOf(view, {"tool_call_id", "id"});
    if (message.role != "tool" || message.parts.size() != 1) return;
    Part& part = message.parts.front();
    if (part.type == "text") {
      part = {.type = "tool_call_response",
              .id = id,
              .name = TextOf(view, {"name"}),
              .json = AsJsonValue(part.text)};
    } else if (part.type == "tool_call_response" && part.id.empty()) {
      part.id = id;
    }
  }

  void AddArray(const JsonView& array, std::string_view role) {
    const auto elements = array.Elements();
    const bool parts_only = std::none_of(elements.begin(), elements.end(), [](const JsonView& e) {
      return IsMessage(e) || e.IsArray();
    });
    if (parts_only) {
      Message message{.role = std::string(role)};
      AddParts(array, message.parts);
      Add(std::move(message), false);
      return;
    }
    for (const JsonView& element : elements) AddAny(element, role);
  }

  // Requests and answers of providers hold their messages under one of these.
  bool AddWrapped(const JsonView& object, std::string_view role) {
    for (const std::string_view name : {"system", "instructions", "systemInstruction"}) {
      if (IsBlank(object[name]) || (IsBlank(object["messages"]) && IsBlank(object["input"]) &&
                                    IsBlank(object["contents"]) && IsBlank(object["prompt"])))
        continue;
      Message message{.role = "system"};
      const JsonView parts = object[name]["parts"];
      AddParts(parts.IsArray() ? parts : object[name], message.parts);
      Add(std::move(message), false);
    }
    for (const std::string_view name :
         {"messages", "choices", "candidates", "contents", "generations"}) {
      const JsonView inner = object[name];
      const bool each = name == "choices" || name == "candidates";
      for (const JsonView& element : each ? inner.Elements() : std::vector<JsonView>{}) {
        AddAny(element, role);
      }
      if (inner.IsArray()) {
        if (!each) AddArray(inner, role);
        return true;
      }
      if (inner.String() && name == "contents") {
        AddAny(inner, role);
        return true;
      }
    }
    for (const std::string_view name : {"input", "output", "prompt"}) {
      const JsonView inner = object[name];
      const bool messages_inside =
          inner.IsArray() || (inner.IsObject() && !IsBlank(inner["messages"]));
      if (messages_inside || (name == "prompt" && inner.String())) {
        AddAny(inner, role);
        return true;
      }
      if (name == "output" && inner["message"].IsObject()) {  // Bedrock Converse
        AddMessage(inner, role);
        return true;
      }
    }
    if (object["content"].IsObject() && object["content"]["parts"].IsArray()) {  // Google
      Message message{.role = RoleNamed(role)};
      AddParts(object["content"]["parts"], message.parts);
      message.finish_reason = TextOf(object, {"finishReason", "finish_reason"});
      Add(std::move(message), false);
      return true;
    }
    return false;
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the parser allows
  void AddAny(const JsonView& view, std::string_view role) {
    if (view.IsArray()) {
      AddArray(view, role);
    } else if (IsMessage(view)) {
      AddMessage(view, role);
    } else if (!view.IsObject() || !AddWrapped(view, role)) {
      Message message{.role = std::string(role)};
      AddParts(view, message.parts);
      Add(std::move(message), false);
    }
  }
};

std::optional<JsonTree> ParseNested(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || (text[begin] != '{' && text[begin] != '[')) {
    return std::nullopt;
  }
  auto tree = JsonTree::Parse(text, kLimits);
  return tree ? std::optional(*std::move(tree)) : std::nullopt;
}

}  // namespace

bool IsMessageEvent(std::string_view event) {
  return event == "gen_ai.choice" || (event.starts_with("gen_ai.") && event.ends_with(".message"));
}

std::string_view RoleOfEvent(std::string_view event) {
  constexpr std::string_view kBegin = "gen_ai.";
  constexpr std::string_view kEnd = ".message";
  if (event == "gen_ai.choice" || !IsMessageEvent(event)) return "assistant";
  return event.substr(kBegin.size(), event.size() - kBegin.size() - kEnd.size());
}

std::string AsJsonValue(std::string_view text) {
  if (const auto tree = ParseNested(text)) return JsonText(tree->root());
  JsonWriter out;
  out.String(text);
  return out.Take();
}

void ReadMessages(std::string_view text, std::string_view role, std::vector<Message>& messages,
                  std::vector<Message>* answers) {
  if (text.empty()) return;
  if (const auto tree = ParseNested(text)) {
    Reader{.messages = messages, .answers = answers}.AddAny(tree->root(), role);
  } else {
    // MLflow writes even a plain text as a JSON string.
    const auto quoted = text.starts_with('"') ? JsonTree::Parse(text, kLimits)
                                              : Result<JsonTree>(std::unexpected(Error{}));
    const auto inner = quoted ? quoted->root().String() : std::nullopt;
    messages.push_back(
        {.role = std::string(role), .parts = {Text("text", std::string(inner.value_or(text)))}});
  }
}

void ReadParts(std::string_view text, std::vector<Part>& parts) {
  if (text.empty()) return;
  if (const auto tree = ParseNested(text)) {
    AddParts(tree->root(), parts);
  } else {
    parts.push_back(Text("text", std::string(text)));
  }
}

void ReadToolCalls(std::string_view text, std::vector<Part>& parts) {
  const auto tree = ParseNested(text);
  if (!tree) return;
  const JsonView root = tree->root();
  if (root.IsObject()) parts.push_back(ToolCall(root));
  for (const JsonView& call : root.Elements()) parts.push_back(ToolCall(call));
}

void WritePart(JsonWriter& out, const Part& part) {
  if (!part.json.empty() && part.type != "tool_call" && part.type != "tool_call_response") {
    out.BeginObject().Key("type").String(part.type).Key("content").Raw(part.json).EndObject();
    return;
  }
  out.BeginObject().Key("type").String(part.type);
  if (part.type == "uri") {
    out.Key("uri").String(part.text);
  } else if (part.type == "tool_call" || part.type == "tool_call_response") {
    if (!part.id.empty()) out.Key("id").String(part.id);
    if (!part.name.empty()) out.Key("name").String(part.name);
    out.Key(part.type == "tool_call" ? "arguments" : "response");
    if (part.json.empty()) {
      out.Null();
    } else {
      out.Raw(part.json);
    }
  } else {
    out.Key("content").String(part.text);
  }
  out.EndObject();
}

void WriteMessage(JsonWriter& out, const Message& message) {
  out.BeginObject().Key("role").String(message.role).Key("parts").BeginArray();
  for (const Part& part : message.parts) WritePart(out, part);
  out.EndArray();
  if (!message.finish_reason.empty()) out.Key("finish_reason").String(message.finish_reason);
  out.EndObject();
}

std::string PlainText(const Message& message) {
  std::string text;
  for (const Part& part : message.parts) {
    if (!text.empty()) text += '\n';
    if (part.type == "tool_call") {
      text += "-> " + part.name + "(" + part.json + ")";
    } else if (part.type == "tool_call_response") {
      text += "<- " + (part.json.empty() ? std::string("null") : part.json);
    } else if (part.type == "text") {
      text += part.text;
    } else {
      text += "[" + part.type + "] " + (part.text.empty() ? part.json : part.text);
    }
  }
  return text;
}

}  // namespace fluoro::genai
