#include "control/groups.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/rng.h"

namespace fluoro::control {
namespace {

// 256 bits in base32, as the last part of the ARNs of AWS.
constexpr std::size_t kUniqueCharacters = 52;
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string UniquePart() {
  std::string text;
  while (text.size() < kUniqueCharacters) {
    std::uint64_t random = RandomSeed();
    for (int i = 0; i < 12 && text.size() < kUniqueCharacters; ++i, random >>= 5U)
      text += kBase32[random & 31U];
  }
  return text;
}

Group DefaultGroup(const Place& place) {
  return {.name = std::string(kDefaultGroupName), .arn = place.Arn("group/Default")};
}

Result<Group> Parse(std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  const JsonView root = tree.root();
  const JsonView insights = root["InsightsConfiguration"];
  const auto name = root["GroupName"].String();
  const auto arn = root["GroupARN"].String();
  if (!name || !arn)
    return Fail(ErrorCode::kInvalidArgument, "GroupName and GroupARN: strings wanted");
  return Group{.name = std::string(*name),
               .arn = std::string(*arn),
               .filter = std::string(root["FilterExpression"].String().value_or("")),
               .insights_enabled = insights["InsightsEnabled"].Bool().value_or(false),
               .notifications_enabled = insights["NotificationsEnabled"].Bool().value_or(false)};
}

std::string Print(const Group& group) {
  JsonWriter out;
  out.BeginObject().Key("GroupName").String(group.name).Key("GroupARN").String(group.arn);
  out.Key("FilterExpression").String(group.filter);
  out.Key("InsightsConfiguration").BeginObject();
  out.Key("InsightsEnabled").Bool(group.insights_enabled);
  out.Key("NotificationsEnabled").Bool(group.notifications_enabled).EndObject().EndObject();
  return out.Take();
}

std::vector<Group> GroupsOf(std::span<const Record> records, const Place& place) {
  std::vector<Group> groups{DefaultGroup(place)};
  for (const Record& record : records) {
    auto group = Parse(record.body);
    if (!group) continue;
    if (group->name == kDefaultGroupName) {
      group->arn = groups.front().arn;
      groups.front() = *std::move(group);
    } else {
      groups.push_back(*std::move(group));
    }
  }
  return groups;
}

const Group* Find(const std::vector<Group>& groups, std::string_view name_or_arn) {
  for (const Group& group : groups) {
    if (name_or_arn == group.name || name_or_arn == group.arn) return &group;
    const std::size_t unique = group.arn.rfind('/');
    if (group.name != kDefaultGroupName &&
        name_or_arn == std::string_view(group.arn).substr(0, unique))
      return &group;
  }
  return nullptr;
}

query::GroupLookup Lookup(std::vector<Group> groups) {
  return [groups = std::move(groups)](std::string_view name) -> std::optional<std::string> {
    const Group* group = Find(groups, name);
    if (group == nullptr) return std::nullopt;
    return group->filter;
  };
}

Result<void> CheckMembers(const Group& group) {
  static const RE2 kName("[A-Za-z0-9-]{1,32}");
  if (!RE2::FullMatch(group.name, kName)) {
    return Fail(ErrorCode::kInvalidArgument,
                "GroupName: 1 to 32 letters, digits and hyphens are allowed");
  }
  if (group.notifications_enabled && !group.insights_enabled) {
    return Fail(ErrorCode::kInvalidArgument, "NotificationsEnabled needs InsightsEnabled");
  }
  return {};
}

// `groups`: as they will stand, this one included.
Result<void> Check(const Group& group, const std::vector<Group>& groups) {
  FLUORO_CHECK_OK(CheckMembers(group));
  const query::Filter::Options options{.case_insensitive_strings = false, .groups = Lookup(groups)};
  FLUORO_CHECK_OK(query::Filter::Parse(group.filter, options));
  // A filter that leads back to this group does so through the others.
  FLUORO_CHECK_OK(query::Filter::Parse("group.name = \"" + group.name + "\"", options));
  return {};
}

std::unexpected<Error> Unknown() { return Fail(ErrorCode::kNotFound, "Group not found"); }

Result<std::vector<Group>> All(Transaction& transaction, const Place& place) {
  FLUORO_TRY(const std::vector<Record> records, transaction.List(kGroupKind));
  return GroupsOf(records, place);
}

}  // namespace

std::vector<Group> ReadGroups(const Snapshot& snapshot, const Place& place) {
  return GroupsOf(snapshot.List(kGroupKind), place);
}

std::optional<Group> FindGroup(const Snapshot& snapshot, const Place& place,
                               std::string_view name_or_arn) {
  const std::vector<Group> groups = ReadGroups(snapshot, place);
  const Group* group = Find(groups, name_or_arn);
  return group == nullptr ? std::nullopt : std::optional(*group);
}

query::GroupLookup LookupIn(std::shared_ptr<const Snapshot> snapshot, const Place& place) {
  return [snapshot = std::move(snapshot), place](std::string_view name) {
    const std::optional<Group> group = FindGroup(*snapshot, place, name);
    return group ? std::optional(group->filter) : std::nullopt;
  };
}

Result<Group> CreateGroup(Transaction& transaction, const Place& place, const GroupUpdate& wanted) {
  FLUORO_TRY(std::vector<Group> groups, All(transaction, place));
  if (Find(groups, wanted.name_or_arn) != nullptr)
    return Fail(ErrorCode::kAlreadyExists, "Group name already exists");
  if (groups.size() > kGroupsMax) {
    return Fail(ErrorCode::kTooLarge, "There are " + std::to_string(kGroupsMax) +
                                          " groups beside Default, the most there can be");
  }
  Group group{.name = wanted.name_or_arn,
              .arn = place.Arn("group/" + wanted.name_or_arn + "/" + UniquePart()),
              .filter = wanted.filter.value_or(""),
              .insights_enabled = wanted.insights_enabled.value_or(false),
              .notifications_enabled = wanted.notifications_enabled.value_or(false)};
  groups.push_back(group);
  FLUORO_CHECK_OK(Check(group, groups));
  FLUORO_CHECK_OK(transaction.Put(kGroupKind, group.name, Print(group)));
  return group;
}

Result<Group> UpdateGroup(Transaction& transaction, const Place& place, const GroupUpdate& update) {
  FLUORO_TRY(std::vector<Group> groups, All(transaction, place));
  const Group* found = Find(groups, update.name_or_arn);
  if (found == nullptr) return Unknown();
  Group& group = groups[static_cast<std::size_t>(found - groups.data())];
  if (update.filter && *update.filter != group.filter) {
    if (group.name == kDefaultGroupName)
      return Fail(ErrorCode::kInvalidArgument, "The Default group has no filter expression");
    group.filter = *update.filter;
  }
  if (update.insights_enabled) group.insights_enabled = *update.insights_enabled;
  if (update.notifications_enabled) group.notifications_enabled = *update.notifications_enabled;
  FLUORO_CHECK_OK(Check(group, groups));
  FLUORO_CHECK_OK(transaction.Put(kGroupKind, group.name, Print(group)));
  return group;
}

Result<Group> DeleteGroup(Transaction& transaction, const Place& place,
                          std::string_view name_or_arn) {
  FLUORO_TRY(const std::vector<Group> groups, All(transaction, place));
  const Group* found = Find(groups, name_or_arn);
  if (found == nullptr) return Unknown();
  if (found->name == kDefaultGroupName)
    return Fail(ErrorCode::kInvalidArgument, "The Default group cannot be deleted");
  FLUORO_CHECK_OK(transaction.Delete(kGroupKind, found->name));
  return *found;
}

Result<void> CheckGroupRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const Group group, Parse(body));
  if (group.name != name)
    return Fail(ErrorCode::kInvalidArgument, "GroupName is not the name of the record");
  FLUORO_CHECK_OK(CheckMembers(group));
  // Groups that it names may come with it.
  const query::Filter::Options options{
      .case_insensitive_strings = false,
      .groups = [](std::string_view) { return std::optional<std::string>(""); }};
  FLUORO_CHECK_OK(query::Filter::Parse(group.filter, options));
  return {};
}

}  // namespace fluoro::control
