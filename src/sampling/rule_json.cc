#include "sampling/rule_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/utf8.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kPriorityMax = 9'999;
constexpr std::size_t kNameMax = 32;
constexpr std::size_t kAttributeMax = 32;

struct PatternMember {
  std::string_view name;
  std::string Rule::* field;
  std::size_t characters_max;
};
constexpr PatternMember kPatterns[] = {
    {"ResourceARN", &Rule::resource_arn, 500}, {"ServiceName", &Rule::service_name, 64},
    {"ServiceType", &Rule::service_type, 64},  {"Host", &Rule::host, 64},
    {"HTTPMethod", &Rule::http_method, 10},    {"URLPath", &Rule::url_path, 128},
};

std::unexpected<Error> Bad(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, where + ": " + what);
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string DoubleText(double number) { return JsonWriter().Double(number).Take(); }

Result<std::string> TakeText(JsonView value, const std::string& where) {
  const auto text = value.String();
  if (!text) return Bad(where, "a string wanted");
  return std::string(*text);
}

Result<double> TakeNumber(JsonView value, const std::string& where) {
  const auto number = value.Double();
  if (!number) return Bad(where, "a number wanted");
  return *number;
}

Result<std::int32_t> TakeInt(JsonView value, const std::string& where) {
  const auto number = value.Double();
  if (!number || std::trunc(*number) != *number ||
      std::abs(*number) > std::numeric_limits<std::int32_t>::max())
    return Bad(where, "a whole number wanted");
  return static_cast<std::int32_t>(*number);
}

Result<void> TakeAttributes(JsonView value, const std::string& where, Rule& rule) {
  if (!value.IsObject()) return Bad(where, "an object wanted");
  for (const JsonView::Member& member : value.Members()) {
    FLUORO_TRY(rule.attributes[std::string(member.key)],
               TakeText(member.value, where + "." + std::string(member.key)));
  }
  return {};
}

Result<void> TakeBoost(JsonView value, const std::string& where, Rule& rule) {
  if (!value.IsObject()) return Bad(where, "an object wanted");
  RateBoost boost;
  FLUORO_TRY(boost.max_rate, TakeNumber(value["MaxRate"], where + ".MaxRate"));
  FLUORO_TRY(boost.cooldown_minutes,
             TakeInt(value["CooldownWindowMinutes"], where + ".CooldownWindowMinutes"));
  rule.boost = boost;
  return {};
}

// False: no member of a rule.
Result<bool> TakeMember(const JsonView::Member& member, Rule& rule) {
  const std::string where(member.key);
  const JsonView value = member.value;
  for (const PatternMember& pattern : kPatterns) {
    if (member.key != pattern.name) continue;
    FLUORO_TRY(rule.*pattern.field, TakeText(value, where));
    return true;
  }
  if (member.key == "RuleName") {
    FLUORO_TRY(rule.name, TakeText(value, where));
  } else if (member.key == "Priority") {
    FLUORO_TRY(rule.priority, TakeInt(value, where));
  } else if (member.key == "FixedRate") {
    FLUORO_TRY(rule.fixed_rate, TakeNumber(value, where));
  } else if (member.key == "ReservoirSize") {
    FLUORO_TRY(rule.reservoir, TakeInt(value, where));
  } else if (member.key == "Version") {
    FLUORO_TRY(rule.version, TakeInt(value, where));
  } else if (member.key == "Attributes") {
    FLUORO_CHECK_OK(TakeAttributes(value, where, rule));
  } else if (member.key == "SamplingRateBoost") {
    FLUORO_CHECK_OK(TakeBoost(value, where, rule));
  } else if (member.key != "RuleARN") {
    return false;
  }
  return true;
}

}  // namespace

Result<void> CheckRule(const Rule& rule) {
  const std::size_t name = Characters(rule.name);
  if (name < 1 || name > kNameMax)
    return Bad("RuleName", std::to_string(name) + " characters, 1 to 32 wanted");
  const bool is_default = rule.name == kDefaultRuleName;
  if (!is_default && (rule.priority < 1 || rule.priority > kPriorityMax)) {
    return Bad("Priority", std::to_string(rule.priority) + " is not between 1 and 9999");
  }
  if (!(rule.fixed_rate >= 0 && rule.fixed_rate <= 1))
    return Bad("FixedRate", DoubleText(rule.fixed_rate) + " is not between 0 and 1");
  if (rule.reservoir < 0)
    return Bad("ReservoirSize", std::to_string(rule.reservoir) + " is negative");
  if (rule.version != 1)
    return Bad("Version", std::to_string(rule.version) + " is not 1, the only version there is");
  for (const PatternMember& pattern : kPatterns) {
    const std::size_t characters = Characters(rule.*pattern.field);
    if (characters > pattern.characters_max) {
      return Bad(std::string(pattern.name), std::to_string(characters) + " characters, at most " +
                                                std::to_string(pattern.characters_max) + " wanted");
    }
  }
  if (rule.attributes.size() > kRuleAttributesMax) {
    return Bad("Attributes", std::to_string(rule.attributes.size()) + " of them, at most " +
                                 std::to_string(kRuleAttributesMax) + " wanted");
  }
  for (const auto& [key, value] : rule.attributes) {
    for (const std::size_t characters : {Characters(key), Characters(value)}) {
      if (characters < 1 || characters > kAttributeMax)
        return Bad("Attributes." + key, "keys and values of 1 to 32 characters wanted");
    }
  }
  if (rule.boost) {
    if (is_default) return Bad("SamplingRateBoost", "the Default rule cannot have one");
    if (!(rule.boost->max_rate >= 0 && rule.boost->max_rate <= 1)) {
      return Bad("SamplingRateBoost.MaxRate",
                 DoubleText(rule.boost->max_rate) + " is not between 0 and 1");
    }
    if (rule.boost->cooldown_minutes < 0)
      return Bad("SamplingRateBoost.CooldownWindowMinutes", "negative");
  }
  if (!is_default) return {};
  const Rule plain = DefaultRule();
  for (const PatternMember& pattern : kPatterns) {
    if (rule.*pattern.field != plain.*pattern.field)
      return Bad(std::string(pattern.name), "cannot be changed for the Default rule");
  }
  if (rule.priority != plain.priority || !rule.attributes.empty())
    return Bad(rule.attributes.empty() ? "Priority" : "Attributes",
               "cannot be changed for the Default rule");
  return {};
}

