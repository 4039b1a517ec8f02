#include "auth/keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/digest.h"
#include "auth/managed_policies.h"

namespace fluoro::auth {
namespace {

constexpr std::string_view kBase64Text =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBearerText =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kBearerPrefix = "flk_";
constexpr std::size_t kSecretCount = 40;

std::unexpected<Error> NoSuchKey(std::string_view id) {
  return Fail(ErrorCode::kNotFound, fmt::format("no key '{}'", id));
}

Result<void> AddPolicy(std::vector<PolicyRef>& policies, PolicyRef policy) {
  if (std::ranges::find(policies, policy) != policies.end()) return {};
  if (policies.size() >= kAttachedPoliciesMax) {
    return Fail(ErrorCode::kTooLarge,
                fmt::format("at most {} policies can be attached", kAttachedPoliciesMax));
  }
  policies.push_back(std::move(policy));
  return {};
}

}  // namespace

Role NewRole(std::string_view name) {
  Role role;
  role.name = name;
  role.id = NewId("AROA", 17);
  role.trust = DefaultTrust();
  return role;
}

Result<PolicyRef> FindPolicyRef(control::Transaction& transaction, std::string_view name_or_arn) {
  if (FindManagedPolicy(name_or_arn) != nullptr) return PolicyRef(name_or_arn);
  std::string_view name = name_or_arn;
  std::string_view path;
  if (name.starts_with("arn:")) {
    const std::size_t resource = name.find(":policy/");
    if (!name.starts_with("arn:aws:iam::") || resource == std::string_view::npos)
      return Fail(ErrorCode::kNotFound, fmt::format("no policy '{}'", name_or_arn));
    path = name.substr(resource + 7);
    name = name.substr(name.rfind('/') + 1);
    path.remove_suffix(name.size());
  } else if (std::string arn = std::string(kManagedPolicyPrefix).append(name);
             FindManagedPolicy(arn) != nullptr) {
    return arn;
  }
  if (name.empty() || name.size() > control::kNameBytesMax)
    return Fail(ErrorCode::kNotFound, fmt::format("no policy '{}'", name_or_arn.substr(0, 128)));
  FLUORO_TRY(const auto record, transaction.Find(kPolicyKind, name));
  if (record) {
    FLUORO_TRY(const OwnPolicy policy, ReadOwnPolicy(record->name, record->body));
    if (path.empty() || path == policy.path) return PolicyRef("policy/" + policy.name);
  }
  std::string known;
  for (const ManagedPolicy& policy : ManagedPolicies())
    known += fmt::format("{}{}", known.empty() ? "" : ", ", policy.name);
  return Fail(ErrorCode::kNotFound,
              fmt::format("no policy '{}'; managed ones are {}", name_or_arn, known));
}

Result<CreatedKey> CreateKey(control::Repository& repository, std::string_view who,
                             const NewKey& wanted) {
  if (!wanted.name.empty() && !IsEntityName(wanted.name, 64)) {
    return Fail(ErrorCode::kInvalidArgument, "name: 1 to 64 letters, digits and _+=,.@- wanted");
  }
  if (!wanted.role.empty() && !IsEntityName(wanted.role, 64)) {
    return Fail(ErrorCode::kInvalidArgument, "role: 1 to 64 letters, digits and _+=,.@- wanted");
  }
  CreatedKey created;
  created.key.bearer = wanted.bearer;
  created.key.id = NewId(wanted.bearer ? "FLKB" : "AKIA", 16);
  created.key.user_id = NewId("AIDA", 17);
  created.key.name = wanted.name.empty() ? created.key.id : wanted.name;
  created.key.role = wanted.role;
  created.secret = wanted.bearer
                       ? std::string(kBearerPrefix) + RandomText(kBearerText, kSecretCount)
                       : RandomText(kBase64Text, kSecretCount);
  auto written = repository.Write(who, [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const auto keys, transaction.List(kAccessKeyKind));
    if (keys.size() >= kAccessKeysMax)
      return Fail(ErrorCode::kTooLarge, fmt::format("at most {} keys are kept", kAccessKeysMax));
    for (const control::Record& record : keys) {
      FLUORO_TRY(const AccessKey other, ReadAccessKey(record.name, record.body));
      if (other.name == created.key.name) {
        return Fail(ErrorCode::kAlreadyExists,
                    fmt::format("the name '{}' is taken by {}", other.name, other.id));
      }
    }
    created.key.policies.clear();
    for (const std::string& policy : wanted.policies) {
      FLUORO_TRY(PolicyRef found, FindPolicyRef(transaction, policy));
      FLUORO_CHECK_OK(AddPolicy(created.key.policies, std::move(found)));
    }
    created.made_role = false;
    if (!wanted.role.empty()) {
      FLUORO_TRY(const auto role, transaction.Find(kRoleKind, wanted.role));
      if (!role) {
        FLUORO_TRY(const auto roles, transaction.List(kRoleKind));
        if (roles.size() >= kRolesMax)
          return Fail(ErrorCode::kTooLarge, fmt::format("at most {} roles are kept", kRolesMax));
        FLUORO_CHECK_OK(transaction.Put(kRoleKind, wanted.role, ToJson(NewRole(wanted.role))));
        created.made_role = true;
      }
    }
    FLUORO_CHECK_OK(
        transaction.PutSecret(kAccessKeyKind, created.key.id, ToJson(created.key),
                              wanted.bearer ? Sha256Hex(created.secret) : created.secret));
    return {};
  });
  if (!written) return std::unexpected(std::move(written).error());
  return created;
}

Result<std::vector<ListedKey>> ListKeys(const control::Snapshot& snapshot) {
  std::vector<ListedKey> keys;
  for (const control::Record& record : snapshot.List(kAccessKeyKind)) {
    FLUORO_TRY(AccessKey key, ReadAccessKey(record.name, record.body));
    keys.push_back({std::move(key), record.created_ns});
  }
  std::ranges::stable_sort(keys, {}, &ListedKey::created_ns);
  return keys;
}

Result<void> RevokeKey(control::Repository& repository, std::string_view who, std::string_view id) {
  return repository.Write(who, [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const bool was, transaction.Delete(kAccessKeyKind, id));
    if (!was) return NoSuchKey(id);
    return {};
  });
}

Result<void> AttachKeyPolicy(control::Repository& repository, std::string_view who,
                             std::string_view id, std::string_view policy) {
  return repository.Write(who, [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const auto record, transaction.Find(kAccessKeyKind, id));
    if (!record) return NoSuchKey(id);
    FLUORO_TRY(AccessKey key, ReadAccessKey(record->name, record->body));
    FLUORO_TRY(PolicyRef found, FindPolicyRef(transaction, policy));
    FLUORO_CHECK_OK(AddPolicy(key.policies, std::move(found)));
    FLUORO_CHECK_OK(transaction.Put(kAccessKeyKind, id, ToJson(key)));
    return {};
  });
}

}  // namespace fluoro::auth
