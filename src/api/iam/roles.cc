// Roles, their tags, inline policies and attachments.
#include <fmt/format.h>

#include <algorithm>

#include "api/iam/call.h"
#include "api/iam/xml.h"
#include "auth/keys.h"
#include "auth/managed_policies.h"
#include "auth/policy.h"
#include "base/percent.h"

namespace fluoro::api::iam {
namespace {

constexpr std::size_t kRoleNameMax = 64;
constexpr std::size_t kPolicyNameMax = 128;
constexpr std::size_t kDescriptionBytesMax = 1'000;
constexpr std::int64_t kSessionMin = 3'600;
constexpr std::int64_t kSessionMax = 43'200;
constexpr std::int64_t kPageMax = 1'000;
constexpr std::int64_t kPageDefault = 100;

struct FoundRole {
  auth::Role role;
  std::int64_t created_ns = 0;
};

std::unexpected<QueryError> NoSuchRole(std::string_view name) {
  return NoSuchEntity(fmt::format("The role with name {} cannot be found.", name));
}

QueryResult<FoundRole> Find(const Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("RoleName", kRoleNameMax));
  const control::Record* record = call.records.Find(auth::kRoleKind, name);
  if (record == nullptr) return NoSuchRole(name);
  FLUORO_TRY(auth::Role role, Lift(auth::ReadRole(record->name, record->body)));
  return FoundRole{std::move(role), record->created_ns};
}

QueryResult<auth::Role> FindIn(control::Transaction& transaction, std::string_view name) {
  FLUORO_TRY(const auto record, Lift(transaction.Find(auth::kRoleKind, name)));
  if (!record) return NoSuchRole(name);
  return Lift(auth::ReadRole(record->name, record->body));
}

/// Changes the role that the call names.
QueryResult<void> ChangeRole(
    Call& call,
    const std::function<QueryResult<void>(control::Transaction&, auth::Role&)>& change) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("RoleName", kRoleNameMax));
  return Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    FLUORO_TRY(auth::Role role, FindIn(transaction, name));
    FLUORO_CHECK_OK(change(transaction, role));
    FLUORO_CHECK_OK(Lift(transaction.Put(auth::kRoleKind, name, ToJson(role))));
    return {};
  });
}

void WriteTags(XmlWriter& out, const auth::Tags& tags) {
  out.Begin("Tags");
  for (const auto& [key, value] : tags)
    out.Begin("member").Text("Key", key).Text("Value", value).End();
  out.End();
}

std::string ArnOfRole(const Call& call, std::string_view path, std::string_view name) {
  return fmt::format("arn:aws:iam::{}:role{}{}", call.account, path, name);
}

void WriteRole(XmlWriter& out, std::string_view element, const Call& call, const FoundRole& found) {
  const auth::Role& role = found.role;
  out.Begin(element).Text("Path", role.path).Text("RoleName", role.name).Text("RoleId", role.id);
  out.Text("Arn", ArnOfRole(call, role.path, role.name));
  out.Text("CreateDate", IsoTime(found.created_ns));
  out.Text("AssumeRolePolicyDocument", PercentEncode(role.trust));
  if (!role.description.empty()) out.Text("Description", role.description);
  out.Text("MaxSessionDuration", std::to_string(role.session_s));
  if (!role.tags.empty()) WriteTags(out, role.tags);
  out.Begin("RoleLastUsed").End().End();
}

QueryResult<std::string> Description(const Call& call) {
  std::string text(call.parameters.Text("Description"));
  if (text.size() > kDescriptionBytesMax) {
    return Refuse(400, "ValidationError",
                  fmt::format("1 validation error detected: Value at 'description' failed to "
                              "satisfy constraint: Member must have length less than or equal to "
                              "{}",
                              kDescriptionBytesMax));
  }
  return text;
}

