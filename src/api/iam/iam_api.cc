#include "api/iam/iam_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/iam/call.h"
#include "api/iam/xml.h"
#include "auth/digest.h"

namespace fluoro::api::iam {
namespace {

constexpr std::string_view kIamVersion = "2010-05-08";
constexpr std::string_view kStsVersion = "2011-06-15";
constexpr std::string_view kIamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/";
constexpr std::string_view kStsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";

QueryResult<std::string> GetCallerIdentity(Call& call) {
  XmlWriter out;
  out.Text("UserId", call.caller.user_id()).Text("Account", call.account);
  return out.Text("Arn", call.caller.arn()).Take();
}

std::string Everything(const Call& /*call*/) { return "*"; }

enum class HasResult : bool { kNo, kYes };

struct Action {
  std::string_view name;
  Handler handle;
  /// What the permission is asked for; null: everybody may.
  std::string (*resource)(const Call& call);
  HasResult has_result;
};

constexpr auto kActions = std::to_array<Action>({
    {"AttachRolePolicy", AttachRolePolicy, RoleArn, HasResult::kNo},
    {"CreatePolicy", CreatePolicy, PolicyArn, HasResult::kYes},
    {"CreatePolicyVersion", CreatePolicyVersion, PolicyArn, HasResult::kYes},
    {"CreateRole", CreateRole, RoleArn, HasResult::kYes},
    {"DeletePolicy", DeletePolicy, PolicyArn, HasResult::kNo},
    {"DeletePolicyVersion", DeletePolicyVersion, PolicyArn, HasResult::kNo},
    {"DeleteRole", DeleteRole, RoleArn, HasResult::kNo},
    {"DeleteRolePolicy", DeleteRolePolicy, RoleArn, HasResult::kNo},
    {"DetachRolePolicy", DetachRolePolicy, RoleArn, HasResult::kNo},
    {"GetCallerIdentity", GetCallerIdentity, nullptr, HasResult::kYes},
    {"GetPolicy", GetPolicy, PolicyArn, HasResult::kYes},
    {"GetPolicyVersion", GetPolicyVersion, PolicyArn, HasResult::kYes},
    {"GetRole", GetRole, RoleArn, HasResult::kYes},
    {"GetRolePolicy", GetRolePolicy, RoleArn, HasResult::kYes},
    {"ListAttachedRolePolicies", ListAttachedRolePolicies, RoleArn, HasResult::kYes},
    {"ListInstanceProfilesForRole", ListInstanceProfilesForRole, RoleArn, HasResult::kYes},
    {"ListPolicies", ListPolicies, Everything, HasResult::kYes},
    {"ListPolicyTags", ListPolicyTags, PolicyArn, HasResult::kYes},
    {"ListPolicyVersions", ListPolicyVersions, PolicyArn, HasResult::kYes},
    {"ListRolePolicies", ListRolePolicies, RoleArn, HasResult::kYes},
    {"ListRoleTags", ListRoleTags, RoleArn, HasResult::kYes},
    {"ListRoles", ListRoles, Everything, HasResult::kYes},
    {"PutRolePolicy", PutRolePolicy, RoleArn, HasResult::kNo},
    {"SetDefaultPolicyVersion", SetDefaultPolicyVersion, PolicyArn, HasResult::kNo},
    {"TagPolicy", TagPolicy, PolicyArn, HasResult::kNo},
    {"TagRole", TagRole, RoleArn, HasResult::kNo},
    {"UntagPolicy", UntagPolicy, PolicyArn, HasResult::kNo},
    {"UntagRole", UntagRole, RoleArn, HasResult::kNo},
    {"UpdateAssumeRolePolicy", UpdateAssumeRolePolicy, RoleArn, HasResult::kNo},
    {"UpdateRole", UpdateRole, RoleArn, HasResult::kYes},
    {"UpdateRoleDescription", UpdateRoleDescription, RoleArn, HasResult::kYes},
});

constexpr auto kActionNames = [] {
  std::array<std::string_view, kActions.size()> names;
  std::ranges::transform(kActions, names.begin(), &Action::name);
  return names;
}();

bool IsSts(std::string_view version, std::string_view action) {
  return version == kStsVersion || (version != kIamVersion && action == "GetCallerIdentity");
}

/// 36 characters like a UUID of version 4.
std::string RequestId() {
  std::string id = auth::RandomText("0123456789abcdef", 36);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) id[at] = '-';
  id[14] = '4';
  id[19] = '8';
  return id;
}

net::HttpResponse Xml(int status, std::string body, std::string request_id) {
  net::HttpResponse answer;
  answer.status = status;
  answer.headers["content-type"] = "text/xml";
  answer.headers["x-amzn-requestid"] = std::move(request_id);
  answer.body = std::move(body);
  return answer;
}

net::HttpResponse Error(std::string_view xmlns, const QueryError& error) {
  std::string id = RequestId();
  XmlWriter out;
  out.Begin("ErrorResponse", xmlns).Begin("Error");
  out.Text("Type", error.status < 500 ? "Sender" : "Receiver").Text("Code", error.code);
  out.Text("Message", error.message).End().Text("RequestId", id).End();
  return Xml(error.status, out.Take(), std::move(id));
}

std::string_view NamespaceOf(const Parameters& parameters) {
  return IsSts(parameters.Text("Version"), parameters.Text("Action")) ? kStsNamespace
                                                                      : kIamNamespace;
}

const Action* FindAction(const Parameters& parameters) {
  const std::string_view name = parameters.Text("Action");
  const auto* const found = std::ranges::find(kActions, name, &Action::name);
  if (found == kActions.end()) return nullptr;
  const std::string_view version = parameters.Text("Version");
  const bool sts = name == "GetCallerIdentity";
  if (!version.empty() && version != (sts ? kStsVersion : kIamVersion)) return nullptr;
  return &*found;
}

}  // namespace

