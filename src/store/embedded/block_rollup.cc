// A block's sums by minute.
#include <algorithm>

#include "store/embedded/block.h"

namespace fluoro::store {

Result<std::shared_ptr<const RollupTable>> Block::Rollup() const {
  if (!Has(SectionType::kRollup)) return nullptr;
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kRollupPart};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const RollupTable>(known);
  const auto load = [&]() -> Result<std::shared_ptr<const RollupTable>> {
    FLUORO_TRY(const auto bytes, ReadSumsHeader(SectionType::kRollup));
    if (!bytes) return nullptr;
    FLUORO_TRY(RollupTable table, DecodeRollupTable(*bytes));
    return std::make_shared<const RollupTable>(std::move(table));
  };
  auto table = load();
  if (!table) return std::unexpected(Named(std::move(table).error().With("rollup")));
  if (*table == nullptr) return nullptr;
  cache_.Put(key, *table, (*table)->bytes());
  return table;
}

Result<std::optional<std::string>> Block::ReadSumsHeader(SectionType type) const {
  FLUORO_TRY(const auto file, OpenFile());
  for (const Section& section : meta_.sections) {
    if (section.type != type || section.column != 0) continue;
    FLUORO_TRY(std::string bytes, ReadSection(*file, section));
    return bytes;
  }
  return std::nullopt;
}

Result<std::string> Block::ReadSumsChunk(const File& file, SectionType type,
                                         std::size_t chunk) const {
  const auto section = std::ranges::find_if(meta_.sections, [&](const Section& one) {
    return one.type == type && one.column == chunk + 1;
  });
  if (section == meta_.sections.end())
    return Fail(ErrorCode::kCorruption, "a chunk of the sums is missing");
  return ReadSection(file, *section);
}

Result<void> Block::ReadSums(
    SectionType type,
    const std::function<Result<void>(std::uint32_t, std::string_view)>& use) const {
  const auto read = [&]() -> Result<void> {
    FLUORO_TRY(const auto file, OpenFile());
    for (const Section& section : meta_.sections) {
      if (section.type != type) continue;
      FLUORO_TRY(const std::string bytes, ReadSection(*file, section));
      FLUORO_CHECK_OK(use(section.column, bytes));
    }
    return {};
  };
  auto done = read();
  if (!done) return std::unexpected(Named(std::move(done).error().With("sums")));
  return {};
}

Result<rollup::Rollup> Block::RollupOf(const RollupTable& table,
                                       const rollup::RollupWindow& minutes,
                                       std::int64_t period_ns) const {
  rollup::Rollup rows(period_ns, {.series_per_period_max = kRollupSeriesMax});
  std::vector<std::uint32_t> numbers;
  const auto load = [&]() -> Result<void> {
    std::unique_ptr<File> file;
    for (std::size_t chunk = 0; chunk < table.chunks.size(); ++chunk) {
      const RollupTable::Chunk& covers = table.chunks[chunk];
      if (covers.first_minute_ns >= minutes.until_ns || covers.last_minute_ns < minutes.from_ns)
        continue;
      if (file == nullptr) {
        FLUORO_TRY(file, OpenFile());
      }
      FLUORO_TRY(const std::string bytes, ReadSumsChunk(*file, SectionType::kRollup, chunk));
      FLUORO_CHECK_OK(AddRollupChunk(bytes, table, chunk, minutes, numbers, rows));
    }
    return {};
  };
  if (auto loaded = load(); !loaded)
    return std::unexpected(Named(std::move(loaded).error().With("rollup")));
  return rows;
}

}  // namespace fluoro::store
