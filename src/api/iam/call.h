// One IAM or STS call: its parameters, what it may touch, and how it fails. Internal to iam.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "auth/caller.h"
#include "auth/policy.h"
#include "auth/records.h"
#include "base/clock.h"
#include "control/repository.h"

namespace fluoro::api::iam {

inline constexpr std::size_t kFormBytesMax = std::size_t{256} << 10;
inline constexpr std::size_t kParametersMax = 1'000;

struct QueryError {
  int status = 400;
  std::string code;
  std::string message;
};
template <class T>
using QueryResult = std::expected<T, QueryError>;

[[nodiscard]] std::unexpected<QueryError> Refuse(int status, std::string_view code,
                                                 std::string message);
[[nodiscard]] std::unexpected<QueryError> NoSuchEntity(std::string message);
/// What a failure of the repository becomes: 5xx, which clients repeat.
[[nodiscard]] QueryError FromError(const Error& error);

template <class T>
QueryResult<T> Lift(Result<T> result) {
  if (!result) return std::unexpected(FromError(result.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}

class Parameters {
 public:
  /// Errors: InvalidParameterValue beyond the limits.
  static QueryResult<Parameters> Parse(std::string_view form);

  [[nodiscard]] bool Has(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] std::string_view Text(std::string_view name, std::string_view fallback = {}) const;
  /// Errors: ValidationError where it is absent, empty or longer than `bytes_max`.
  [[nodiscard]] QueryResult<std::string> Wanted(std::string_view name, std::size_t bytes_max) const;
  /// A name as IAM takes it.
  [[nodiscard]] QueryResult<std::string> EntityName(std::string_view name,
                                                    std::size_t bytes_max) const;
  /// Errors: ValidationError outside of [min, max].
  [[nodiscard]] QueryResult<std::int64_t> Int(std::string_view name, std::int64_t fallback,
                                              std::int64_t min, std::int64_t max) const;
  [[nodiscard]] bool Flag(std::string_view name) const { return Text(name) == "true"; }
  /// "/" or "/a/b/". Errors: ValidationError.
  [[nodiscard]] QueryResult<std::string> Path() const;
  /// Tags.member.N.Key and .Value. Errors: ValidationError, InvalidInput for a key that is there
  /// twice.
  [[nodiscard]] QueryResult<auth::Tags> Tags() const;
  /// <name>.member.N
  [[nodiscard]] std::vector<std::string> List(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

struct Call {
  const Parameters& parameters;
  control::Repository& repository;
  const control::Snapshot& records;  ///< as of the beginning of the call
  const auth::Caller& caller;
  const Clock& clock;
  const std::string& account;
};

/// Runs `change` in one transaction of the repository; its error takes everything back.
QueryResult<void> Change(Call& call,
                         const std::function<QueryResult<void>(control::Transaction&)>& change);

/// Adds or replaces. Errors: LimitExceeded beyond auth::kTagsMax.
QueryResult<void> MergeTags(auth::Tags& tags, const auth::Tags& added);

/// Result of an action as XML inside <ActionResult>, or "" where it has none.
using Handler = QueryResult<std::string> (*)(Call& call);

/// "2026-11-23T02:48:19Z"
std::string IsoTime(std::int64_t ns);
/// Errors: MalformedPolicyDocument.
QueryResult<void> CheckDocument(std::string_view document, auth::PolicyKind kind);
/// The ARN of a policy reference.
std::string ArnOf(const Call& call, const auth::PolicyRef& ref, std::string_view path);

// Actions on roles.
QueryResult<std::string> CreateRole(Call& call);
QueryResult<std::string> GetRole(Call& call);
QueryResult<std::string> DeleteRole(Call& call);
QueryResult<std::string> ListRoles(Call& call);
QueryResult<std::string> UpdateRole(Call& call);
QueryResult<std::string> UpdateRoleDescription(Call& call);
QueryResult<std::string> UpdateAssumeRolePolicy(Call& call);
QueryResult<std::string> TagRole(Call& call);
QueryResult<std::string> UntagRole(Call& call);
QueryResult<std::string> ListRoleTags(Call& call);
QueryResult<std::string> ListRolePolicies(Call& call);
QueryResult<std::string> PutRolePolicy(Call& call);
QueryResult<std::string> GetRolePolicy(Call& call);
QueryResult<std::string> DeleteRolePolicy(Call& call);
QueryResult<std::string> AttachRolePolicy(Call& call);
QueryResult<std::string> DetachRolePolicy(Call& call);
QueryResult<std::string> ListAttachedRolePolicies(Call& call);
QueryResult<std::string> ListInstanceProfilesForRole(Call& call);
/// ARN that a call on a role is about.
std::string RoleArn(const Call& call);

// Actions on policies.
QueryResult<std::string> CreatePolicy(Call& call);
QueryResult<std::string> GetPolicy(Call& call);
QueryResult<std::string> DeletePolicy(Call& call);
QueryResult<std::string> ListPolicies(Call& call);
QueryResult<std::string> CreatePolicyVersion(Call& call);
QueryResult<std::string> GetPolicyVersion(Call& call);
QueryResult<std::string> DeletePolicyVersion(Call& call);
QueryResult<std::string> SetDefaultPolicyVersion(Call& call);
QueryResult<std::string> ListPolicyVersions(Call& call);
QueryResult<std::string> TagPolicy(Call& call);
QueryResult<std::string> UntagPolicy(Call& call);
QueryResult<std::string> ListPolicyTags(Call& call);
/// ARN that a call on a policy is about.
std::string PolicyArn(const Call& call);

}  // namespace fluoro::api::iam