/// What PolicyArn means; it must be of this account or of AWS.
QueryResult<auth::PolicyRef> RefOf(const Call& call, control::Transaction& transaction,
                                   std::string_view arn) {
  const auto not_attachable = [arn] {
    return NoSuchEntity(fmt::format("Policy {} does not exist or is not attachable.", arn));
  };
  const bool ours = arn.starts_with(fmt::format("arn:aws:iam::{}:policy/", call.account));
  if (!ours && !arn.starts_with(auth::kManagedPolicyPrefix)) return not_attachable();
  auto ref = auth::FindPolicyRef(transaction, arn);
  if (ref) return *std::move(ref);
  if (ref.error().code != ErrorCode::kNotFound) return std::unexpected(FromError(ref.error()));
  return not_attachable();
}

std::string ListEnd(XmlWriter& out) { return out.Text("IsTruncated", "false").Take(); }

}  // namespace

std::string RoleArn(const Call& call) {
  const std::string_view name = call.parameters.Text("RoleName");
  const control::Record* record = call.records.Find(auth::kRoleKind, name);
  if (record != nullptr) {
    if (const auto role = auth::ReadRole(record->name, record->body))
      return ArnOfRole(call, role->path, name);
  }
  return ArnOfRole(call, call.parameters.Text("Path", "/"), name);
}

QueryResult<std::string> CreateRole(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("RoleName", kRoleNameMax));
  FoundRole made{auth::NewRole(name), call.clock.UnixNs()};
  FLUORO_TRY(made.role.path, call.parameters.Path());
  FLUORO_TRY(made.role.trust, call.parameters.Wanted("AssumeRolePolicyDocument", 131'072));
  FLUORO_CHECK_OK(CheckDocument(made.role.trust, auth::PolicyKind::kTrust));
  FLUORO_TRY(made.role.description, Description(call));
  FLUORO_TRY(made.role.session_s,
             call.parameters.Int("MaxSessionDuration", kSessionMin, kSessionMin, kSessionMax));
  FLUORO_TRY(made.role.tags, call.parameters.Tags());
  FLUORO_CHECK_OK(Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    FLUORO_TRY(const auto roles, Lift(transaction.List(auth::kRoleKind)));
    // Names differ by more than their case.
    const auth::AnyCaseLess less;
    for (const control::Record& other : roles) {
      if (!less(other.name, name) && !less(name, other.name))
        return Refuse(409, "EntityAlreadyExists",
                      fmt::format("Role with name {} already exists.", name));
    }
    if (roles.size() >= auth::kRolesMax)
      return Refuse(409, "LimitExceeded",
                    fmt::format("Cannot exceed quota for RolesPerAccount: {}", auth::kRolesMax));
    FLUORO_TRY(const control::Record record,
               Lift(transaction.Put(auth::kRoleKind, name, ToJson(made.role))));
    made.created_ns = record.created_ns;
    return {};
  }));
  XmlWriter out;
  WriteRole(out, "Role", call, made);
  return out.Take();
}

QueryResult<std::string> GetRole(Call& call) {
  FLUORO_TRY(const FoundRole found, Find(call));
  XmlWriter out;
  WriteRole(out, "Role", call, found);
  return out.Take();
}

QueryResult<std::string> DeleteRole(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("RoleName", kRoleNameMax));
  auto changed = Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    FLUORO_TRY(const auth::Role role, FindIn(transaction, name));
    if (!role.policies.empty()) {
      return Refuse(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.");
    }
    if (!role.inline_policies.empty())
      return Refuse(409, "DeleteConflict", "Cannot delete entity, must delete policies first.");
    FLUORO_TRY(const auto keys, Lift(transaction.List(auth::kAccessKeyKind)));
    for (const control::Record& record : keys) {
      FLUORO_TRY(const auth::AccessKey key, Lift(auth::ReadAccessKey(record.name, record.body)));
      if (key.role == name) {
        return Refuse(
            409, "DeleteConflict",
            fmt::format("Cannot delete entity, must revoke its keys first ({}).", key.id));
      }
    }
    FLUORO_CHECK_OK(Lift(transaction.Delete(auth::kRoleKind, name)));
    return {};
  });
  if (!changed) return std::unexpected(std::move(changed).error());
  return "";
}

