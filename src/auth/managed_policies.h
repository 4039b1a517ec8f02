// The policies that AWS manages for X-Ray, by name, as AWS publishes them. Pure.
// Source: AWS Managed Policy Reference.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fluoro::auth {

struct ManagedPolicy {
  std::string_view name;
  std::string_view id;  ///< "ANPA" and 17 characters
  std::string_view description;
  std::string_view default_version;  ///< "v2"
  std::string_view created;          ///< "2018-08-28T23:00:33Z"
  std::string_view updated;
  std::string_view document;
  [[nodiscard]] std::string Arn() const;
};

inline constexpr std::string_view kManagedPolicyPrefix = "arn:aws:iam::aws:policy/";

/// AWSXRayDaemonWriteAccess, AWSXrayCrossAccountSharingConfiguration, AWSXrayFullAccess,
/// AWSXrayReadOnlyAccess, AWSXrayWriteOnlyAccess, and AdministratorAccess for those who keep keys
/// and roles.
std::span<const ManagedPolicy> ManagedPolicies();
/// Null if there is none of that ARN. Case counts.
const ManagedPolicy* FindManagedPolicy(std::string_view arn);

}  // namespace fluoro::auth
