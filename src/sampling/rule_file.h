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

/// What decides once `rules` are put over those that stand: each is made, or replaces the one of
/// its name.
std::vector<Rule> PutOver(std::vector<Rule> standing, const std::vector<Rule>& rules);

}  // namespace fluoro::sampling
