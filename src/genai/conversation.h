// What was said in a step, in one shape, whatever form it came in: the messages of OpenTelemetry's
// GenAI conventions since 1.37 (role and parts). Source of the shape: OpenTelemetry semantic
// conventions, gen-ai-input-messages.json; forms that are read: docs/genai.md, "Conversation".
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/span.h"

namespace fluoro::genai {

/// `type` text, reasoning, refusal: `text`. tool_call, tool_call_response: `id`, `name`, and in
/// `json` the arguments or the response. uri: `text`. Others: `json` holds the part as sent.
struct Part {
  std::string type = {};
  std::string text = {};
  std::string id = {};
  std::string name = {};
  std::string json = {};  ///< one JSON value, or ""
  bool operator==(const Part&) const = default;
};

struct Message {
  std::string role = {};  ///< system, user, assistant, tool, or as sent
  std::vector<Part> parts = {};
  std::string finish_reason = {};  ///< as sent
  bool operator==(const Message&) const = default;
};

struct Messages {
  std::vector<Part> system;  ///< instructions that stand apart from the messages
  std::vector<Message> input;
  std::vector<Message> output;
  bool cut = false;  ///< more than kMessagesMax of input or of output
  [[nodiscard]] bool empty() const { return system.empty() && input.empty() && output.empty(); }
};

inline constexpr std::size_t kMessagesMax = 2'000;

/// Of the span's attributes and events. Input and output are each read from the first form that has
/// any. Never throws on what is broken: what is no JSON is one text. Pure.
Messages MessagesOf(const model::Span& span);

/// True if some attribute or event may hold messages. Cheap.
bool MayHaveMessages(const model::Span& span);

/// {"role":...,"parts":[{"type":"text","content":...},...],"finish_reason":...}
void WriteMessage(JsonWriter& out, const Message& message);
void WritePart(JsonWriter& out, const Part& part);

/// All texts of the message, for people: one line a part that is no text.
std::string PlainText(const Message& message);

}  // namespace fluoro::genai
