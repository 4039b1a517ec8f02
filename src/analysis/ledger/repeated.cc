#include "analysis/ledger/repeated.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "analysis/ledger/bills.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "genai/reading.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;
using model::AttributeValue;

void Write(JsonWriter& out, double number) {
  constexpr double kWholeMax = 9007199254740992.0;
  if (std::abs(number) <= kWholeMax && number == std::floor(number)) {
    out.Int(static_cast<std::int64_t>(number));
  } else {
    out.Raw(std::isfinite(number) ? fmt::format("{}", number) : "null");
  }
}

// The parser bounds the depth.
void Write(JsonWriter& out, JsonView value) {  // NOLINT(misc-no-recursion)
  if (const auto text = value.String()) {
    out.String(*text);
  } else if (const auto flag = value.Bool()) {
    out.Bool(*flag);
  } else if (const auto whole = value.Int()) {
    out.Int(*whole);
  } else if (const auto number = value.Double()) {
    Write(out, *number);
  } else if (value.IsArray()) {
    out.BeginArray();
    for (const JsonView& element : value.Elements()) Write(out, element);
    out.EndArray();
  } else if (value.IsObject()) {
    auto members = value.Members();
    std::ranges::stable_sort(members, {}, &JsonView::Member::key);
    out.BeginObject();
    for (const auto& member : members) {
      out.Key(member.key);
      Write(out, member.value);
    }
    out.EndObject();
  } else {
    out.Null();
  }
}

// Decoders bound the depth.
void Write(JsonWriter& out, const AttributeValue& value) {  // NOLINT(misc-no-recursion)
  if (const auto* text = value.AsString()) {
    out.String(*text);
  } else if (const auto* flag = value.AsBool()) {
    out.Bool(*flag);
  } else if (const auto* whole = value.AsInt()) {
    out.Int(*whole);
  } else if (const auto* number = value.AsDouble()) {
    Write(out, *number);
  } else if (const auto* array = value.AsArray()) {
    out.BeginArray();
    for (const AttributeValue& element : array->values) Write(out, element);
    out.EndArray();
  } else if (const auto* list = std::get_if<AttributeValue::KvList>(&value.value)) {
    std::vector<const model::KeyValue*> entries;
    for (const model::KeyValue& entry : list->entries) entries.push_back(&entry);
    std::ranges::stable_sort(entries, {},
                             [](const auto* entry) { return std::string_view(entry->key); });
    out.BeginObject();
    for (const auto* entry : entries) {
      out.Key(entry->key);
      Write(out, entry->value);
    }
    out.EndObject();
  } else if (const auto* bytes = std::get_if<AttributeValue::Bytes>(&value.value)) {
    out.String(bytes->data);
  } else {
    out.Null();
  }
}

std::string CanonicalValue(const AttributeValue& value) {
  if (const auto* text = value.AsString()) return CanonicalJson(*text);
  JsonWriter out;
  Write(out, value);
  return out.Take();
}

using Fingerprint = std::pair<std::uint64_t, std::uint64_t>;
Fingerprint FingerprintOf(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.high64, hash.low64};
}

// What a tool was called with; "": not known.
std::string ArgumentsOf(const model::Span& span) {
  for (const std::string_view key :
       {"gen_ai.tool.call.arguments", "ai.toolCall.args", "tool.parameters", "input.value",
        "traceloop.entity.input", "mcp.request.argument"}) {
    if (const AttributeValue* value = genai::FindAny(span, key)) return CanonicalValue(*value);
  }
  const auto value = genai::CanonicalField(span, "input_content");
  return value ? CanonicalValue(*value) : std::string();
}

// What a model was asked; "": not known. Messages may stand in one attribute, in many, or in
// events.
std::string QuestionOf(const model::Span& span) {
  std::string text;
  for (const std::string_view field : {"system_content", "input_content"}) {
    if (const auto value = genai::CanonicalField(span, field))
      text += CanonicalValue(*value) + "\n";
  }
  if (!text.empty()) return text;
  constexpr auto kPrefixes =
      std::to_array<std::string_view>({"gen_ai.prompt.", "llm.input_messages.", "llm.prompts."});
  std::vector<std::string> parts;
  for (const model::Attribute& attribute : span.attributes) {
    const bool is_message = std::ranges::any_of(kPrefixes, [&](std::string_view prefix) {
      return std::string_view(attribute.key).starts_with(prefix);
    });
    if (is_message) parts.push_back(attribute.key + "=" + CanonicalValue(attribute.value));
  }
  std::ranges::sort(parts);
  for (const model::Event& event : span.events) {
    constexpr auto kEvents = std::to_array<std::string_view>(
        {"gen_ai.content.prompt", "gen_ai.system.message", "gen_ai.user.message",
         "gen_ai.assistant.message", "gen_ai.tool.message",
         "gen_ai.client.inference.operation.details"});
    if (std::ranges::find(kEvents, event.name) == kEvents.end()) continue;
    for (const model::Attribute& attribute : event.attributes)
      parts.push_back(event.name + "." + attribute.key + "=" + CanonicalValue(attribute.value));
  }
  for (const std::string& part : parts) text += part + "\n";
  return text;
}

