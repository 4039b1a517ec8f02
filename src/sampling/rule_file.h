// The file that `fluoro whatif` and `fluoro rules` take: head rules and tail policies together.
// Form: docs/sampling.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sampling/rule.h"
#include "sampling/tail_policy.h"

namespace fluoro::sampling {

/// Each part is absent where the file does not speak of it.
struct RuleFile {
  std::optional<std::vector<Rule>> rules;
  std::optional<TailPolicies> policies;
  bool operator==(const RuleFile&) const = default;
};

/// Reads {"SamplingRules":[...],"TailPolicies":[...]}. Errors: those of ParseRules and
/// ParseTailPolicies.
Result<RuleFile> ParseRuleFile(std::string_view json);
/// The same form; parsing it gives the same.
std::string PrintRuleFile(const RuleFile& file);

/// The set that decides: `rules`, and `fallback` as the Default rule unless they hold one.
std::vector<Rule> WithDefault(std::vector<Rule> rules, const Rule& fallback);

}  // namespace fluoro::sampling
