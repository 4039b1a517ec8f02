// Tags of groups and sampling rules, by the ARN of what they are on.
// Source: X-Ray API (TagResource, UntagResource, ListTagsForResource).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/repository.h"

namespace fluoro::control {

inline constexpr std::string_view kTagsKind = "tags";
inline constexpr std::size_t kTagsMax = 50;  ///< of one resource

using Tags = std::map<std::string, std::string>;

Tags ReadTags(const Snapshot& snapshot, std::string_view arn);
/// Adds, and replaces what has the same key. Errors: kTooLarge beyond kTagsMax; kInvalidArgument
/// for a key that begins with "aws:", or characters other than letters, digits, spaces and
/// `_.:/=+-@`.
Result<void> AddTags(Transaction& transaction, std::string_view arn, const Tags& tags);
/// Keys that are not there are passed over.
Result<void> RemoveTags(Transaction& transaction, std::string_view arn,
                        const std::vector<std::string>& keys);
/// With what they were on.
Result<void> DeleteTags(Transaction& transaction, std::string_view arn);

/// A RecordCheck.
Result<void> CheckTagsRecord(std::string_view arn, std::string_view body);

}  // namespace fluoro::control