// Of llm steps: those that show a call that another step shows too, below them or beside them.
std::vector<bool> OtherViews(const model::AssembledTrace& trace, std::span<const Step> steps,
                             const genai::TraceCost& cost) {
  std::vector<bool> is_view(steps.size(), false);
  for (const genai::PricedStep& step : cost.steps) {
    if (step.entity >= 0 && step.role == genai::UsageRole::kWrapper)
      is_view[static_cast<std::size_t>(step.entity)] = true;
  }
  std::vector<bool> has_llm(steps.size(), false);  // itself or below, engines left out
  const std::vector<std::int32_t> order = ParentsFirst(trace);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const auto i = static_cast<std::size_t>(*at);
    if (steps[i].kind == StepKind::kLlm) {
      const bool is_engine = steps[i].sub_kind == "engine";
      is_view[i] = is_view[i] || is_engine || has_llm[i];
      has_llm[i] = has_llm[i] || (!is_engine && steps[i].is_work);
    }
    const std::int32_t parent = trace.entities[i].parent;
    if (has_llm[i] && parent >= 0) has_llm[static_cast<std::size_t>(parent)] = true;
  }
  return is_view;
}

}  // namespace

std::string CanonicalJson(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  const auto tree = JsonTree::Parse(text);
  if (!tree) return std::string(text);
  JsonWriter out;
  Write(out, tree->root());
  return out.Take();
}

std::vector<RepeatedWork> FindRepeated(const model::AssembledTrace& trace,
                                       std::span<const Step> steps, std::span<const LostWork> lost,
                                       const genai::TraceCost& cost) {
  std::vector<bool> tried_again(steps.size(), false);
  for (const LostWork& work : lost) {
    if (work.stood < 0) continue;
    for (const std::int32_t attempt : work.failed)
      tried_again[static_cast<std::size_t>(attempt)] = true;
  }
  using Key = std::tuple<RepeatedWork::Kind, std::string, Fingerprint>;
  std::map<Key, std::vector<std::int32_t>> groups;
  const std::vector<bool> is_view = OtherViews(trace, steps, cost);
  for (const std::int32_t place : ParentsFirst(trace)) {
    const auto i = static_cast<std::size_t>(place);
    const model::Entity& entity = trace.entities[i];
    const Step& step = steps[i];
    const Step* above =
        entity.parent < 0 ? nullptr : &steps[static_cast<std::size_t>(entity.parent)];
    if (!step.is_work || step.in_progress || tried_again[i]) continue;
    if (step.kind == StepKind::kTool) {
      // The tool's own view of the call is not another call.
      if (above != nullptr && above->kind == StepKind::kTool && above->tool == step.tool) continue;
      const std::string arguments = ArgumentsOf(*entity.span);
      if (arguments.empty()) continue;
      groups[{RepeatedWork::Kind::kLoop, step.tool, FingerprintOf(arguments)}].push_back(place);
    } else if (step.kind == StepKind::kLlm && !is_view[i] && !step.failed) {
      const std::string question = QuestionOf(*entity.span);
      if (question.empty()) continue;
      groups[{RepeatedWork::Kind::kDuplicate, step.model, FingerprintOf(question)}].push_back(
          place);
    }
  }
  std::vector<RepeatedWork> found;
  std::vector<std::int64_t> costs;
  for (auto& [key, members] : groups) {
    const auto kind = std::get<0>(key);
    if (members.size() < (kind == RepeatedWork::Kind::kLoop ? kLoopCalls : 2)) continue;
    if (costs.empty()) costs = CostsWithBelow(trace, cost);
    std::ranges::stable_sort(members, {}, [&](std::int32_t member) {
      return trace.entities[static_cast<std::size_t>(member)].start_ns;
    });
    RepeatedWork work{.kind = kind, .name = std::get<1>(key), .steps = std::move(members)};
    for (std::size_t i = 1; i < work.steps.size(); ++i) {
      const auto member = static_cast<std::size_t>(work.steps[i]);
      work.again_ns += std::max<std::int64_t>(trace.entities[member].duration_ns(), 0);
      work.again_nano_usd += costs[member];
    }
    found.push_back(std::move(work));
  }
  std::ranges::stable_sort(found, std::greater(), &RepeatedWork::again_ns);
  if (found.size() > kRepeatedMax) found.resize(kRepeatedMax);
  return found;
}

}  // namespace fluoro::analysis
