#include "cardinality/key_class.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "genai/fields.h"

namespace fluoro::cardinality {
namespace {

using enum KeyClass;

struct FieldKind {
  std::string_view field;
  KeyClass key_class;
  std::uint32_t budget = 0;  // 0: that of other keys
};
// Canonical fields; those that are not here are numeric.
constexpr auto kFields = std::to_array<FieldKind>({{"tenant", kGuarded, 10'000},
                                                   {"route", kGuarded, 2'000},
                                                   {"experiment_id", kGuarded, 200},
                                                   {"prompt_name", kGuarded, 2'000},
                                                   {"prompt_version", kGuarded, 2'000},
                                                   {"data_source", kGuarded, 500},
                                                   {"step_name", kGuarded, 5'000},
                                                   {"model", kGrouped, 500},
                                                   {"model_response", kGrouped, 500},
                                                   {"tool_name", kGrouped, 1'000},
                                                   {"agent_name", kGrouped, 500},
                                                   {"error_type", kGrouped, 500},
                                                   {"step_kind", kGrouped},
                                                   {"sub_kind", kGrouped},
                                                   {"provider", kGrouped},
                                                   {"workflow_name", kGrouped},
                                                   {"finish_reason", kGrouped},
                                                   {"timeout", kGrouped},
                                                   {"throttled", kGrouped},
                                                   {"stream", kGrouped},
                                                   {"experiment_arm", kGrouped},
                                                   {"cost_source", kGrouped},
                                                   {"usage_role", kGrouped},
                                                   {"norm_flags", kGrouped},
                                                   {"session_id", kLookup},
                                                   {"user_id", kLookup},
                                                   {"tool_call_id", kLookup},
                                                   {"input_content", kContent},
                                                   {"output_content", kContent},
                                                   {"system_content", kContent}});

struct NamedKind {
  std::string_view key;
  KeyClass key_class;
};
constexpr auto kNamed = std::to_array<NamedKind>({{"service.name", kGrouped},
                                                  {"deployment.environment", kGrouped},
                                                  {"deployment.environment.name", kGrouped},
                                                  {"http.status_code", kGrouped},
                                                  {"http.response.status_code", kGrouped},
                                                  {"gen_ai.response.id", kLookup},
                                                  {"mcp.session.id", kLookup},
                                                  {"enduser.id", kLookup},
                                                  {"trace_id", kLookup},
                                                  {"span_id", kLookup},
                                                  {"request_id", kLookup},
                                                  {"request.id", kLookup},
                                                  {"http.request.id", kLookup},
                                                  {"aws.request_id", kLookup},
                                                  {"aws.requestId", kLookup},
                                                  {"faas.invocation_id", kLookup},
                                                  {"messaging.message.id", kLookup},
                                                  {"url.full", kLookup},
                                                  {"http.url", kLookup},
                                                  {"url.query", kContent},
                                                  {"db.statement", kContent},
                                                  {"db.query.text", kContent},
                                                  {"exception.stacktrace", kContent},
                                                  {"exception.message", kContent},
                                                  {"input.value", kContent},
                                                  {"output.value", kContent},
                                                  {"gen_ai.tool.call.arguments", kContent},
                                                  {"gen_ai.tool.call.result", kContent},
                                                  {"ai.toolCall.args", kContent},
                                                  {"ai.toolCall.result", kContent}});
// Keys that go on behind these: messages, headers, documents.
constexpr auto kContentPrefixes = std::to_array<std::string_view>(
    {"gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.",
     "llm.prompts.", "llm.completions.", "http.request.header.", "http.response.header.",
     "retrieval.documents.", "reranker.input_documents.", "reranker.output_documents.",
     "embedding.embeddings."});

// Of the fields' names and of every key that they are read from whole. The first field counts.
std::unordered_map<std::string_view, KeyKind> MakeKinds() {
  std::unordered_map<std::string_view, KeyKind> kinds;
  for (const NamedKind& named : kNamed) kinds.try_emplace(named.key, named.key_class, kUserKey);
  const auto add = [&kinds](std::string_view key, const FieldKind* kind) {
    if (kind == nullptr) {
      kinds.try_emplace(key, kNumeric, kUserKey);
    } else {
      kinds.try_emplace(key, kind->key_class, kind->budget == 0 ? kUserKey : kind->field);
    }
  };
  const auto find = [](std::string_view field) {
    const auto at = std::ranges::find(kFields, field, &FieldKind::field);
    return at == kFields.end() ? nullptr : &*at;
  };
  for (const genai::Field& field : genai::Fields()) add(field.name, find(field.name));
  for (const genai::Field& field : genai::Fields()) {
    const FieldKind* kind = find(field.name);
    for (const genai::Source& source : field.sources) {
      // Of a key that many fields are read from, as metadata, or that is no text, nothing follows.
      if (kind != nullptr && source.reading == genai::Reading::kValue && source.when == nullptr)
        add(source.key, kind);
    }
    for (const std::string_view key : field.resource) add(key, kind);
  }
  return kinds;
}

constexpr std::array<std::string_view, 5> kClassNames{"grouped", "guarded", "numeric", "lookup",
                                                      "content"};
constexpr std::array<std::string_view, 3> kIndexNames{"full", "lookup", "none"};

}  // namespace

std::string_view KeyClassName(KeyClass key_class) {
  return kClassNames.at(static_cast<std::size_t>(key_class));
}

KeyKind KindOf(std::string_view key) {
  static const auto kKinds = MakeKinds();
  if (constexpr std::string_view kCalls = "calls/"; key.starts_with(kCalls))
    key.remove_prefix(kCalls.size());
  if (const auto at = kKinds.find(key); at != kKinds.end()) return at->second;
  if (std::ranges::any_of(kContentPrefixes,
                          [&](std::string_view prefix) { return key.starts_with(prefix); }))
    return {.key_class = kContent, .budget = kUserKey};
  return {.key_class = kGuarded, .budget = kUserKey};
}

const Budgets& DefaultBudgets() {
  static const Budgets kBudgets = [] {
    Budgets budgets{{std::string(kUserKey), 1'000}};
    for (const FieldKind& kind : kFields) {
      if (kind.budget != 0) budgets.emplace(kind.field, kind.budget);
    }
    return budgets;
  }();
  return kBudgets;
}

std::string_view IndexName(Index index) { return kIndexNames.at(static_cast<std::size_t>(index)); }

std::optional<Index> ParseIndex(std::string_view name) {
  const auto at = std::ranges::find(kIndexNames, name);
  if (at == kIndexNames.end()) return std::nullopt;
  return static_cast<Index>(at - kIndexNames.begin());
}

std::uint32_t Settings::BudgetOf(std::string_view key, const KeyKind& kind) const {
  if (const Key* by_hand = Find(key); by_hand != nullptr && by_hand->budget)
    return *by_hand->budget;
  if (const auto at = budgets.find(kind.budget); at != budgets.end()) return at->second;
  return DefaultBudgets().find(kind.budget)->second;
}

const Settings::Key* Settings::Find(std::string_view key) const {
  const auto at = keys.find(key);
  return at == keys.end() ? nullptr : &at->second;
}

}  // namespace fluoro::cardinality
