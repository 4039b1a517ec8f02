// PutResourcePolicy, ListResourcePolicies, DeleteResourcePolicy.
#include <string>
#include <utility>

#include "api/xray/context.h"
#include "auth/policy.h"
#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::api::xray {
namespace {

constexpr std::string_view kKind = "resource-policy";
constexpr std::size_t kPoliciesMax = 5;
constexpr std::size_t kDocumentBytesMax = 5'120;
constexpr std::string_view kCreateOnly = "0";

ApiError Refusal(std::string type, std::string message) {
  return {.type = std::move(type), .message = std::move(message)};
}

std::string RevisionOf(const control::Record& record) { return std::to_string(record.revision); }

void AppendPolicy(JsonWriter& out, const control::Record& record) {
  out.BeginObject().Key("PolicyName").String(record.name).Key("PolicyDocument");
  const auto tree = JsonTree::Parse(record.body);
  out.String(tree ? tree->root()["PolicyDocument"].String().value_or("") : "");
  out.Key("PolicyRevisionId").String(RevisionOf(record));
  out.Key("LastUpdatedTime").Seconds(record.modified_ns).EndObject();
}

/// Would the caller be kept from ever replacing the policy?
bool LocksOut(const auth::Policy& policy, const std::string& principal) {
  return policy.Evaluate({.action = "xray:PutResourcePolicy",
                          .resource = "*",
                          .conditions = nullptr,
                          .principal = principal}) == auth::Decision::kDeny;
}

ApiResult<void> CheckDocument(const MembersView& members, const std::string& principal) {
  const std::string_view document = members.Text("PolicyDocument").value_or("");
  if (document.size() > kDocumentBytesMax) {
    return std::unexpected(Refusal("PolicySizeLimitExceededException",
                                   "The policy document has " + std::to_string(document.size()) +
                                       " bytes, at most " + std::to_string(kDocumentBytesMax) +
                                       " are allowed"));
  }
  const auto policy = auth::Policy::Parse(document, auth::PolicyKind::kResource);
  if (!policy)
    return std::unexpected(Refusal("MalformedPolicyDocumentException", policy.error().message));
  if (!members.Bool("BypassPolicyLockoutCheck").value_or(false) && LocksOut(*policy, principal)) {
    return std::unexpected(
        Refusal("LockoutPreventionException",
                "The policy would keep the caller from replacing it; BypassPolicyLockoutCheck puts "
                "it all the same"));
  }
  return {};
}

}  // namespace

ApiResult<Answer> PutResourcePolicy(Context& context, const Request& request) {
  const MembersView& members = request.members();
  if (const auto checked = CheckDocument(members, request.principal); !checked)
    return std::unexpected(checked.error());
  const std::string name(members.Text("PolicyName").value_or(""));
  const auto revision = members.Text("PolicyRevisionId");
  const std::string body = JsonWriter()
                               .BeginObject()
                               .Key("PolicyDocument")
                               .String(members.Text("PolicyDocument").value_or(""))
                               .EndObject()
                               .Take();
  std::optional<ApiError> refused;
  control::Record record;
  const auto put = [&](control::Transaction& transaction) -> Result<void> {
    const auto refuse = [&](std::string type, std::string message) {
      refused = Refusal(std::move(type), std::move(message));
      return Fail(ErrorCode::kInvalidArgument, refused->message);
    };
    FLUORO_TRY(const std::vector<control::Record> all, transaction.List(kKind));
    FLUORO_TRY(const auto standing, transaction.Find(kKind, name));
    if (!standing && all.size() >= kPoliciesMax) {
      return refuse("PolicyCountLimitExceededException",
                    "There are " + std::to_string(kPoliciesMax) +
                        " resource policies, the most there can be");
    }
    const std::string wanted(standing ? RevisionOf(*standing) : kCreateOnly);
    if (revision && *revision != wanted) {
      return refuse("InvalidPolicyRevisionIdException",
                    standing ? "The policy is at revision " + wanted
                             : "There is no policy of this name: its revision is 0");
    }
    FLUORO_TRY(record, transaction.Put(kKind, name, body));
    return {};
  };
  const auto written = context.control.Write(request.principal, put);
  if (refused) return std::unexpected(*std::move(refused));
  FLUORO_API_CHECK_OK(written);
  JsonWriter out;
  out.BeginObject().Key("ResourcePolicy");
  AppendPolicy(out, record);
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> ListResourcePolicies(Context& context, const Request& request) {
  if (request.members().Text("NextToken")) return Refuse("NextToken is not valid");
  const auto snapshot = context.control.Read();
  JsonWriter out;
  out.BeginObject().Key("ResourcePolicies").BeginArray();
  for (const control::Record& record : snapshot->List(kKind)) AppendPolicy(out, record);
  out.EndArray().EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> DeleteResourcePolicy(Context& context, const Request& request) {
  const std::string name(request.members().Text("PolicyName").value_or(""));
  const auto revision = request.members().Text("PolicyRevisionId");
  std::optional<ApiError> refused;
  const auto written = context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(const auto standing, transaction.Find(kKind, name));
        const std::string wanted(standing ? RevisionOf(*standing) : kCreateOnly);
        if (standing && revision && *revision != wanted) {
          refused =
              Refusal("InvalidPolicyRevisionIdException", "The policy is at revision " + wanted);
          return Fail(ErrorCode::kInvalidArgument, refused->message);
        }
        FLUORO_CHECK_OK(transaction.Delete(kKind, name));
        return {};
      });
  if (refused) return std::unexpected(*std::move(refused));
  FLUORO_API_CHECK_OK(written);
  return Answer{.body = "{}"};
}

}  // namespace fluoro::api::xray
