// IAM policy documents: parsing and evaluation. Pure.
// Source: AWS, "IAM JSON policy elements reference" and "Policy evaluation logic"; docs/auth.md
// names the part that we evaluate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::auth {

inline constexpr std::size_t kPolicyBytesMax =
    10'240;  ///< of one document, as IAM counts for roles
inline constexpr std::size_t kPolicyStatementsMax = 256;

/// `*` any run, `?` any one byte; whole text, case counts. At most pattern times text steps.
bool MatchesPattern(std::string_view pattern, std::string_view text);
/// The same for texts whose ASCII case does not count: actions.
bool MatchesPatternAnyCase(std::string_view pattern, std::string_view text);

struct AnyCaseLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

/// Values of condition keys: "aws:RequestTag/team" -> {"shop"}. Case of the keys does not count.
using ConditionValues = std::map<std::string, std::vector<std::string>, AnyCaseLess>;

/// What somebody wants to do.
struct AccessRequest {
  std::string_view action{};        ///< "xray:GetGroup"
  std::string_view resource = "*";  ///< an ARN, or "*" for actions without one
  const ConditionValues* conditions = nullptr;
  std::string_view principal{};  ///< ARN of the caller; policies of resources only
};

enum class Decision : std::uint8_t { kNone, kAllow, kDeny };

enum class PolicyKind : std::uint8_t {
  kIdentity,  ///< of a role or key: no Principal
  kResource,  ///< of a resource: Principal wanted
  kTrust,     ///< who may assume a role: Principal, no Resource
};

/// A checked document. Immutable.
class Policy {
 public:
  /// Errors: kInvalidArgument that says what is wrong and where ("statement 2: ..."), kTooLarge.
  static Result<Policy> Parse(std::string_view document, PolicyKind kind = PolicyKind::kIdentity);

  /// kDeny if any statement denies, else kAllow if any allows. A condition that we do not know
  /// never lets an Allow through and never holds a Deny back.
  [[nodiscard]] Decision Evaluate(const AccessRequest& request) const;

 private:
  struct Condition {
    enum class Operator : std::uint8_t {
      kStringEquals,
      kStringLike,
      kForAllValuesStringEquals,
      kUnknown,
    };
    Operator op = Operator::kUnknown;
    std::string key;
    std::vector<std::string> values;
  };
  struct Statement {
    bool allow = false;
    bool not_action = false;
    bool not_resource = false;
    bool not_principal = false;
    std::vector<std::string> actions;
    std::vector<std::string> resources;
    std::vector<std::string> principals;
    std::vector<Condition> conditions;
  };
  class Parser;
  static bool Applies(const Statement& statement, const AccessRequest& request, PolicyKind kind);
  static bool Holds(const Condition& condition, const AccessRequest& request, bool allow);

  PolicyKind kind_ = PolicyKind::kIdentity;
  std::vector<Statement> statements_;
};

}  // namespace fluoro::auth
