#include "api/xray/access.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "control/groups.h"
#include "control/tags.h"

namespace fluoro::api::xray {
namespace {

/// Everything that the request may mean: its name and its ARN could be of two.
std::vector<std::string> ResourcesOf(std::string_view operation, const MembersView& members,
                                     const control::Snapshot& records,
                                     const control::Place& place) {
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
  if (group) {
    for (const auto& text : {names.Text("GroupName"), names.Text("GroupARN")}) {
      if (!text) continue;
      // As the operation itself will find it, so that no spelling leads around a policy.
      if (const auto found = control::FindGroup(records, place, *text)) {
        resources.push_back(found->arn);
      } else {
        resources.push_back(text->starts_with("arn:")
                                ? std::string(*text)
                                : place.Arn(fmt::format("group/{}/*", *text)));
      }
    }
  } else {
    if (const auto name = names.Text("RuleName"))
      resources.push_back(place.Arn(fmt::format("sampling-rule/{}", *name)));
    if (const auto arn = names.Text("RuleARN")) resources.emplace_back(*arn);
  }
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
                            const MembersView& members, const control::Snapshot& records,
                            const control::Place& place) {
  if (caller.root()) return {};
  const std::string action = fmt::format("xray:{}", operation.name);
  const auth::ConditionValues asked = ConditionsOf(members);
  for (const std::string& resource : ResourcesOf(operation.name, members, records, place)) {
    auth::ConditionValues conditions = asked;
    const std::string_view tagged =
        resource == "*" ? members.Text("ResourceARN").value_or("") : std::string_view(resource);
    for (const auto& [key, value] : control::ReadTags(records, tagged))
      conditions["aws:ResourceTag/" + key] = {value};
    if (const auto allowed = caller.Check(action, resource, &conditions); !allowed) {
      return std::unexpected(ApiError{
          .status = 403, .type = "AccessDeniedException", .message = allowed.error().message});
    }
  }
  return {};
}

}  // namespace fluoro::api::xray
