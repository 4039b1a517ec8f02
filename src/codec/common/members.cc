#include "codec/common/members.h"

#include "codec/common/bounds.h"

namespace fluoro::codec::common {

std::unexpected<Error> Bad(JsonView at, std::string_view member, std::string_view what) {
  return Fail(ErrorCode::kCorruption, "byte " + std::to_string(at.offset()) + ": " +
                                          std::string(member) + ": " + std::string(what));
}

Result<JsonView> ReadOptional(JsonView object, std::string_view member, JsonType type) {
  const JsonView value = object[member];
  if (value.IsNull()) return JsonView();
  if (value.type() != type) {
    return Bad(value, member,
               std::string(JsonTypeName(type)) + " was expected, not " +
                   std::string(JsonTypeName(value.type())));
  }
  return value;
}

Result<std::string> ReadText(JsonView object, std::string_view member) {
  FLUORO_TRY(const JsonView value, ReadOptional(object, member, JsonType::kString));
  return std::string(value.String().value_or(""));
}

Result<std::int64_t> ReadTime(JsonView object, std::string_view member) {
  const JsonView value = object[member];
  if (value.IsNull()) return 0;
  const auto whole = value.Int();
  const auto number = value.Double();
  if (!number) return Bad(value, member, "a number of microseconds was expected");
  const auto ns = whole ? NsFromUs(*whole) : NsFromUs(*number);
  if (!ns) return Bad(value, member, "out of range");
  return *ns;
}

}  // namespace fluoro::codec::common
