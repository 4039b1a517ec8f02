// Keys, roles and policies of our own as records of the control plane. Pure: JSON in and out.
// Bodies: docs/auth.md, "Records".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fluoro::auth {

inline constexpr std::string_view kAccessKeyKind = "access-key";  ///< by key id
inline constexpr std::string_view kRoleKind = "role";             ///< by role name
inline constexpr std::string_view kPolicyKind = "policy";         ///< by policy name

inline constexpr std::size_t kAccessKeysMax = 1'000;
inline constexpr std::size_t kRolesMax = 1'000;
inline constexpr std::size_t kPoliciesMax = 1'500;
inline constexpr std::size_t kAttachedPoliciesMax = 20;  ///< of one role or key
inline constexpr std::size_t kPolicyVersionsMax = 5;
inline constexpr std::size_t kTagsMax = 50;

using Tags = std::vector<std::pair<std::string, std::string>>;

/// A policy as keys and roles refer to it: the ARN of a managed one, or "policy/" and the name of
/// one of our own, so that the account may change.
using PolicyRef = std::string;

/// A key, which is the only key of its user. The record's secret is the secret access key, or the
/// hex SHA-256 of a bearer key.
struct AccessKey {
  std::string id;  ///< "AKIA" and 16 of [A-Z2-7]; of bearer keys "FLKB" and 16
  bool bearer = false;
  std::string name;     ///< of the user
  std::string user_id;  ///< "AIDA" and 17 of [A-Z2-7]
  std::string role;     ///< empty: none
  std::vector<PolicyRef> policies;
};

struct Role {
  std::string name;
  std::string id;  ///< "AROA" and 17
  std::string path = "/";
  std::string trust;  ///< AssumeRolePolicyDocument as it came; kept, not evaluated
  std::string description;
  std::int64_t session_s = 3'600;
  std::vector<PolicyRef> policies;
  std::map<std::string, std::string> inline_policies;  ///< name -> document as it came
  Tags tags;
};

struct PolicyVersion {
  std::string id;  ///< "v1"
  std::string document;
  std::int64_t created_ns = 0;
};

/// A policy that somebody here wrote.
struct OwnPolicy {
  std::string name;
  std::string id;  ///< "ANPA" and 17
  std::string path = "/";
  std::string description;
  std::vector<PolicyVersion> versions;  ///< oldest first; never empty
  std::string default_version;
  std::int64_t next_version = 2;
  Tags tags;
  [[nodiscard]] const PolicyVersion* Find(std::string_view version) const;
};

std::string ToJson(const AccessKey& key);
std::string ToJson(const Role& role);
std::string ToJson(const OwnPolicy& policy);

/// `name`: of the record. Errors: kCorruption naming the record and the member.
Result<AccessKey> ReadAccessKey(std::string_view name, std::string_view body);
Result<Role> ReadRole(std::string_view name, std::string_view body);
Result<OwnPolicy> ReadOwnPolicy(std::string_view name, std::string_view body);

/// RecordChecks: bodies that come from outside must be readable, and their policies sound. A key
/// that comes without its secret lets nobody in.
Result<void> CheckAccessKeyRecord(std::string_view name, std::string_view body);
Result<void> CheckRoleRecord(std::string_view name, std::string_view body);
Result<void> CheckPolicyRecord(std::string_view name, std::string_view body);

/// A new id: `prefix` and random characters of [A-Z2-7].
std::string NewId(std::string_view prefix, std::size_t random_count);
/// The trust policy of a role that nobody assumes by AWS's means.
std::string_view DefaultTrust();

/// What IAM takes as name of a role, user or policy: 1 to `most` of letters, digits and `_+=,.@-`.
bool IsEntityName(std::string_view name, std::size_t most);

}  // namespace fluoro::auth
