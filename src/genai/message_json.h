// Messages in JSON of the many dialects in which instrumentations pass on what they were given:
// OpenTelemetry's, OpenAI's (chat and responses), Anthropic's, Google's, Bedrock's, LangChain's,
// Vercel's, and OpenInference's once unflattened.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "genai/conversation.h"

namespace fluoro::genai {

/// Appends the messages of a JSON text; of any other text, one message with that role. `answers`:
/// takes answers (`gen_ai.choice`) in place of `messages`; null: there is no such place.
void ReadMessages(std::string_view text, std::string_view role, std::vector<Message>& messages,
                  std::vector<Message>* answers = nullptr);

/// Appends parts: of an array of parts, or one text.
void ReadParts(std::string_view text, std::vector<Part>& parts);

/// Appends a part for each call of an array of calls.
void ReadToolCalls(std::string_view text, std::vector<Part>& parts);

/// The text if it is a JSON object or array, else the text as a JSON string.
std::string AsJsonValue(std::string_view text);

/// Events that hold one message: `gen_ai.user.message`, ..., `gen_ai.choice`.
bool IsMessageEvent(std::string_view event);
/// "user" of `gen_ai.user.message`; "assistant" of `gen_ai.choice`.
std::string_view RoleOfEvent(std::string_view event);

}  // namespace fluoro::genai
