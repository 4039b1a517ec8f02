// Policies of our own and those that AWS manages: versions, tags, lists.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "api/iam/call.h"
#include "api/iam/xml.h"
#include "auth/managed_policies.h"
#include "base/percent.h"

namespace fluoro::api::iam {
namespace {

constexpr std::size_t kPolicyNameMax = 128;
constexpr std::size_t kDescriptionBytesMax = 1'000;
constexpr std::int64_t kPageMax = 1'000;
constexpr std::int64_t kPageDefault = 100;

/// One of AWS's, or one of ours.
struct FoundPolicy {
  const auth::ManagedPolicy* managed = nullptr;
  auth::OwnPolicy own;
  std::int64_t created_ns = 0;
};

std::unexpected<QueryError> NoSuchPolicy(std::string_view arn) {
  return NoSuchEntity(fmt::format("Policy {} was not found.", arn));
}

std::string ArnOfOwn(const Call& call, const auth::OwnPolicy& policy) {
  return ArnOf(call, "policy/" + policy.name, policy.path);
}

/// Name in an ARN of this account: "" if it is none.
std::string_view NameIn(const Call& call, std::string_view arn) {
  if (!arn.starts_with(fmt::format("arn:aws:iam::{}:policy/", call.account))) return {};
  return arn.substr(arn.rfind('/') + 1);
}

QueryResult<FoundPolicy> Find(const Call& call) {
  FLUORO_TRY(const std::string arn, call.parameters.Wanted("PolicyArn", 2'048));
  FoundPolicy found;
  found.managed = auth::FindManagedPolicy(arn);
  if (found.managed != nullptr) return found;
  const control::Record* record = call.records.Find(auth::kPolicyKind, NameIn(call, arn));
  if (record == nullptr) return NoSuchPolicy(arn);
  FLUORO_TRY(found.own, Lift(auth::ReadOwnPolicy(record->name, record->body)));
  if (ArnOfOwn(call, found.own) != arn) return NoSuchPolicy(arn);
  found.created_ns = record->created_ns;
  return found;
}

/// Changes the policy that the call names; those of AWS are not ours to change.
QueryResult<void> ChangePolicy(
    Call& call,
    const std::function<QueryResult<void>(control::Transaction&, auth::OwnPolicy&)>& change) {
  FLUORO_TRY(const std::string arn, call.parameters.Wanted("PolicyArn", 2'048));
  if (auth::FindManagedPolicy(arn) != nullptr)
    return Refuse(403, "AccessDenied", fmt::format("{} is managed by AWS.", arn));
  return Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    const std::string_view name = NameIn(call, arn);
    if (name.empty()) return NoSuchPolicy(arn);
    FLUORO_TRY(const auto record, Lift(transaction.Find(auth::kPolicyKind, name)));
    if (!record) return NoSuchPolicy(arn);
    FLUORO_TRY(auth::OwnPolicy policy, Lift(auth::ReadOwnPolicy(record->name, record->body)));
    if (ArnOfOwn(call, policy) != arn) return NoSuchPolicy(arn);
    FLUORO_CHECK_OK(change(transaction, policy));
    FLUORO_CHECK_OK(Lift(transaction.Put(auth::kPolicyKind, name, ToJson(policy))));
    return {};
  });
}

/// Roles and keys that a policy is attached to.
QueryResult<std::int64_t> AttachmentsOf(std::span<const control::Record> roles,
                                        std::span<const control::Record> keys,
                                        const auth::PolicyRef& ref) {
  std::int64_t count = 0;
  for (const control::Record& record : roles) {
    FLUORO_TRY(const auth::Role role, Lift(auth::ReadRole(record.name, record.body)));
    count += std::ranges::count(role.policies, ref);
  }
  for (const control::Record& record : keys) {
    FLUORO_TRY(const auth::AccessKey key, Lift(auth::ReadAccessKey(record.name, record.body)));
    count += std::ranges::count(key.policies, ref);
  }
  return count;
}

auth::PolicyRef RefOf(const FoundPolicy& found) {
  return found.managed != nullptr ? found.managed->Arn() : "policy/" + found.own.name;
}

void WriteTags(XmlWriter& out, const auth::Tags& tags) {
  out.Begin("Tags");
  for (const auto& [key, value] : tags)
    out.Begin("member").Text("Key", key).Text("Value", value).End();
  out.End();
}

QueryResult<void> WritePolicy(XmlWriter& out, std::string_view element, const Call& call,
                              const FoundPolicy& found) {
  FLUORO_TRY(const std::int64_t attachments,
             AttachmentsOf(call.records.List(auth::kRoleKind),
                           call.records.List(auth::kAccessKeyKind), RefOf(found)));
  out.Begin(element);
  const auto common = [&](std::string_view name, std::string_view id, std::string_view arn,
                          std::string_view path, std::string_view version,
                          std::string_view description, std::string_view created,
                          std::string_view updated) {
    out.Text("PolicyName", name).Text("PolicyId", id).Text("Arn", arn).Text("Path", path);
    out.Text("DefaultVersionId", version).Text("AttachmentCount", std::to_string(attachments));
    out.Text("PermissionsBoundaryUsageCount", "0").Text("IsAttachable", "true");
    if (!description.empty()) out.Text("Description", description);
    out.Text("CreateDate", created).Text("UpdateDate", updated);
  };
  if (found.managed != nullptr) {
    const auth::ManagedPolicy& policy = *found.managed;
    common(policy.name, policy.id, policy.Arn(), "/", policy.default_version, policy.description,
           policy.created, policy.updated);
    WriteTags(out, {});
  } else {
    const auth::OwnPolicy& policy = found.own;
    common(policy.name, policy.id, ArnOfOwn(call, policy), policy.path, policy.default_version,
           policy.description, IsoTime(found.created_ns),
           IsoTime(policy.versions.back().created_ns));
    WriteTags(out, policy.tags);
  }
  out.End();
  return {};
}

enum class WithDocument : bool { kNo, kYes };

void WriteVersion(XmlWriter& out, std::string_view element, const auth::PolicyVersion& version,
                  std::string_view default_version, WithDocument with_document) {
  out.Begin(element);
  if (with_document == WithDocument::kYes) out.Text("Document", PercentEncode(version.document));
  out.Text("VersionId", version.id);
  out.Text("IsDefaultVersion", version.id == default_version ? "true" : "false");
  out.Text("CreateDate", IsoTime(version.created_ns)).End();
}

void WriteManagedVersion(XmlWriter& out, std::string_view element,
                         const auth::ManagedPolicy& policy, WithDocument with_document) {
  out.Begin(element);
  if (with_document == WithDocument::kYes) out.Text("Document", PercentEncode(policy.document));
  out.Text("VersionId", policy.default_version).Text("IsDefaultVersion", "true");
  out.Text("CreateDate", policy.updated).End();
}

std::unexpected<QueryError> NoSuchVersion(std::string_view version) {
  return NoSuchEntity(
      fmt::format("Policy version {} does not exist or is not attachable.", version));
}

}  // namespace

std::string PolicyArn(const Call& call) {
  if (call.parameters.Has("PolicyArn")) return std::string(call.parameters.Text("PolicyArn"));
  return fmt::format("arn:aws:iam::{}:policy{}{}", call.account, call.parameters.Text("Path", "/"),
                     call.parameters.Text("PolicyName"));
}

QueryResult<std::string> CreatePolicy(Call& call) {
  FLUORO_TRY(const std::string name, call.parameters.EntityName("PolicyName", kPolicyNameMax));
  FoundPolicy made;
  made.own.name = name;
  made.own.id = auth::NewId("ANPA", 17);
  FLUORO_TRY(made.own.path, call.parameters.Path());
  made.own.description = call.parameters.Text("Description");
  if (made.own.description.size() > kDescriptionBytesMax)
    return Refuse(400, "ValidationError", "Description: at most 1000 bytes are taken");
  FLUORO_TRY(const std::string document, call.parameters.Wanted("PolicyDocument", 131'072));
  FLUORO_CHECK_OK(CheckDocument(document, auth::PolicyKind::kIdentity));
  FLUORO_TRY(made.own.tags, call.parameters.Tags());
  made.created_ns = call.clock.UnixNs();
  made.own.versions = {{"v1", document, made.created_ns}};
  made.own.default_version = "v1";
  FLUORO_CHECK_OK(Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    FLUORO_TRY(const auto policies, Lift(transaction.List(auth::kPolicyKind)));
    const auth::AnyCaseLess less;
    for (const control::Record& other : policies) {
      if (!less(other.name, name) && !less(name, other.name)) {
        return Refuse(409, "EntityAlreadyExists",
                      fmt::format("A policy called {} already exists. Duplicate names are not "
                                  "allowed.",
                                  name));
      }
    }
    if (policies.size() >= auth::kPoliciesMax) {
      return Refuse(
          409, "LimitExceeded",
          fmt::format("Cannot exceed quota for PoliciesPerAccount: {}", auth::kPoliciesMax));
    }
    FLUORO_TRY(const control::Record record,
               Lift(transaction.Put(auth::kPolicyKind, name, ToJson(made.own))));
    made.created_ns = record.created_ns;
    return {};
  }));
  XmlWriter out;
  FLUORO_CHECK_OK(WritePolicy(out, "Policy", call, made));
  return out.Take();
}

QueryResult<std::string> GetPolicy(Call& call) {
  FLUORO_TRY(const FoundPolicy found, Find(call));
  XmlWriter out;
  FLUORO_CHECK_OK(WritePolicy(out, "Policy", call, found));
  return out.Take();
}

QueryResult<std::string> DeletePolicy(Call& call) {
  FLUORO_TRY(const std::string arn, call.parameters.Wanted("PolicyArn", 2'048));
  FLUORO_TRY(const FoundPolicy found, Find(call));
  if (found.managed != nullptr)
    return Refuse(403, "AccessDenied", fmt::format("{} is managed by AWS.", arn));
  auto changed = Change(call, [&](control::Transaction& transaction) -> QueryResult<void> {
    FLUORO_TRY(const auto record, Lift(transaction.Find(auth::kPolicyKind, found.own.name)));
    if (!record) return NoSuchPolicy(arn);
    FLUORO_TRY(const auth::OwnPolicy policy, Lift(auth::ReadOwnPolicy(record->name, record->body)));
    if (policy.versions.size() > 1) {
      return Refuse(409, "DeleteConflict",
                    "This policy has more than one version. Before you delete a policy, you must "
                    "delete the policy's versions. The default version is deleted with the "
                    "policy.");
    }
    FLUORO_TRY(const auto roles, Lift(transaction.List(auth::kRoleKind)));
    FLUORO_TRY(const auto keys, Lift(transaction.List(auth::kAccessKeyKind)));
    FLUORO_TRY(const std::int64_t attachments, AttachmentsOf(roles, keys, RefOf(found)));
    if (attachments > 0)
      return Refuse(409, "DeleteConflict", "Cannot delete a policy attached to entities.");
    FLUORO_CHECK_OK(Lift(transaction.Delete(auth::kPolicyKind, found.own.name)));
    return {};
  });
  if (!changed) return std::unexpected(std::move(changed).error());
  return "";
}

QueryResult<std::string> ListPolicies(Call& call) {
  FLUORO_TRY(const std::int64_t most, call.parameters.Int("MaxItems", kPageDefault, 1, kPageMax));
  const std::string_view scope = call.parameters.Text("Scope", "All");
  if (scope != "All" && scope != "AWS" && scope != "Local")
    return Refuse(400, "ValidationError", "Scope: All, AWS or Local wanted");
  const std::string_view prefix = call.parameters.Text("PathPrefix", "/");
  const std::string_view marker = call.parameters.Text("Marker");
  const bool attached = call.parameters.Flag("OnlyAttached");
  std::vector<FoundPolicy> all;
  if (scope != "AWS") {
    for (const control::Record& record : call.records.List(auth::kPolicyKind)) {
      FLUORO_TRY(auth::OwnPolicy policy, Lift(auth::ReadOwnPolicy(record.name, record.body)));
      all.push_back({nullptr, std::move(policy), record.created_ns});
    }
  }
  if (scope != "Local") {
    for (const auth::ManagedPolicy& policy : auth::ManagedPolicies())
      all.push_back({&policy, {}, 0});
  }
  XmlWriter out;
  out.Begin("Policies");
  std::int64_t count = 0;
  std::string last;
  bool more = false;
  bool begun = marker.empty();
  for (const FoundPolicy& found : all) {
    // Names of ours come first and are in order; a marker of one that is gone ends the list.
    const std::string ref = RefOf(found);
    if (!begun) {
      begun = ref == marker;
      continue;
    }
    if (found.managed == nullptr ? !found.own.path.starts_with(prefix) : prefix != "/") continue;
    if (attached) {
      FLUORO_TRY(const std::int64_t attachments,
                 AttachmentsOf(call.records.List(auth::kRoleKind),
                               call.records.List(auth::kAccessKeyKind), ref));
      if (attachments == 0) continue;
    }
    if (count == most) {
      more = true;
      break;
    }
    ++count;
    last = ref;
    FLUORO_CHECK_OK(WritePolicy(out, "member", call, found));
  }
  out.End().Text("IsTruncated", more ? "true" : "false");
  if (more) out.Text("Marker", last);
  return out.Take();
}

QueryResult<std::string> CreatePolicyVersion(Call& call) {
  FLUORO_TRY(const std::string document, call.parameters.Wanted("PolicyDocument", 131'072));
  FLUORO_CHECK_OK(CheckDocument(document, auth::PolicyKind::kIdentity));
  XmlWriter out;
  FLUORO_CHECK_OK(
      ChangePolicy(call, [&](control::Transaction&, auth::OwnPolicy& policy) -> QueryResult<void> {
        if (policy.versions.size() >= auth::kPolicyVersionsMax) {
          return Refuse(409, "LimitExceeded",
                        "A managed policy can have up to 5 versions. Before you create a new "
                        "version, you must delete an existing version.");
        }
        policy.versions.push_back({.id = fmt::format("v{}", policy.next_version++),
                                   .document = document,
                                   .created_ns = call.clock.UnixNs()});
        if (call.parameters.Flag("SetAsDefault"))
          policy.default_version = policy.versions.back().id;
        (void)out.Take();  // of a try before
        WriteVersion(out, "PolicyVersion", policy.versions.back(), policy.default_version,
                     WithDocument::kNo);
        return {};
      }));
  return out.Take();
}

QueryResult<std::string> GetPolicyVersion(Call& call) {
  FLUORO_TRY(const std::string version, call.parameters.Wanted("VersionId", 32));
  FLUORO_TRY(const FoundPolicy found, Find(call));
  XmlWriter out;
  if (found.managed != nullptr) {
    if (version != found.managed->default_version) return NoSuchVersion(version);
    WriteManagedVersion(out, "PolicyVersion", *found.managed, WithDocument::kYes);
    return out.Take();
  }
  const auth::PolicyVersion* one = found.own.Find(version);
  if (one == nullptr) return NoSuchVersion(version);
  WriteVersion(out, "PolicyVersion", *one, found.own.default_version, WithDocument::kYes);
  return out.Take();
}

QueryResult<std::string> DeletePolicyVersion(Call& call) {
  FLUORO_TRY(const std::string version, call.parameters.Wanted("VersionId", 32));
  FLUORO_CHECK_OK(
      ChangePolicy(call, [&](control::Transaction&, auth::OwnPolicy& policy) -> QueryResult<void> {
        if (policy.Find(version) == nullptr) return NoSuchVersion(version);
        if (version == policy.default_version)
          return Refuse(409, "DeleteConflict", "Cannot delete the default version of a policy.");
        std::erase_if(policy.versions, [&](const auto& one) { return one.id == version; });
        return {};
      }));
  return "";
}

QueryResult<std::string> SetDefaultPolicyVersion(Call& call) {
  FLUORO_TRY(const std::string version, call.parameters.Wanted("VersionId", 32));
  FLUORO_CHECK_OK(
      ChangePolicy(call, [&](control::Transaction&, auth::OwnPolicy& policy) -> QueryResult<void> {
        if (policy.Find(version) == nullptr) return NoSuchVersion(version);
        policy.default_version = version;
        return {};
      }));
  return "";
}

QueryResult<std::string> ListPolicyVersions(Call& call) {
  FLUORO_TRY(const FoundPolicy found, Find(call));
  XmlWriter out;
  out.Begin("Versions");
  if (found.managed != nullptr) {
    WriteManagedVersion(out, "member", *found.managed, WithDocument::kNo);
  } else {
    for (auto one = found.own.versions.rbegin(); one != found.own.versions.rend(); ++one)
      WriteVersion(out, "member", *one, found.own.default_version, WithDocument::kNo);
  }
  return out.End().Text("IsTruncated", "false").Take();
}

QueryResult<std::string> TagPolicy(Call& call) {
  FLUORO_TRY(const auth::Tags tags, call.parameters.Tags());
  FLUORO_CHECK_OK(ChangePolicy(call, [&](control::Transaction&, auth::OwnPolicy& policy) {
    return MergeTags(policy.tags, tags);
  }));
  return "";
}

QueryResult<std::string> UntagPolicy(Call& call) {
  FLUORO_CHECK_OK(ChangePolicy(call, [&](control::Transaction&, auth::OwnPolicy& policy) {
    for (const std::string& key : call.parameters.List("TagKeys"))
      std::erase_if(policy.tags, [&key](const auto& tag) { return tag.first == key; });
    return QueryResult<void>{};
  }));
  return "";
}

QueryResult<std::string> ListPolicyTags(Call& call) {
  FLUORO_TRY(const FoundPolicy found, Find(call));
  XmlWriter out;
  WriteTags(out, found.own.tags);
  return out.Text("IsTruncated", "false").Take();
}

}  // namespace fluoro::api::iam
