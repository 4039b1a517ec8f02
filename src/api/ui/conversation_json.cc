#include "api/ui/conversation_json.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/json.h"
#include "genai/conversation.h"
#include "genai/flags.h"
#include "genai/step.h"

namespace fluoro::api::ui {
namespace {

using genai::Message;

void WriteField(JsonWriter& out, std::string_view key, const model::Span& span,
                std::string_view field) {
  const auto value = genai::CanonicalField(span, field);
  const std::string* text = value ? value->AsString() : nullptr;
  if (text != nullptr) out.Key(key).String(*text);
}

// Messages are the same if they say the same, whatever ended them.
std::string Fingerprint(const Message& message) {
  JsonWriter out;
  genai::WriteMessage(out, {.role = message.role, .parts = message.parts});
  return out.Take();
}

// Models are sent the whole talk anew with each call.
class Seen {
 public:
  std::size_t CountRepeated(const std::vector<Message>& input) const {
    const auto first_new = std::find_if(input.begin(), input.end(), [&](const Message& message) {
      return !messages_.contains(Fingerprint(message));
    });
    return static_cast<std::size_t>(first_new - input.begin());
  }
  void Add(const std::vector<Message>& messages) {
    for (const Message& message : messages) messages_.insert(Fingerprint(message));
  }

 private:
  std::unordered_set<std::string> messages_;
};

void WriteMessages(JsonWriter& out, std::string_view key, const std::vector<Message>& messages) {
  out.Key(key).BeginArray();
  for (const Message& message : messages) genai::WriteMessage(out, message);
  out.EndArray();
}

void WriteStep(JsonWriter& out, const model::Entity& entity, const genai::Messages& messages,
               std::size_t repeated) {
  const model::Span& span = *entity.span;
  out.BeginObject().Key("span_id").String(entity.id.ToHex());
  out.Key("parent");
  if (entity.parent_id.IsZero()) {
    out.Null();
  } else {
    out.String(entity.parent_id.ToHex());
  }
  out.Key("name").String(span.name);
  out.Key("step_kind").String(genai::StepKindName(genai::ClassifyStep(span)));
  WriteField(out, "sub_kind", span, "sub_kind");
  WriteField(out, "model", span, "model_response");
  if (!genai::CanonicalField(span, "model_response")) WriteField(out, "model", span, "model");
  WriteField(out, "tool", span, "tool_name");
  WriteField(out, "agent", span, "agent_name");
  out.Key("start_ns").Int(entity.start_ns).Key("duration_ns").Int(entity.duration_ns());
  out.Key("outcome").String(model::OutcomeName(entity.outcome()));
  WriteField(out, "finish_reason", span, "finish_reason");
  out.Key("flags").String(genai::FlagsOf(span));
  out.Key("repeated").Uint(repeated).Key("cut").Bool(messages.cut);
  out.Key("system").BeginArray();
  for (const genai::Part& part : messages.system) genai::WritePart(out, part);
  out.EndArray();
  WriteMessages(out, "input", messages.input);
  WriteMessages(out, "output", messages.output);
  out.EndObject();
}

}  // namespace

std::string ConversationJson(const model::AssembledTrace& trace) {
  std::vector<std::size_t> order(trace.entities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return trace.entities[a].start_ns < trace.entities[b].start_ns;
  });
  JsonWriter out;
  out.BeginObject().Key("trace_id").String(trace.trace->id.ToXRay());
  out.Key("steps").BeginArray();
  Seen seen;
  std::size_t bytes = 0;
  bool cut = false;
  for (const std::size_t at : order) {
    const model::Entity& entity = trace.entities[at];
    if (entity.span == nullptr || entity.synthetic || entity.role == model::EntityRole::kInferred) {
      continue;
    }
    const genai::Messages messages = genai::MessagesOf(*entity.span);
    if (messages.empty()) continue;
    JsonWriter step;
    WriteStep(step, entity, messages, seen.CountRepeated(messages.input));
    const std::string json = step.Take();
    cut = bytes + json.size() > kConversationBytesMax;
    if (cut) break;
    bytes += json.size();
    out.Raw(json);
    seen.Add(messages.input);
    seen.Add(messages.output);
  }
  out.EndArray().Key("cut").Bool(cut);
  out.Key("spans_after").Uint(trace.trace->spans_after).EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