QueryResult<std::string> ListRoles(Call& call) {
  FLUORO_TRY(const std::int64_t most, call.parameters.Int("MaxItems", kPageDefault, 1, kPageMax));
  const std::string_view prefix = call.parameters.Text("PathPrefix", "/");
  const std::string_view marker = call.parameters.Text("Marker");
  XmlWriter out;
  out.Begin("Roles");
  std::int64_t count = 0;
  std::string last;
  bool more = false;
  for (const control::Record& record : call.records.List(auth::kRoleKind)) {
    if (record.name <= marker) continue;
    FLUORO_TRY(auth::Role role, Lift(auth::ReadRole(record.name, record.body)));
    if (!role.path.starts_with(prefix)) continue;
    if (count == most) {
      more = true;
      break;
    }
    ++count;
    last = record.name;
    WriteRole(out, "member", call, {std::move(role), record.created_ns});
  }
  out.End().Text("IsTruncated", more ? "true" : "false");
  if (more) out.Text("Marker", last);
  return out.Take();
}

QueryResult<std::string> UpdateRole(Call& call) {
  FLUORO_TRY(const std::string description, Description(call));
  FLUORO_TRY(const std::int64_t session,
             call.parameters.Int("MaxSessionDuration", 0, kSessionMin, kSessionMax));
  FLUORO_CHECK_OK(ChangeRole(call, [&](control::Transaction&, auth::Role& role) {
    if (call.parameters.Has("Description")) role.description = description;
    if (session != 0) role.session_s = session;
    return QueryResult<void>{};
  }));
  return "";
}

QueryResult<std::string> UpdateRoleDescription(Call& call) {
  FLUORO_TRY(const std::string description, Description(call));
  FLUORO_TRY(FoundRole found, Find(call));
  FLUORO_CHECK_OK(ChangeRole(call, [&](control::Transaction&, auth::Role& role) {
    role.description = description;
    found.role = role;
    return QueryResult<void>{};
  }));
  XmlWriter out;
  WriteRole(out, "Role", call, found);
  return out.Take();
}

