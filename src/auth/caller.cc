#include "auth/caller.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace fluoro::auth {

Caller::Caller(std::string arn, std::string user_id, std::string key_id,
               std::shared_ptr<const PolicySet> policies)
    : arn_(std::move(arn)),
      user_id_(std::move(user_id)),
      key_id_(std::move(key_id)),
      policies_(std::move(policies)) {}

Caller Caller::Root(std::string_view account) {
  return Caller(fmt::format("arn:aws:iam::{}:root", account), std::string(account), "", nullptr);
}

Caller Caller::UnsignedSampler(std::string_view account) {
  static const auto policies = [] {
    auto policy = Policy::Parse(
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*",
            "Action":["xray:GetSamplingRules","xray:GetSamplingTargets"]}})");
    FLUORO_ASSERT(policy.has_value());
    return std::make_shared<const PolicySet>(
        PolicySet{std::make_shared<const Policy>(*std::move(policy))});
  }();
  return Caller(fmt::format("arn:aws:iam::{}:user/unsigned", account), "", "", policies);
}

bool Caller::May(std::string_view action, std::string_view resource,
                 const ConditionValues* conditions) const {
  if (policies_ == nullptr) return true;
  bool allowed = false;
  for (const auto& policy : *policies_) {
    switch (policy->Evaluate(
        {.action = action, .resource = resource, .conditions = conditions, .principal = arn_})) {
      case Decision::kDeny:
        return false;
      case Decision::kAllow:
        allowed = true;
        break;
      case Decision::kNone:
        break;
    }
  }
  return allowed;
}

Result<void> Caller::Check(std::string_view action, std::string_view resource,
                           const ConditionValues* conditions) const {
  if (May(action, resource, conditions)) return {};
  return Fail(ErrorCode::kPermissionDenied,
              fmt::format("User: {} is not authorized to perform: {} on resource: {}", arn_, action,
                          resource));
}

}  // namespace fluoro::auth
