// A block's sums of calls by minute, and where calls can be at all.
#include <algorithm>

#include "genai/evidence.h"
#include "store/embedded/attribute_directory.h"
#include "store/embedded/block.h"

namespace fluoro::store {

Result<std::shared_ptr<const CallTable>> Block::Calls() const {
  if (!Has(SectionType::kCalls)) return nullptr;
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kCallsPart};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const CallTable>(known);
  const auto load = [&]() -> Result<std::shared_ptr<const CallTable>> {
    FLUORO_TRY(const auto bytes, ReadSumsHeader(SectionType::kCalls));
    if (!bytes) return Fail(ErrorCode::kCorruption, "the header is missing");
    FLUORO_TRY(CallTable table, DecodeCallTable(*bytes));
    return std::make_shared<const CallTable>(std::move(table));
  };
  auto table = load();
  if (!table) return std::unexpected(Named(std::move(table).error().With("calls")));
  cache_.Put(key, *table, (*table)->bytes());
  return table;
}

Result<void> Block::AddCalls(const CallTable& table, const rollup::RollupWindow& minutes,
                             rollup::CallSums& to) const {
  const auto add = [&]() -> Result<void> {
    std::unique_ptr<File> file;
    for (std::size_t chunk = 0; chunk < table.chunks.size(); ++chunk) {
      const CallTable::Chunk& covers = table.chunks[chunk];
      if (covers.first_minute_ns >= minutes.until_ns || covers.last_minute_ns < minutes.from_ns)
        continue;
      if (file == nullptr) {
        FLUORO_TRY(file, OpenFile());
      }
      FLUORO_TRY(const std::string bytes, ReadSumsChunk(*file, SectionType::kCalls, chunk));
      FLUORO_CHECK_OK(AddCallChunk(bytes, table, chunk, minutes, to));
    }
    return {};
  };
  auto added = add();
  if (!added) return std::unexpected(Named(std::move(added).error().With("calls")));
  return {};
}

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