QueryResult<std::string> UpdateAssumeRolePolicy(Call& call) {
  FLUORO_TRY(const std::string document, call.parameters.Wanted("PolicyDocument", 131'072));
  FLUORO_CHECK_OK(CheckDocument(document, auth::PolicyKind::kTrust));
  FLUORO_CHECK_OK(ChangeRole(call, [&](control::Transaction&, auth::Role& role) {
    role.trust = document;
    return QueryResult<void>{};
  }));
  return "";
}

QueryResult<std::string> TagRole(Call& call) {
  FLUORO_TRY(const auth::Tags tags, call.parameters.Tags());
  FLUORO_CHECK_OK(
      ChangeRole(call, [&](control::Transaction&, auth::Role& role) -> QueryResult<void> {
        return MergeTags(role.tags, tags);
      }));
  return "";
}

QueryResult<std::string> UntagRole(Call& call) {
  FLUORO_CHECK_OK(ChangeRole(call, [&](control::Transaction&, auth::Role& role) {
    for (const std::string& key : call.parameters.List("TagKeys"))
      std::erase_if(role.tags, [&key](const auto& tag) { return tag.first == key; });
    return QueryResult<void>{};
  }));
  return "";
}

QueryResult<std::string> ListRoleTags(Call& call) {
  FLUORO_TRY(const FoundRole found, Find(call));
  XmlWriter out;
  WriteTags(out, found.role.tags);
  return ListEnd(out);
}

QueryResult<std::string> ListRolePolicies(Call& call) {
  FLUORO_TRY(const FoundRole found, Find(call));
  XmlWriter out;
  out.Begin("PolicyNames");
  for (const auto& [name, document] : found.role.inline_policies) out.Text("member", name);
  out.End();
  return ListEnd(out);
}

QueryResult<std::string> PutRolePolicy(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("PolicyName", kPolicyNameMax));
  FLUORO_TRY(const std::string document, call.parameters.Wanted("PolicyDocument", 131'072));
  FLUORO_CHECK_OK(CheckDocument(document, auth::PolicyKind::kIdentity));
  FLUORO_CHECK_OK(
      ChangeRole(call, [&](control::Transaction&, auth::Role& role) -> QueryResult<void> {
        role.inline_policies[name] = document;
        std::size_t bytes = 0;
        for (const auto& [other, text] : role.inline_policies) bytes += text.size();
        if (bytes > auth::kPolicyBytesMax) {
          return Refuse(409, "LimitExceeded",
                        fmt::format("Maximum policy size of {} bytes exceeded for role {}",
                                    auth::kPolicyBytesMax, role.name));
        }
        return {};
      }));
  return "";
}

QueryResult<std::string> GetRolePolicy(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("PolicyName", kPolicyNameMax));
  FLUORO_TRY(const FoundRole found, Find(call));
  const auto policy = found.role.inline_policies.find(name);
  if (policy == found.role.inline_policies.end())
    return NoSuchEntity(fmt::format("The role policy with name {} cannot be found.", name));
  XmlWriter out;
  out.Text("RoleName", found.role.name).Text("PolicyName", name);
  out.Text("PolicyDocument", PercentEncode(policy->second));
  return out.Take();
}

QueryResult<std::string> DeleteRolePolicy(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("PolicyName", kPolicyNameMax));
  FLUORO_CHECK_OK(
      ChangeRole(call, [&](control::Transaction&, auth::Role& role) -> QueryResult<void> {
        if (role.inline_policies.erase(name) == 0)
          return NoSuchEntity(fmt::format("The role policy with name {} cannot be found.", name));
        return {};
      }));
  return "";
}

QueryResult<std::string> AttachRolePolicy(Call& call) {
  FLUORO_TRY(const std::string arn, call.parameters.Wanted("PolicyArn", 2'048));
  FLUORO_CHECK_OK(ChangeRole(
      call, [&](control::Transaction& transaction, auth::Role& role) -> QueryResult<void> {
        FLUORO_TRY(auth::PolicyRef ref, RefOf(call, transaction, arn));
        if (std::ranges::find(role.policies, ref) != role.policies.end()) return {};
        if (role.policies.size() >= auth::kAttachedPoliciesMax) {
          return Refuse(409, "LimitExceeded",
                        fmt::format("Cannot exceed quota for PoliciesPerRole: {}",
                                    auth::kAttachedPoliciesMax));
        }
        role.policies.push_back(std::move(ref));
        return {};
      }));
  return "";
}

QueryResult<std::string> DetachRolePolicy(Call& call) {
  FLUORO_TRY(const std::string arn, call.parameters.Wanted("PolicyArn", 2'048));
  FLUORO_CHECK_OK(ChangeRole(
      call, [&](control::Transaction& transaction, auth::Role& role) -> QueryResult<void> {
        const auto ref = RefOf(call, transaction, arn);
        if (!ref || std::erase(role.policies, *ref) == 0)
          return NoSuchEntity(fmt::format("Policy {} was not found.", arn));
        return {};
      }));
  return "";
}

QueryResult<std::string> ListAttachedRolePolicies(Call& call) {
  FLUORO_TRY(const FoundRole found, Find(call));
  XmlWriter out;
  out.Begin("AttachedPolicies");
  for (const auth::PolicyRef& ref : found.role.policies) {
    std::string path = "/";
    if (ref.starts_with("policy/")) {
      const control::Record* record = call.records.Find(auth::kPolicyKind, ref.substr(7));
      if (record == nullptr) continue;
      FLUORO_TRY(const auth::OwnPolicy policy,
                 Lift(auth::ReadOwnPolicy(record->name, record->body)));
      path = policy.path;
    }
    const std::string arn = ArnOf(call, ref, path);
    out.Begin("member").Text("PolicyName", arn.substr(arn.rfind('/') + 1)).Text("PolicyArn", arn);
    out.End();
  }
  out.End();
  return ListEnd(out);
}

QueryResult<std::string> ListInstanceProfilesForRole(Call& call) {
  FLUORO_CHECK_OK(Find(call));
  XmlWriter out;
  out.Empty("InstanceProfiles");
  return ListEnd(out);
}

}  // namespace fluoro::api::iam
