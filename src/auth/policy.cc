#include "auth/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_tree.h"

namespace fluoro::auth {
namespace {

constexpr std::size_t kNestingMax = 8;
constexpr std::size_t kValuesMax = 4'096;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

template <class Same>
bool Match(std::string_view pattern, std::string_view text, Same same) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last '*', where the search goes back to
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || same(pattern[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Variables of policies are not replaced: what they would become is unknown.
bool HasVariable(std::string_view pattern) { return pattern.find("${") != std::string_view::npos; }

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  return Match(pattern, text, [](char a, char b) { return a == b; });
}

bool MatchesPatternAnyCase(std::string_view pattern, std::string_view text) {
  return Match(pattern, text, [](char a, char b) { return Lower(a) == Lower(b); });
}

bool AnyCaseLess::operator()(std::string_view a, std::string_view b) const {
  return std::ranges::lexicographical_compare(a, b, {}, Lower, Lower);
}

class Policy::Parser {
 public:
  explicit Parser(PolicyKind kind) : kind_(kind) {}

  Result<std::vector<Statement>> Document(JsonView root) {
    if (!root.IsObject()) return Wrong("a JSON object wanted");
    FLUORO_CHECK_OK(KnownMembers(root, {"Version", "Id", "Statement"}));
    if (const JsonView version = root["Version"]; version.exists()) {
      const auto text = version.String();
      if (!text || (*text != "2012-10-17" && *text != "2008-10-17"))
        return Wrong("Version must be \"2012-10-17\" or \"2008-10-17\"");
    }
    if (const JsonView id = root["Id"]; id.exists() && !id.String())
      return Wrong("Id must be a string");
    const JsonView list = root["Statement"];
    std::vector<JsonView> elements = list.Elements();
    if (list.IsObject()) elements = {list};
    if (elements.empty()) return Wrong("Statement with at least one statement wanted");
    if (elements.size() > kPolicyStatementsMax)
      return Wrong(fmt::format("at most {} statements are taken", kPolicyStatementsMax));
    std::vector<Statement> statements;
    for (const JsonView element : elements) {
      where_ = fmt::format("statement {}: ", statements.size() + 1);
      FLUORO_TRY(Statement statement, One(element));
      const auto sid = element["Sid"].String().value_or("");
      if (!sid.empty() && std::ranges::find(sids_, sid) != sids_.end())
        return Wrong(fmt::format("Sid '{}' is there twice", sid));
      sids_.push_back(sid);
      statements.push_back(std::move(statement));
    }
    return statements;
  }

 private:
  [[nodiscard]] std::unexpected<Error> Wrong(const std::string& what) const {
    return Fail(ErrorCode::kInvalidArgument, "policy document: " + where_ + what);
  }

  [[nodiscard]] Result<void> KnownMembers(JsonView object,
                                          std::initializer_list<std::string_view> known) const {
    std::vector<std::string_view> seen;
    for (const auto& member : object.Members()) {
      if (std::ranges::find(known, member.key) == known.end())
        return Wrong(fmt::format("unknown element '{}'", member.key.substr(0, 64)));
      if (std::ranges::find(seen, member.key) != seen.end())
        return Wrong(fmt::format("'{}' is there twice", member.key));
      seen.push_back(member.key);
    }
    return {};
  }

  [[nodiscard]] Result<Statement> One(JsonView json) const {
    if (!json.IsObject()) return Wrong("a JSON object wanted");
    FLUORO_CHECK_OK(KnownMembers(json, {"Sid", "Effect", "Principal", "NotPrincipal", "Action",
                                        "NotAction", "Resource", "NotResource", "Condition"}));
    Statement statement;
    if (const JsonView sid = json["Sid"]; sid.exists() && !sid.String())
      return Wrong("Sid must be a string");
    const auto effect = json["Effect"].String();
    if (!effect || (*effect != "Allow" && *effect != "Deny"))
      return Wrong("Effect must be \"Allow\" or \"Deny\"");
    statement.allow = *effect == "Allow";
    FLUORO_TRY(statement.not_action, Either(json, "Action", "NotAction", statement.actions));
    for (const std::string& action : statement.actions) {
      const std::size_t colon = action.find(':');
      if (action != "*" && (colon == 0 || colon == std::string::npos || colon + 1 == action.size()))
        return Wrong(
            fmt::format("Action '{}' must be like xray:GetGroup or *", action.substr(0, 64)));
    }
    const bool resource = json["Resource"].exists() || json["NotResource"].exists();
    if (kind_ == PolicyKind::kTrust) {
      if (resource) return Wrong("a trust policy has no Resource");
      statement.resources = {"*"};
    } else {
      FLUORO_TRY(statement.not_resource,
                 Either(json, "Resource", "NotResource", statement.resources));
      for (const std::string& one : statement.resources) {
        if (one != "*" && !one.starts_with("arn:"))
          return Wrong(fmt::format("Resource '{}' must be an ARN or *", one.substr(0, 64)));
      }
    }
    FLUORO_CHECK_OK(Principals(json, statement));
    FLUORO_CHECK_OK(Conditions(json["Condition"], statement.conditions));
    return statement;
  }

  /// Which of the two is there: true for the second.
  [[nodiscard]] Result<bool> Either(JsonView json, std::string_view name, std::string_view not_name,
                                    std::vector<std::string>& texts) const {
    const bool plain = json[name].exists();
    const bool negated = json[not_name].exists();
    if (plain == negated) return Wrong(fmt::format("one of {} and {} wanted", name, not_name));
    FLUORO_TRY(texts, Texts(negated ? json[not_name] : json[name], negated ? not_name : name));
    return negated;
  }

  /// A string, or an array of strings with at least one.
  [[nodiscard]] Result<std::vector<std::string>> Texts(JsonView json, std::string_view name) const {
    std::vector<std::string> texts;
    std::vector<JsonView> elements = json.Elements();
    if (json.type() == JsonType::kString) elements = {json};
    for (const JsonView element : elements) {
      const auto text = element.String();
      if (!text || text->empty()) return Wrong(fmt::format("{} must hold strings", name));
      texts.emplace_back(*text);
    }
    if (texts.empty()) return Wrong(fmt::format("{} must be a string or a list of strings", name));
    return texts;
  }

  [[nodiscard]] Result<void> Principals(JsonView json, Statement& statement) const {
    const JsonView plain = json["Principal"];
    const JsonView negated = json["NotPrincipal"];
    if (kind_ == PolicyKind::kIdentity) {
      if (plain.exists() || negated.exists())
        return Wrong("a policy of a role or key has no Principal");
      return {};
    }
    if (plain.exists() == negated.exists())
      return Wrong("one of Principal and NotPrincipal wanted");
    statement.not_principal = negated.exists();
    const JsonView principal = negated.exists() ? negated : plain;
    if (const auto text = principal.String()) {
      if (*text != "*") return Wrong("Principal must be \"*\" or an object");
      statement.principals = {"*"};
      return {};
    }
    if (!principal.IsObject() || principal.Members().empty())
      return Wrong("Principal must be \"*\" or an object");
    for (const auto& member : principal.Members()) {
      static constexpr auto kKinds =
          std::to_array<std::string_view>({"AWS", "Service", "Federated", "CanonicalUser"});
      if (std::ranges::find(kKinds, member.key) == kKinds.end())
        return Wrong(fmt::format("unknown kind of Principal '{}'", member.key.substr(0, 64)));
      FLUORO_TRY(const auto texts, Texts(member.value, "Principal"));
      // Services and federations never call us, so that their names match nobody.
      if (member.key == "AWS")
        statement.principals.insert(statement.principals.end(), texts.begin(), texts.end());
    }
    return {};
  }

  [[nodiscard]] Result<void> Conditions(JsonView json, std::vector<Condition>& conditions) const {
    if (!json.exists()) return {};
    if (!json.IsObject()) return Wrong("Condition must be an object");
    for (const auto& [name, keys] : json.Members()) {
      if (!keys.IsObject())
        return Wrong(fmt::format("Condition '{}' must be an object", name.substr(0, 64)));
      for (const auto& [key, values] : keys.Members()) {
        Condition condition;
        using enum Condition::Operator;
        condition.op = name == "StringEquals"                ? kStringEquals
                       : name == "StringLike"                ? kStringLike
                       : name == "ForAllValues:StringEquals" ? kForAllValuesStringEquals
                                                             : kUnknown;
        condition.key = key;
        if (condition.op != kUnknown) {
          FLUORO_TRY(condition.values, Texts(values, "Condition"));
        }
        conditions.push_back(std::move(condition));
      }
    }
    return {};
  }

  const PolicyKind kind_;
  std::string where_;
  std::vector<std::string_view> sids_;
};

Result<Policy> Policy::Parse(std::string_view document, PolicyKind kind) {
  if (document.size() > kPolicyBytesMax) {
    return Fail(ErrorCode::kTooLarge, fmt::format("policy document: {} bytes, at most {} are taken",
                                                  document.size(), kPolicyBytesMax));
  }
  const auto tree = JsonTree::Parse(document, {.depth_max = kNestingMax, .values_max = kValuesMax});
  if (!tree) {
    return Fail(ErrorCode::kInvalidArgument, "policy document: " + tree.error().message);
  }
  Policy policy;
  policy.kind_ = kind;
  FLUORO_TRY(policy.statements_, Parser(kind).Document(tree->root()));
  return policy;
}

bool Policy::Holds(const Condition& condition, const AccessRequest& request, bool allow) {
  using enum Condition::Operator;
  if (condition.op == kUnknown || std::ranges::any_of(condition.values, HasVariable)) return !allow;
  const std::vector<std::string>* values = nullptr;
  if (request.conditions != nullptr) {
    if (const auto found = request.conditions->find(condition.key);
        found != request.conditions->end())
      values = &found->second;
  }
  const auto wanted = [&condition](const std::string& value) {
    return std::ranges::any_of(condition.values, [&](const std::string& one) {
      return condition.op == kStringLike ? MatchesPattern(one, value) : one == value;
    });
  };
  if (condition.op == kForAllValuesStringEquals)
    return values == nullptr || std::ranges::all_of(*values, wanted);
  return values != nullptr && values->size() == 1 && wanted(values->front());
}

bool Policy::Applies(const Statement& statement, const AccessRequest& request, PolicyKind kind) {
  const bool action = std::ranges::any_of(statement.actions, [&](const std::string& pattern) {
    return MatchesPatternAnyCase(pattern, request.action);
  });
  if (action == statement.not_action) return false;

  bool unknown = false;
  const auto matches = [&](const std::string& pattern, std::string_view text) {
    if (HasVariable(pattern)) unknown = true;
    return MatchesPattern(pattern, text);
  };
  const bool resource = std::ranges::any_of(statement.resources, [&](const std::string& pattern) {
    return matches(pattern, request.resource);
  });
  if (unknown && !resource) {
    if (statement.allow) return false;
  } else if (resource == statement.not_resource) {
    return false;
  }
  if (kind != PolicyKind::kIdentity) {
    const bool principal = std::ranges::any_of(statement.principals, [&](const std::string& one) {
      if (one == "*" || one == request.principal) return true;
      // "123456789012" and its root stand for everybody in the account.
      const std::string_view account = one.ends_with(":root") && one.starts_with("arn:aws:iam::")
                                           ? std::string_view(one).substr(13, one.size() - 18)
                                           : std::string_view(one);
      return account.size() == 12 &&
             request.principal.starts_with(fmt::format("arn:aws:iam::{}:", account));
    });
    if (principal == statement.not_principal) return false;
  }
  return std::ranges::all_of(statement.conditions, [&](const Condition& condition) {
    return Holds(condition, request, statement.allow);
  });
}

Decision Policy::Evaluate(const AccessRequest& request) const {
  Decision decision = Decision::kNone;
  for (const Statement& statement : statements_) {
    if (!Applies(statement, request, kind_)) continue;
    if (!statement.allow) return Decision::kDeny;
    decision = Decision::kAllow;
  }
  return decision;
}

}  // namespace fluoro::auth
