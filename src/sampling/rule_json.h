// Sampling rules as JSON, with the members that the X-Ray API gives them.
// Source: botocore's service model xray/2016-04-12, shape SamplingRule.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "sampling/rule.h"

namespace fluoro::sampling {

inline constexpr std::size_t kRulesMax = 25;  ///< beside Default
inline constexpr std::size_t kRuleAttributesMax = 5;
inline constexpr std::size_t kRulesBytesMax = std::size_t{1} << 20;

/// What is wrong with a rule: a member outside its bounds (lengths in characters), or a Default
/// rule that is not of its form. Errors: kInvalidArgument, "Priority: 0 is not between 1 and 9999".
Result<void> CheckRule(const Rule& rule);

/// Reads one rule and checks it. Patterns that are absent are `*`, Version is 1; other members but
/// the name are required; RuleARN is passed over, and so are members that are not known if
/// `lenient`. Errors: kInvalidArgument naming the member.
struct RuleJsonOptions {
  bool lenient = false;
};
Result<Rule> ParseRule(JsonView json, const RuleJsonOptions& options = {});
/// Reads {"SamplingRules":[...]}; a member "TailPolicies" is passed over, others are refused. At
/// most kRulesMax rules and Default, each name once. Errors: kInvalidArgument,
/// "SamplingRules[1].Host:
/// ..."; kTooLarge.
Result<std::vector<Rule>> ParseRules(std::string_view json);

/// The members of a SamplingRule, `rule_arn` unless empty.
void WriteRule(JsonWriter& out, const Rule& rule, std::string_view rule_arn = {});
/// {"SamplingRules":[...]}.
std::string PrintRules(const std::vector<Rule>& rules);

}  // namespace fluoro::sampling
