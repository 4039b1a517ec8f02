#include "control/tail_policies.h"

#include <string>

namespace fluoro::control {

sampling::TailPolicies ReadTailPolicies(const Snapshot& snapshot) {
  const Record* record = snapshot.Find(kTailPoliciesKind, kTailPoliciesName);
  if (record == nullptr) return {};
  return sampling::ParseTailPolicies(record->body).value_or(sampling::TailPolicies());
}

Result<void> PutTailPolicies(Transaction& transaction, const sampling::TailPolicies& policies) {
  FLUORO_CHECK_OK(query::TailFilters::Compile(policies));
  FLUORO_CHECK_OK(
      transaction.Put(kTailPoliciesKind, kTailPoliciesName, sampling::PrintTailPolicies(policies)));
  return {};
}

Result<void> DeleteTailPolicy(Transaction& transaction, std::string_view name) {
  FLUORO_TRY(const auto record, transaction.Find(kTailPoliciesKind, kTailPoliciesName));
  sampling::TailPolicies policies;
  if (record) {
    FLUORO_TRY(policies, sampling::ParseTailPolicies(record->body));
  }
  const auto deleted = std::erase_if(
      policies.policies, [&](const sampling::TailPolicy& policy) { return policy.name == name; });
  if (deleted == 0)
    return Fail(ErrorCode::kNotFound, "no tail policy is named '" + std::string(name) + "'");
  return PutTailPolicies(transaction, policies);
}

Result<void> CheckTailPoliciesRecord(std::string_view name, std::string_view body) {
  if (name != kTailPoliciesName)
    return Fail(ErrorCode::kInvalidArgument, "the record of tail policies is named 'default'");
  FLUORO_TRY(sampling::TailPolicies policies, sampling::ParseTailPolicies(body));
  FLUORO_CHECK_OK(query::TailFilters::Compile(std::move(policies)));
  return {};
}

}  // namespace fluoro::control
