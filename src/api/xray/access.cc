#include "api/xray/access.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace fluoro::api::xray {
namespace {

/// Everything that the request may mean: its name and its ARN could be of two.
std::vector<std::string> ResourcesOf(std::string_view operation, const MembersView& members,
                                     const Options& options) {
  const bool group = operation == "CreateGroup" || operation == "GetGroup" ||
                     operation == "UpdateGroup" || operation == "DeleteGroup";
  MembersView names = members;
  if (operation == "CreateSamplingRule") {
    if (const auto rule = members.Structure("SamplingRule")) names = *rule;
  } else if (operation == "UpdateSamplingRule") {
    if (const auto rule = members.Structure("SamplingRuleUpdate")) names = *rule;
  } else if (!group && operation != "DeleteSamplingRule") {
    return {"*"};
  }
  std::vector<std::string> resources;
  if (const auto name = names.Text(group ? "GroupName" : "RuleName")) {
    const std::string prefix =
        fmt::format("arn:aws:xray:{}:{}:", options.region, options.account_id);
    resources.push_back(group ? fmt::format("{}group/{}/*", prefix, *name)
                              : fmt::format("{}sampling-rule/{}", prefix, *name));
  }
  if (const auto arn = names.Text(group ? "GroupARN" : "RuleARN")) resources.emplace_back(*arn);
  if (resources.empty()) resources.emplace_back("*");
  return resources;
}

auth::ConditionValues ConditionsOf(const MembersView& members) {
  auth::ConditionValues values;
  for (const MembersView& tag : members.Structures("Tags")) {
    const std::string key(tag.Text("Key").value_or(""));
    values["aws:RequestTag/" + key] = {std::string(tag.Text("Value").value_or(""))};
    values["aws:TagKeys"].push_back(key);
  }
  for (const std::string_view key : members.Texts("TagKeys"))
    values["aws:TagKeys"].emplace_back(key);
  return values;
}

}  // namespace

ApiResult<void> CheckAccess(const auth::Caller& caller, const Operation& operation,
                            const MembersView& members, const Options& options) {
  if (caller.root()) return {};
  const std::string action = fmt::format("xray:{}", operation.name);
  const auth::ConditionValues conditions = ConditionsOf(members);
  for (const std::string& resource : ResourcesOf(operation.name, members, options)) {
    if (const auto allowed = caller.Check(action, resource, &conditions); !allowed) {
      return std::unexpected(ApiError{
          .status = 403, .type = "AccessDeniedException", .message = allowed.error().message});
    }
  }
  return {};
}

}  // namespace fluoro::api::xray
