#include "control/profile.h"

#include <string>

#include "control/sampling_rules.h"
#include "control/tail_policies.h"
#include "sampling/rule_json.h"

namespace fluoro::control {
namespace {

constexpr std::string_view kWho = "profile/";

std::string_view NameOf(Profile profile) {
  switch (profile) {
    case Profile::kDev:
      return "dev";
    case Profile::kProd:
      return "prod";
    case Profile::kNone:
      break;
  }
  return "none";
}

// What stands there was set by a profile, and by another text.
bool MaySet(const std::optional<Record>& record, std::string_view body) {
  return !record || (record->modified_by.starts_with(kWho) && record->body != body);
}

}  // namespace

Result<void> ApplyProfile(Repository& repository, Profile profile) {
  const sampling::Rule rule = sampling::DefaultRule(profile == Profile::kDev ? 1 : 0.05);
  JsonWriter rule_body;
  sampling::WriteRule(rule_body, rule);
  const std::string rule_text = rule_body.Take();
  const sampling::TailPolicies policies =
      profile == Profile::kProd ? sampling::BiasedTailPolicies() : sampling::TailPolicies();
  const auto change = [&](Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const auto standing_rule, transaction.Find(kSamplingRuleKind, rule.name));
    if (MaySet(standing_rule, rule_text)) FLUORO_CHECK_OK(PutSamplingRule(transaction, rule));
    FLUORO_TRY(const auto standing_policies,
               transaction.Find(kTailPoliciesKind, kTailPoliciesName));
    if (MaySet(standing_policies, sampling::PrintTailPolicies(policies)))
      FLUORO_CHECK_OK(PutTailPolicies(transaction, policies));
    return {};
  };
  return repository.Write(std::string(kWho) + std::string(NameOf(profile)), change);
}

}  // namespace fluoro::control
