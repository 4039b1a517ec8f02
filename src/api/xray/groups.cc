// CreateGroup, GetGroup, GetGroups, UpdateGroup, DeleteGroup.
#include "control/groups.h"

#include <string>
#include <utility>
#include <vector>

#include "api/xray/context.h"
#include "api/xray/tags.h"
#include "base/json.h"
#include "control/tags.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kGroupsPage = 25;

void AppendGroup(JsonWriter& out, const control::Group& group) {
  out.BeginObject().Key("GroupName").String(group.name).Key("GroupARN").String(group.arn);
  if (!group.filter.empty()) out.Key("FilterExpression").String(group.filter);
  // Both always: what is left out, Terraform plans to change.
  out.Key("InsightsConfiguration").BeginObject();
  out.Key("InsightsEnabled").Bool(group.insights_enabled);
  out.Key("NotificationsEnabled").Bool(group.notifications_enabled).EndObject().EndObject();
}

Answer GroupAnswer(const control::Group& group) {
  JsonWriter out;
  out.BeginObject().Key("Group");
  AppendGroup(out, group);
  out.EndObject();
  return {.body = out.Take()};
}

ApiResult<std::string> NameOrArn(const MembersView& members) {
  const auto name = members.Text("GroupName");
  const auto arn = members.Text("GroupARN");
  if (name.has_value() == arn.has_value())
    return Refuse("Specify a group by either GroupName or GroupARN, but not both");
  return std::string(name ? *name : *arn);
}

control::GroupUpdate UpdateOf(const MembersView& members, std::string name_or_arn) {
  control::GroupUpdate update{.name_or_arn = std::move(name_or_arn)};
  if (const auto filter = members.Text("FilterExpression")) update.filter = *filter;
  if (const auto insights = members.Structure("InsightsConfiguration")) {
    update.insights_enabled = insights->Bool("InsightsEnabled");
    update.notifications_enabled = insights->Bool("NotificationsEnabled");
  }
  return update;
}

}  // namespace

ApiResult<Answer> CreateGroup(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const control::GroupUpdate wanted =
      UpdateOf(members, std::string(members.Text("GroupName").value_or("")));
  control::Group group;
  FLUORO_API_CHECK_OK(context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(group, control::CreateGroup(transaction, context.place, wanted));
        return control::AddTags(transaction, group.arn, TagsOf(members));
      }));
  return GroupAnswer(group);
}

ApiResult<Answer> GetGroup(Context& context, const Request& request) {
  const auto name = NameOrArn(request.members());
  if (!name) return std::unexpected(name.error());
  const auto group = control::FindGroup(*context.control.Read(), context.place, *name);
  if (!group) return Refuse("Group not found");
  return GroupAnswer(*group);
}

ApiResult<Answer> GetGroups(Context& context, const Request& request) {
  const auto list = [&] {
    std::vector<std::string> groups;
    for (const control::Group& group :
         control::ReadGroups(*context.control.Read(), context.place)) {
      JsonWriter out;
      AppendGroup(out, group);
      groups.push_back(out.Take());
    }
    return groups;
  };
  const auto page = context.pages.Get(request.members().Text("NextToken"), Fingerprint("GetGroups"),
                                      kGroupsPage, list);
  if (!page) return std::unexpected(page.error());
  JsonWriter out;
  out.BeginObject().Key("Groups").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> UpdateGroup(Context& context, const Request& request) {
  auto name = NameOrArn(request.members());
  if (!name) return std::unexpected(std::move(name).error());
  const control::GroupUpdate update = UpdateOf(request.members(), *std::move(name));
  control::Group group;
  FLUORO_API_CHECK_OK(context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(group, control::UpdateGroup(transaction, context.place, update));
        return {};
      }));
  return GroupAnswer(group);
}

ApiResult<Answer> DeleteGroup(Context& context, const Request& request) {
  const auto name = NameOrArn(request.members());
  if (!name) return std::unexpected(name.error());
  FLUORO_API_CHECK_OK(context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(const control::Group group,
                   control::DeleteGroup(transaction, context.place, *name));
        return control::DeleteTags(transaction, group.arn);
      }));
  return Answer{.body = "{}"};
}

}  // namespace fluoro::api::xray
