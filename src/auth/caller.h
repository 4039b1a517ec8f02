// Who calls, and what they may do. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/policy.h"
#include "base/error.h"

namespace fluoro::auth {

/// Every policy of somebody, ready to be asked.
using PolicySet = std::vector<std::shared_ptr<const Policy>>;

/// Cheap to copy, immutable.
class Caller {
 public:
  /// The root user of the account, who may do everything: everybody while keys are off.
  static Caller Root(std::string_view account);
  /// A request without a signature that a daemon on this machine passes on for its SDKs: may read
  /// sampling rules and targets and nothing else.
  static Caller UnsignedSampler(std::string_view account);

  /// `arn`: "arn:aws:iam::123456789012:user/shop"; `user_id`: "AIDA..."; `key_id`: the key used.
  Caller(std::string arn, std::string user_id, std::string key_id,
         std::shared_ptr<const PolicySet> policies);

  [[nodiscard]] const std::string& arn() const { return arn_; }
  [[nodiscard]] const std::string& user_id() const { return user_id_; }
  [[nodiscard]] const std::string& key_id() const { return key_id_; }
  [[nodiscard]] bool root() const { return policies_ == nullptr; }

  /// Denied by none and allowed by one of the policies. `resource`: an ARN, or "*" for actions
  /// that have none.
  [[nodiscard]] bool May(std::string_view action, std::string_view resource = "*",
                         const ConditionValues* conditions = nullptr) const;
  /// Error: kPermissionDenied in AWS's words.
  [[nodiscard]] Result<void> Check(std::string_view action, std::string_view resource = "*",
                                   const ConditionValues* conditions = nullptr) const;

 private:
  std::string arn_;
  std::string user_id_;
  std::string key_id_;
  std::shared_ptr<const PolicySet> policies_;  ///< null: everything is allowed
};

}  // namespace fluoro::auth
