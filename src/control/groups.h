// Groups as records: a name for the traces that a filter expression holds for.
// Source: X-Ray developer guide, "Configuring groups", and API (CreateGroup and its siblings);
// where they are silent: docs/api.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/place.h"
#include "control/repository.h"
#include "query/filter.h"

namespace fluoro::control {

inline constexpr std::string_view kGroupKind = "group";
inline constexpr std::size_t kGroupsMax = 25;  ///< beside Default
inline constexpr std::string_view kDefaultGroupName = "Default";

struct Group {
  std::string name;
  std::string arn;
  std::string filter = {};  ///< empty: every trace
  bool insights_enabled = false;
  bool notifications_enabled = false;
  bool operator==(const Group&) const = default;
};

/// Default first, which is there without a record, then by name.
std::vector<Group> ReadGroups(const Snapshot& snapshot, const Place& place);
/// By name or by ARN; an ARN without its unique last part names its group too.
std::optional<Group> FindGroup(const Snapshot& snapshot, const Place& place,
                               std::string_view name_or_arn);
/// For `group.name = "..."` in filter expressions. Holds the snapshot.
query::GroupLookup LookupIn(std::shared_ptr<const Snapshot> snapshot, const Place& place);

/// What is absent stays.
struct GroupUpdate {
  std::string name_or_arn;
  std::optional<std::string> filter = {};
  std::optional<bool> insights_enabled = {};
  std::optional<bool> notifications_enabled = {};
};
/// Filters must parse, and name only groups that exist and do not lead back to this one.
/// Errors: kAlreadyExists, kTooLarge (there are kGroupsMax), kInvalidArgument (name, filter,
/// notifications without insights).
Result<Group> CreateGroup(Transaction& transaction, const Place& place, const GroupUpdate& wanted);
/// Of Default only the insights can be changed. Errors: kNotFound "Group not found",
/// kInvalidArgument.
Result<Group> UpdateGroup(Transaction& transaction, const Place& place, const GroupUpdate& update);
/// Errors: kNotFound "Group not found"; kInvalidArgument for Default. Returns what was deleted.
Result<Group> DeleteGroup(Transaction& transaction, const Place& place,
                          std::string_view name_or_arn);

/// A RecordCheck.
Result<void> CheckGroupRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::control
