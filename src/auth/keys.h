// Making, listing, revoking keys and giving them policies. Over the repository; thread-safe as it
// is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/records.h"
#include "base/error.h"
#include "control/repository.h"

namespace fluoro::auth {

struct NewKey {
  std::string name{};                   ///< of the user; empty: the key's id
  std::string role{};                   ///< made where absent; empty: none
  std::vector<std::string> policies{};  ///< names or ARNs
  bool bearer = false;
};

struct CreatedKey {
  AccessKey key;
  std::string secret;      ///< shown once: 40 characters, or the whole bearer key "flk_..."
  bool made_role = false;  ///< the role is new, without policies
};

struct ListedKey {
  AccessKey key;
  std::int64_t created_ns = 0;
};

/// Errors: kInvalidArgument (a name that IAM would not take), kNotFound (the policy),
/// kAlreadyExists (the user's name), kTooLarge (kAccessKeysMax), those of the repository.
Result<CreatedKey> CreateKey(control::Repository& repository, std::string_view who,
                             const NewKey& wanted);
/// Oldest first. Errors: kCorruption.
Result<std::vector<ListedKey>> ListKeys(const control::Snapshot& snapshot);
/// Errors: kNotFound.
Result<void> RevokeKey(control::Repository& repository, std::string_view who, std::string_view id);
/// Twice is fine. Errors: kNotFound (key or policy), kTooLarge.
Result<void> AttachKeyPolicy(control::Repository& repository, std::string_view who,
                             std::string_view id, std::string_view policy);

/// What a name or an ARN of a managed policy or of one of our own means. The account of an ARN is
/// not compared. Errors: kNotFound.
Result<PolicyRef> FindPolicyRef(control::Transaction& transaction, std::string_view name_or_arn);

/// A role as it is made for a key.
Role NewRole(std::string_view name);

}  // namespace fluoro::auth
