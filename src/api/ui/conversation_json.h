// What was said in one trace, step by step: GET /ui/api/genai/conversation/{trace}.
#pragma once

#include <string>

#include "model/assembly.h"

namespace fluoro::api::ui {

/// {"trace_id", "steps": [{"span_id", "parent", "name", "step_kind", "sub_kind", "model", "tool",
/// "agent", "start_ns", "duration_ns", "outcome", "finish_reason", "flags", "repeated", "cut",
/// "system": [part], "input": [message], "output": [message]}], "cut", "spans_after"}, steps in
/// order of start: those that hold any content. Messages in OpenTelemetry's shape. "repeated": how
/// many messages at the beginning of "input" an earlier step had already. At most
/// kConversationBytesMax: "cut" where steps are left out. Pure.
std::string ConversationJson(const model::AssembledTrace& trace);

inline constexpr std::size_t kConversationBytesMax = std::size_t{16} << 20;

}  // namespace fluoro::api::ui
