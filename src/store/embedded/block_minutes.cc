// A block's sums by minute: of its traces' graph and of their calls.
#include <algorithm>

#include "store/embedded/block.h"

namespace fluoro::store {

struct Block::SumsKind {
  SectionType type;
  std::uint32_t cache_part;
  const char* name;                // in errors
  std::uint32_t first_column = 0;  // of the header
};
const Block::SumsKind Block::kRollupSums = {SectionType::kRollup, BlockCache::kRollupPart,
                                            "rollup"};
const Block::SumsKind Block::kCallSums = {SectionType::kCalls, BlockCache::kCallsPart, "calls"};

Block::SumsKind Block::CallHourSums(std::uint8_t facet) {
  return {SectionType::kCallHours, BlockCache::kCallHoursPart + facet, "calls by hour",
          CallPart(facet, 0)};
}

template <class Sums>
Result<std::shared_ptr<const MinuteTable<Sums>>> Block::ReadTable(const SumsKind& kind) const {
  using Table = MinuteTable<Sums>;
  if (!Has(kind.type)) return nullptr;
  const BlockCache::Key key{.block = meta_.id, .part = kind.cache_part};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const Table>(known);
  const auto load = [&]() -> Result<std::shared_ptr<const Table>> {
    FLUORO_TRY(const auto bytes, ReadSumsHeader(kind));
    if (!bytes) return nullptr;
    FLUORO_TRY(Table table, DecodeMinuteTable<Sums>(*bytes));
    return std::make_shared<const Table>(std::move(table));
  };
  auto table = load();
  if (!table) return std::unexpected(Named(std::move(table).error().With(kind.name)));
  if (*table != nullptr) cache_.Put(key, *table, (*table)->bytes());
  return table;
}

template <class Sums>
Result<void> Block::AddMinutes(const SumsKind& kind, const MinuteTable<Sums>& table,
                               const rollup::RollupWindow& minutes, Sums& to) const {
  const auto add = [&]() -> Result<void> {
    std::unique_ptr<File> file;
    std::vector<std::uint32_t> numbers;
    for (std::size_t chunk = 0; chunk < table.chunks.size(); ++chunk) {
      const MinuteChunk& covers = table.chunks[chunk];
      if (covers.first_minute_ns >= minutes.until_ns || covers.last_minute_ns < minutes.from_ns)
        continue;
      if (file == nullptr) {
        FLUORO_TRY(file, OpenFile());
      }
      FLUORO_TRY(const std::string bytes, ReadSumsChunk(*file, kind, chunk));
      FLUORO_CHECK_OK(AddMinuteChunk(bytes, table, chunk, minutes, numbers, to));
    }
    return {};
  };
  auto added = add();
  if (!added) return std::unexpected(Named(std::move(added).error().With(kind.name)));
  return {};
}

Result<std::shared_ptr<const RollupTable>> Block::Rollup() const {
  return ReadTable<rollup::Rollup>(kRollupSums);
}

Result<rollup::Rollup> Block::RollupOf(const RollupTable& table,
                                       const rollup::RollupWindow& minutes,
                                       std::int64_t period_ns) const {
  rollup::Rollup rows(period_ns, {.series_per_period_max = kMinuteSeriesMax});
  FLUORO_CHECK_OK(AddMinutes(kRollupSums, table, minutes, rows));
  return rows;
}

Result<std::shared_ptr<const CallTable>> Block::Calls() const {
  FLUORO_TRY(auto table, ReadTable<rollup::CallSums>(kCallSums));
  // Chunks alone are what a merge left that found none in one of its inputs.
  if (table == nullptr && meta_.calls_summed && Has(SectionType::kCalls))
    return std::unexpected(Named(Error{ErrorCode::kCorruption, "calls: the header is missing"}));
  return table;
}

Result<void> Block::AddCalls(const CallTable& table, const rollup::RollupWindow& minutes,
                             rollup::CallSums& to) const {
  return AddMinutes(kCallSums, table, minutes, to);
}

Result<std::shared_ptr<const CallTable>> Block::CallHours(std::uint8_t facet) const {
  return ReadTable<rollup::CallSums>(CallHourSums(facet));
}

Result<void> Block::AddCallHours(std::uint8_t facet, const CallTable& table,
                                 const rollup::RollupWindow& hours, rollup::CallSums& to) const {
  return AddMinutes(CallHourSums(facet), table, hours, to);
}

Result<std::optional<std::string>> Block::ReadSumsHeader(const SumsKind& kind) const {
  FLUORO_TRY(const auto file, OpenFile());
  for (const Section& section : meta_.sections) {
    if (section.type != kind.type || section.column != kind.first_column) continue;
    FLUORO_TRY(std::string bytes, ReadSection(*file, section));
    return bytes;
  }
  return std::nullopt;
}

Result<std::string> Block::ReadSumsChunk(const File& file, const SumsKind& kind,
                                         std::size_t chunk) const {
  const auto section = std::ranges::find_if(meta_.sections, [&](const Section& one) {
    return one.type == kind.type && one.column == kind.first_column + chunk + 1;
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

}  // namespace fluoro::store
