// Members of JSON objects as the decoders of foreign formats read them: optional, of one type, with
// errors that name the byte and the member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json_tree.h"

namespace fluoro::codec::common {

/// "byte 12: id: missing"; the place is the value's, or the object's where a member is missing.
std::unexpected<Error> Bad(JsonView at, std::string_view member, std::string_view what);

/// The member must be absent, null or of this type; gives it where it is there.
Result<JsonView> ReadOptional(JsonView object, std::string_view member, JsonType type);
/// Text of an optional member; "" if absent or null.
Result<std::string> ReadText(JsonView object, std::string_view member);
/// Microseconds of an optional member as nanoseconds; 0 if absent or null.
Result<std::int64_t> ReadTime(JsonView object, std::string_view member);

}  // namespace fluoro::codec::common
