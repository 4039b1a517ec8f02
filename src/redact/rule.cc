#include "redact/rule.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/json_tree.h"
#include "redact/detector.h"
#include "redact/pattern.h"

namespace fluoro::redact {
namespace {

constexpr std::array<std::string_view, 4> kModes = {"none", "hash", "redacted", "full"};
constexpr std::array<std::string_view, 4> kActions = {"hash", "mask", "drop", "keep"};
constexpr std::array<std::string_view, 3> kKinds = {"key", "pattern", "detector"};
constexpr std::size_t kRuleNameMax = 32;

template <class Enum, std::size_t N>
std::optional<Enum> Parse(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

Result<void> Wrong(const Rule& rule, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "redaction rule '" + rule.name + "': " + why);
}

}  // namespace

std::string_view ContentModeName(ContentMode mode) {
  return kModes[static_cast<std::size_t>(mode)];
}
std::optional<ContentMode> ParseContentMode(std::string_view name) {
  return Parse<ContentMode>(kModes, name);
}
std::string_view ActionName(Action action) { return kActions[static_cast<std::size_t>(action)]; }
std::optional<Action> ParseAction(std::string_view name) { return Parse<Action>(kActions, name); }

Result<Rule> ParseRule(std::string_view name, std::string_view json) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(json));
  Rule rule{.name = std::string(name), .kind = RuleKind::kKey, .match = {}};
  const JsonView root = tree.root();
  if (!root.IsObject()) return std::unexpected(Wrong(rule, "a JSON object wanted").error());
  int kinds = 0;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const JsonView match = root[kKinds[i]];
    if (!match.exists()) continue;
    ++kinds;
    rule.kind = static_cast<RuleKind>(i);
    rule.match = match.String().value_or("");
  }
  if (kinds != 1)
    return std::unexpected(Wrong(rule, "one of key, pattern and detector wanted").error());
  if (const JsonView action = root["action"]; action.exists()) {
    const auto parsed = ParseAction(action.String().value_or(""));
    if (!parsed)
      return std::unexpected(Wrong(rule, "action: hash, mask, drop or keep wanted").error());
    rule.action = *parsed;
  }
  for (const auto& member : root.Members()) {
    if (member.key != "name" && member.key != "action" && !Parse<RuleKind>(kKinds, member.key))
      return std::unexpected(
          Wrong(rule, "no member is called '" + std::string(member.key) + "'").error());
  }
  FLUORO_CHECK_OK(CheckRule(rule));
  return rule;
}

std::string PrintRule(const Rule& rule) {
  return JsonWriter()
      .BeginObject()
      .Key("name")
      .String(rule.name)
      .Key(kKinds[static_cast<std::size_t>(rule.kind)])
      .String(rule.match)
      .Key("action")
      .String(ActionName(rule.action))
      .EndObject()
      .Take();
}

Result<void> CheckRule(const Rule& rule) {
  const bool name_is_good = !rule.name.empty() && rule.name.size() <= kRuleNameMax &&
                            std::ranges::all_of(rule.name, [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                            });
  if (!name_is_good) return Wrong(rule, "a name of 1 to 32 of a-z, 0-9 and - wanted");
  if (rule.match.empty() || rule.match.size() > kMatchBytesMax)
    return Wrong(rule, "1 to " + std::to_string(kMatchBytesMax) + " bytes to match wanted");
  switch (rule.kind) {
    case RuleKind::kKey:
      return {};
    case RuleKind::kDetector:
      if (ParseDetector(rule.match)) return {};
      return Wrong(rule, "no detector is called '" + rule.match + "'");
    case RuleKind::kPattern:
      break;
  }
  if (ParseDetector(rule.name))
    return Wrong(rule, "a detector has this name: what stands in values would mean both");
  if (rule.action == Action::kKeep)
    return Wrong(rule, "a pattern keeps nothing: keep goes with keys and detectors");
  const auto pattern = Pattern::Compile(rule.match);
  if (!pattern) return Wrong(rule, pattern.error().message);
  return {};
}

}  // namespace fluoro::redact
