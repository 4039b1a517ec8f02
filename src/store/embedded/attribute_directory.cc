#include "store/embedded/attribute_directory.h"

namespace fluoro::store {

Result<std::vector<AttributeColumnName>> DecodeAttributeDirectory(ByteReader in) {
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left()));
  std::vector<AttributeColumnName> names(count);
  for (AttributeColumnName& name : names) {
    FLUORO_TRY(const std::uint8_t owner, in.TakeU8());
    FLUORO_TRY(const std::uint8_t type, in.TakeU8());
    FLUORO_TRY(const std::uint8_t role, in.TakeU8());
    if (owner >= kAttributeOwners ||
        type > static_cast<std::uint8_t>(model::AttributeType::kKvList)) {
      return Fail(ErrorCode::kCorruption, "row group: unknown kind of attribute column");
    }
    FLUORO_TRY(name.key, in.TakeText());
    name.owner = static_cast<AttributeOwner>(owner);
    name.type = static_cast<model::AttributeType>(type);
    name.role = static_cast<model::AttributeRole>(role);
  }
  return names;
}

}  // namespace fluoro::store
