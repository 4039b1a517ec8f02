#include "sampling/local_rules.h"

#include <array>
#include <charconv>
#include <span>

#include "base/json_tree.h"
#include "sampling/rule.h"

namespace fluoro::sampling {
namespace {

std::unexpected<Error> Bad(const std::string& where, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, where + ": " + std::string(what));
}

std::string NumberText(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string Member(const std::string& where, std::string_view name) {
  return where.empty() ? std::string(name) : where + "." + std::string(name);
}

// Refuses members that are not named in `known`.
Result<void> CheckMembers(JsonView object, const std::string& where,
                          std::span<const std::string_view> known, std::string_view hint) {
  for (const auto& member : object.Members()) {
    if (std::find(known.begin(), known.end(), member.key) == known.end()) {
      return Bad(Member(where, member.key), "unknown member" + std::string(hint));
    }
  }
  return {};
}

Result<void> ReadAmounts(JsonView object, const std::string& where, LocalRule& rule) {
  const JsonView target = object["fixed_target"];
  const std::string target_name = Member(where, "fixed_target");
  if (!target.exists()) return Bad(target_name, "missing");
  const auto whole = target.Int();
  if (!whole) return Bad(target_name, "a whole number was expected");
  if (*whole < 0) return Bad(target_name, std::to_string(*whole) + " is less than 0");
  rule.fixed_target = *whole;

  const JsonView rate = object["rate"];
  const std::string rate_name = Member(where, "rate");
  if (!rate.exists()) return Bad(rate_name, "missing");
  const auto number = rate.Double();
  if (!number) return Bad(rate_name, "a number was expected");
  if (!(*number >= 0 && *number <= 1)) {
    return Bad(rate_name, NumberText(*number) + " is not between 0 and 1");
  }
  rule.rate = *number;
  return {};
}

Result<void> ReadText(JsonView object, const std::string& where, std::string_view name,
                      bool required, std::string& out) {
  const JsonView value = object[name];
  if (!value.exists() && !required) return {};
  if (!value.exists()) return Bad(Member(where, name), "missing");
  const auto text = value.String();
  if (!text) {
    return Bad(Member(where, name),
               "a string was expected, not " + std::string(JsonTypeName(value.type())));
  }
  out = *text;
  return {};
}

Result<LocalRule> ReadRule(JsonView value, const std::string& where, int version) {
  if (!value.IsObject()) return Bad(where, "an object was expected");
  const std::string_view host_name = version == 1 ? "service_name" : "host";
  const std::string_view known[] = {"id",       "description",  host_name, "http_method",
                                    "url_path", "fixed_target", "rate"};
  FLUORO_CHECK_OK(CheckMembers(value, where, known,
                               version == 1 ? " in version 1 (the host is called service_name)"
                                            : " in version 2 (the host is called host)"));
  LocalRule rule;
  FLUORO_CHECK_OK(ReadText(value, where, "description", false, rule.description));
  FLUORO_CHECK_OK(ReadText(value, where, host_name, true, rule.host));
  FLUORO_CHECK_OK(ReadText(value, where, "http_method", true, rule.http_method));
  FLUORO_CHECK_OK(ReadText(value, where, "url_path", true, rule.url_path));
  FLUORO_CHECK_OK(ReadAmounts(value, where, rule));
  return rule;
}

Result<LocalRule> ReadFallback(JsonView value) {
  if (!value.exists()) return Bad("default", "missing");
  if (!value.IsObject()) return Bad("default", "an object was expected");
  static constexpr std::string_view kKnown[] = {"id", "description", "fixed_target", "rate"};
  FLUORO_CHECK_OK(
      CheckMembers(value, "default", kKnown, " (the default takes only fixed_target and rate)"));
  LocalRule rule;
  rule.host = rule.http_method = rule.url_path = "*";
  FLUORO_CHECK_OK(ReadText(value, "default", "description", false, rule.description));
  FLUORO_CHECK_OK(ReadAmounts(value, "default", rule));
  return rule;
}

}  // namespace

Result<LocalRules> ParseLocalRules(std::string_view json) {
  if (json.size() > kLocalRulesBytesMax) {
    return Fail(ErrorCode::kTooLarge, "local rules: " + std::to_string(json.size()) +
                                          " bytes, at most " + std::to_string(kLocalRulesBytesMax) +
                                          " are read");
  }
  const auto tree = JsonTree::Parse(json);
  if (!tree) return Bad("not JSON", tree.error().message);
  const JsonView root = tree->root();
  if (!root.IsObject()) return Bad("local rules", "an object was expected");
  static constexpr std::string_view kKnown[] = {"version", "default", "rules"};
  FLUORO_CHECK_OK(CheckMembers(root, "", kKnown, ""));

  LocalRules rules;
  if (!root["version"].exists()) return Bad("version", "missing");
  const auto version = root["version"].Int();
  if (version != 1 && version != 2) return Bad("version", "1 or 2 was expected");
  rules.version = static_cast<int>(*version);
  FLUORO_TRY(rules.fallback, ReadFallback(root["default"]));
  const JsonView list = root["rules"];
  if (list.exists() && !list.IsArray()) return Bad("rules", "an array was expected");
  for (const JsonView value : list.Elements()) {
    const std::string where = "rules[" + std::to_string(rules.rules.size()) + "]";
    FLUORO_TRY(LocalRule rule, ReadRule(value, where, rules.version));
    rules.rules.push_back(std::move(rule));
  }
  return rules;
}

const LocalRule* FindLocalRule(const LocalRules& rules, std::string_view host,
                               std::string_view http_method, std::string_view url_path) {
  for (const LocalRule& rule : rules.rules) {
    if (WildcardMatch(rule.host, host) && WildcardMatch(rule.http_method, http_method) &&
        WildcardMatch(rule.url_path, url_path)) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace fluoro::sampling
