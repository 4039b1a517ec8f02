#include "sampling/rule_file.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"
#include "sampling/rule_json.h"

namespace fluoro::sampling {

Result<RuleFile> ParseRuleFile(std::string_view json) {
  FLUORO_TRY(TailPolicies policies, ParseTailPolicies(json));
  FLUORO_TRY(std::vector<Rule> rules, ParseRules(json));
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(json));
  RuleFile file;
  if (tree.root()["SamplingRules"].exists()) file.rules = std::move(rules);
  if (tree.root()["TailPolicies"].exists()) file.policies = std::move(policies);
  return file;
}

std::string PrintRuleFile(const RuleFile& file) {
  JsonWriter out;
  out.BeginObject();
  if (file.rules) {
    out.Key("SamplingRules").BeginArray();
    for (const Rule& rule : *file.rules) WriteRule(out, rule);
    out.EndArray();
  }
  if (file.policies) {
    const std::string policies = PrintTailPolicies(*file.policies);
    const std::size_t begin = policies.find('[');
    out.Key("TailPolicies")
        .Raw(std::string_view(policies).substr(begin, policies.size() - begin - 1));
  }
  out.EndObject();
  return out.Take();
}

std::vector<Rule> PutOver(std::vector<Rule> standing, const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    const auto at = std::ranges::find(standing, rule.name, &Rule::name);
    if (at == standing.end()) {
      standing.push_back(rule);
    } else {
      *at = rule;
    }
  }
  return standing;
}

}  // namespace fluoro::sampling