IamApi::IamApi(control::Repository& repository, const Clock& clock, Metrics& metrics,
               std::string account)
    : repository_(repository), clock_(clock), metrics_(metrics), account_(std::move(account)) {}

std::span<const std::string_view> IamApi::Actions() { return kActionNames; }

net::HttpResponse IamApi::Handle(const net::HttpRequest& request, const auth::Caller& caller) {
  const auto parameters = Parameters::Parse(request.body);
  const auto count = [this](std::string_view action, int status) {
    metrics_
        .GetCounter("fluoro_iam_api_requests_total", "IAM and STS calls by action and status",
                    {{"action", std::string(action)}, {"status", std::to_string(status)}})
        .Add();
  };
  if (!parameters) {
    count("unknown", parameters.error().status);
    return Error(kIamNamespace, parameters.error());
  }
  const std::string_view xmlns = NamespaceOf(*parameters);
  const Action* action = FindAction(*parameters);
  if (action == nullptr) {
    count("unknown", 400);
    return Error(xmlns, {400, "InvalidAction",
                         fmt::format("Could not find operation {} for version {}",
                                     parameters->Text("Action").substr(0, 64),
                                     parameters->Text("Version").substr(0, 64))});
  }
  const auto records = repository_.Read();
  Call call{*parameters, repository_, *records, caller, clock_, account_};
  QueryResult<std::string> result = "";
  bool allowed = true;
  if (action->resource != nullptr) {
    if (const auto may = caller.Check(fmt::format("iam:{}", action->name), action->resource(call));
        !may) {
      allowed = false;
      result = Refuse(403, "AccessDenied", may.error().message);
    }
  }
  if (allowed) result = action->handle(call);
  count(action->name, result ? 200 : result.error().status);
  if (!result) return Error(xmlns, result.error());
  std::string id = RequestId();
  XmlWriter out;
  out.Begin(fmt::format("{}Response", action->name), xmlns);
  if (action->has_result == HasResult::kYes)
    out.Begin(fmt::format("{}Result", action->name)).Raw(*result).End();
  out.Begin("ResponseMetadata").Text("RequestId", id).End().End();
  return Xml(200, out.Take(), std::move(id));
}

net::HttpResponse ErrorAnswer(const net::HttpRequest& request, int status, std::string_view code,
                              std::string_view message) {
  const auto parameters = Parameters::Parse(request.body);
  return Error(parameters ? NamespaceOf(*parameters) : kIamNamespace,
               {status, std::string(code), std::string(message)});
}

}  // namespace fluoro::api::iam
