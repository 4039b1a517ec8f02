// Where in a block calls can be at all.
#include <algorithm>

#include "genai/evidence.h"
#include "store/embedded/attribute_directory.h"
#include "store/embedded/block.h"

namespace fluoro::store {

Result<bool> Block::GroupMayHoldCalls(const TraceTable& table, std::uint32_t group) const {
  bool may = false;
  const auto look = [&](std::span<const TraceRun>, const ColumnReader& column) -> Result<void> {
    FLUORO_TRY(const auto overflow, column(static_cast<std::uint32_t>(RowColumn::kOverflow) +
                                           static_cast<std::uint32_t>(AttributeOwner::kSpan)));
    may = !overflow.empty();
    FLUORO_TRY(const auto keys, column(static_cast<std::uint32_t>(RowColumn::kAttributeKeys)));
    if (keys.empty()) return {};
    FLUORO_TRY(const auto names, DecodeAttributeDirectory(ByteReader(keys)));
    may = may || std::ranges::any_of(names, [](const AttributeColumnName& name) {
            return name.owner == AttributeOwner::kSpan &&
                   genai::EvidenceOf(name.key) != genai::Evidence::kNone;
          });
    return {};
  };
  FLUORO_CHECK_OK(WithColumns(table, group, look));
  return may;
}

}  // namespace fluoro::store