Result<Rule> ParseRule(JsonView json, const RuleJsonOptions& options) {
  if (!json.IsObject()) return Fail(ErrorCode::kInvalidArgument, "an object wanted");
  Rule rule;
  std::set<std::string_view> seen;
  for (const JsonView::Member& member : json.Members()) {
    if (member.value.IsNull()) continue;
    if (!seen.insert(member.key).second) return Bad(std::string(member.key), "twice");
    FLUORO_TRY(const bool known, TakeMember(member, rule));
    if (!known && !options.lenient) return Bad(std::string(member.key), "unknown member");
  }
  for (const std::string_view name : {"RuleName", "Priority", "FixedRate", "ReservoirSize"}) {
    const bool is_fixed = name == "Priority" && rule.name == kDefaultRuleName;
    if (!seen.contains(name) && !is_fixed) return Bad(std::string(name), "missing");
  }
  FLUORO_CHECK_OK(CheckRule(rule));
  return rule;
}

Result<std::vector<Rule>> ParseRules(std::string_view json) {
  if (json.size() > kRulesBytesMax) {
    return Fail(ErrorCode::kTooLarge, "sampling rules: " + std::to_string(json.size()) +
                                          " bytes, at most " + std::to_string(kRulesBytesMax) +
                                          " are read");
  }
  if (!IsValidUtf8(json)) return Bad("sampling rules", "not UTF-8");
  const auto tree = JsonTree::Parse(json);
  if (!tree) return Bad("not JSON", tree.error().message);
  const JsonView root = tree->root();
  if (!root.IsObject()) return Bad("sampling rules", "an object wanted");
  for (const JsonView::Member& member : root.Members()) {
    if (member.key != "TailPolicies" && member.key != "SamplingRules")
      return Bad(std::string(member.key), "unknown member");
  }
  std::vector<Rule> rules;
  const JsonView list = root["SamplingRules"];
  if (!list.exists() || list.IsNull()) return rules;
  if (!list.IsArray()) return Bad("SamplingRules", "an array wanted");
  std::set<std::string> names;
  for (const JsonView value : list.Elements()) {
    const std::string where = "SamplingRules[" + std::to_string(rules.size()) + "]";
    auto rule = ParseRule(value);
    if (!rule) {
      // "SamplingRules[1].Host: ..."; what is no object has no member to name.
      rule.error().message =
          where + (value.IsObject() ? "." : ": ") + std::move(rule.error().message);
      return std::unexpected(std::move(rule).error());
    }
    if (!names.insert(rule->name).second)
      return Bad(where + ".RuleName", "'" + rule->name + "' twice");
    rules.push_back(*std::move(rule));
    if (names.size() - names.count(std::string(kDefaultRuleName)) > kRulesMax) {
      return Fail(ErrorCode::kTooLarge,
                  where + ": at most " + std::to_string(kRulesMax) + " rules beside Default");
    }
  }
  return rules;
}

void WriteRule(JsonWriter& out, const Rule& rule, std::string_view rule_arn) {
  out.BeginObject().Key("RuleName").String(rule.name);
  if (!rule_arn.empty()) out.Key("RuleARN").String(rule_arn);
  out.Key("ResourceARN").String(rule.resource_arn).Key("Priority").Int(rule.priority);
  out.Key("FixedRate").Double(rule.fixed_rate).Key("ReservoirSize").Int(rule.reservoir);
  out.Key("ServiceName").String(rule.service_name).Key("ServiceType").String(rule.service_type);
  out.Key("Host").String(rule.host).Key("HTTPMethod").String(rule.http_method);
  out.Key("URLPath").String(rule.url_path).Key("Version").Int(rule.version);
  // Always there: several SDKs pass over a rule without it.
  out.Key("Attributes").BeginObject();
  for (const auto& [key, value] : rule.attributes) out.Key(key).String(value);
  out.EndObject();
  if (rule.boost) {
    out.Key("SamplingRateBoost").BeginObject().Key("MaxRate").Double(rule.boost->max_rate);
    out.Key("CooldownWindowMinutes").Int(rule.boost->cooldown_minutes).EndObject();
  }
  out.EndObject();
}

std::string PrintRules(const std::vector<Rule>& rules) {
  JsonWriter out;
  out.BeginObject().Key("SamplingRules").BeginArray();
  for (const Rule& rule : rules) WriteRule(out, rule);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::sampling
