// A block's trace table: whole, or as much of it as one trace needs.
#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "store/embedded/block.h"
#include "store/embedded/trace_pages.h"

namespace fluoro::store {

std::span<const std::uint32_t> TraceTable::Find(const model::TraceId& id) const {
  const auto [first, last] = std::ranges::equal_range(
      by_id, id, {},
      [this](std::uint32_t place) -> const model::TraceId& { return traces[place].id; });
  return {first, last};
}

Result<std::shared_ptr<TraceTable>> Block::DecodeTable(const File& file) const {
  auto table = std::make_shared<TraceTable>();
  FLUORO_CHECK_OK(meta_.page_traces == 0 ? DecodeSections(file, *table)
                                         : DecodePages(file, *table));
  MarkParts(*table);
  return table;
}

// As minor version 0 has it.
Result<void> Block::DecodeSections(const File& file, TraceTable& table) const {
  const std::uint64_t rows = group_ends_.empty() ? 0 : group_ends_.back();
  if (Has(SectionType::kPlacedTraces)) {
    FLUORO_TRY(const std::string traces, ReadOnly(file, SectionType::kPlacedTraces));
    FLUORO_TRY(table.traces, DecodePlacedTraces(traces, meta_.traces, rows));
    FLUORO_CHECK_OK(OrderByRow(table));
  } else {
    FLUORO_TRY(const std::string traces, ReadOnly(file, SectionType::kTraces));
    FLUORO_TRY(table.traces, DecodeTraces(traces, meta_.traces, rows));
  }
  for (TraceEntry& trace : table.traces) trace.sealed_lsn = meta_.sealed_lsn;
  if (Has(SectionType::kSealedLsns)) {
    FLUORO_TRY(const std::string lsns, ReadOnly(file, SectionType::kSealedLsns));
    FLUORO_CHECK_OK(DecodeSealedLsns(lsns, meta_.sealed_lsn, table.traces));
  }
  if (Has(SectionType::kKept)) {
    FLUORO_TRY(const std::string kept, ReadOnly(file, SectionType::kKept));
    FLUORO_TRY(table.reasons, DecodeKept(kept, table.traces));
  }
  FLUORO_TRY(const std::string index, ReadOnly(file, SectionType::kTraceIndex));
  FLUORO_TRY(table.by_id, DecodeTraceIndex(index, table.traces));
  return {};
}

TracePageBounds Block::PageBounds(std::size_t reasons) const {
  return {.rows = group_ends_.empty() ? 0 : group_ends_.back(),
          .block_lsn = meta_.sealed_lsn,
          .reasons = reasons};
}

std::size_t Block::TracesIn(std::size_t page) const {
  return std::min<std::size_t>(meta_.page_traces, meta_.traces - page * meta_.page_traces);
}

// Their sections stand together, in order.
Result<std::span<const Section>> Block::PagesOfType(SectionType type) const {
  const auto first = std::ranges::find(meta_.sections, type, &Section::type);
  const auto behind = static_cast<std::size_t>(meta_.sections.end() - first);
  if (behind < meta_.page_ids.size())
    return Fail(ErrorCode::kCorruption, "a page of the trace table is missing");
  const auto pages = std::span<const Section>(first, meta_.page_ids.size());
  for (std::size_t page = 0; page < pages.size(); ++page) {
    if (pages[page].type != type || pages[page].column != page)
      return Fail(ErrorCode::kCorruption, "a page of the trace table is missing");
  }
  return pages;
}

Result<void> Block::DecodePages(const File& file, TraceTable& table) const {
  if (Has(SectionType::kKept)) {
    FLUORO_TRY(const std::string reasons, ReadOnly(file, SectionType::kKept));
    FLUORO_TRY(table.reasons, DecodeReasons(reasons));
  }
  FLUORO_TRY(const auto trace_pages, PagesOfType(SectionType::kTracePage));
  FLUORO_TRY(const auto id_pages, PagesOfType(SectionType::kIdPage));
  const TracePageBounds bounds = PageBounds(table.reasons.size());
  // Memory is taken page by page: a footer alone may claim any number of traces.
  const auto take_traces = [&](std::size_t page, std::string_view bytes) -> Result<void> {
    const std::size_t at = table.traces.size();
    table.traces.resize(at + TracesIn(page));
    FLUORO_CHECK_OK(DecodeTracePage(bytes, bounds, std::span(table.traces).subspan(at)));
    if (at > 0 && table.traces[at].start_ns < table.traces[at - 1].start_ns)
      return Fail(ErrorCode::kCorruption, "its traces are not in order");
    return {};
  };
  FLUORO_CHECK_OK(ReadSections(file, trace_pages, take_traces));
  std::vector<bool> has_id(table.traces.size());
  const auto take_ids = [&](std::size_t number, std::string_view bytes) -> Result<void> {
    FLUORO_TRY(const IdPage page, DecodeIdPage(bytes, TracesIn(number), meta_.traces));
    if (page.ids.front() != meta_.page_ids[number])
      return Fail(ErrorCode::kCorruption, "a page of ids is another than the footer says");
    if (!table.by_id.empty()) {
      const std::uint32_t last = table.by_id.back();
      if (std::tie(page.ids.front(), page.places.front()) <= std::tie(table.traces[last].id, last))
        return Fail(ErrorCode::kCorruption, "its ids are not in order");
    }
    for (std::size_t i = 0; i < page.ids.size(); ++i) {
      const std::uint32_t place = page.places[i];
      if (has_id[place]) return Fail(ErrorCode::kCorruption, "a trace has two ids");
      has_id[place] = true;
      table.traces[place].id = page.ids[i];
    }
    table.by_id.insert(table.by_id.end(), page.places.begin(), page.places.end());
    return {};
  };
  FLUORO_CHECK_OK(ReadSections(file, id_pages, take_ids));
  return CheckRows(table);
}

// Where rows stand in the table's order and all belong to a trace, that needs no list.
Result<void> Block::CheckRows(TraceTable& table) const {
  std::uint64_t row = 0;
  for (const TraceEntry& trace : table.traces) {
    if (trace.first_row != row) return OrderByRow(table);
    row += trace.rows;
  }
  if (row != PageBounds(0).rows || row != meta_.spans) return OrderByRow(table);
  return {};
}

void Block::MarkParts(TraceTable& table) {
  for (std::size_t i = 1; i < table.by_id.size(); ++i) {
    if (table.traces[table.by_id[i]].id != table.traces[table.by_id[i - 1]].id) continue;
    table.is_part.resize(table.traces.size());
    table.is_part[table.by_id[i]] = table.is_part[table.by_id[i - 1]] = true;
  }
}

Result<void> Block::OrderByRow(TraceTable& table) const {
  table.by_row.resize(table.traces.size());
  std::iota(table.by_row.begin(), table.by_row.end(), 0);
  std::ranges::sort(table.by_row, {},
                    [&](std::uint32_t place) { return table.traces[place].first_row; });
  table.run_of.resize(table.traces.size());
  std::uint64_t row = 0;
  std::uint64_t spans = 0;
  for (std::uint32_t run = 0; run < table.by_row.size(); ++run) {
    const TraceEntry& trace = table.traces[table.by_row[run]];
    if (trace.first_row < row) return Fail(ErrorCode::kCorruption, "two traces share rows");
    row = trace.first_row + trace.rows;
    spans += trace.rows;
    table.run_of[table.by_row[run]] = run;
  }
  if (spans != meta_.spans) {
    return Fail(ErrorCode::kCorruption, "the trace table holds " + std::to_string(spans) +
                                            " spans, the footer says " +
                                            std::to_string(meta_.spans));
  }
  return {};
}

Result<std::shared_ptr<const TraceTable>> Block::Table() const {
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kTablePart};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const TraceTable>(known);
  const auto load = [&]() -> Result<std::shared_ptr<TraceTable>> {
    FLUORO_TRY(const auto file, OpenFile());
    return DecodeTable(*file);
  };
  auto table = load();
  if (!table) return std::unexpected(Named(std::move(table).error()));
  cache_.Put(key, *table, (*table)->MemoryBytes());
  return std::shared_ptr<const TraceTable>(*std::move(table));
}

Result<std::shared_ptr<const std::vector<model::Kept>>> Block::Reasons() const {
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kReasonsPart};
  if (auto known = cache_.Get(key))
    return std::static_pointer_cast<const std::vector<model::Kept>>(known);
  FLUORO_TRY(const auto file, OpenFile());
  FLUORO_TRY(const std::string bytes, ReadOnly(*file, SectionType::kKept));
  FLUORO_TRY(auto decoded, DecodeReasons(bytes));
  auto reasons = std::make_shared<const std::vector<model::Kept>>(std::move(decoded));
  cache_.Put(key, reasons, bytes.size() + reasons->size() * sizeof(model::Kept) + 64);
  return reasons;
}

Result<std::shared_ptr<const IdPage>> Block::ReadIdPage(std::uint32_t page) const {
  const BlockCache::Key key{.block = meta_.id, .part = page, .kind = BlockCache::Kind::kIdPage};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const IdPage>(known);
  FLUORO_TRY(const auto pages, PagesOfType(SectionType::kIdPage));
  FLUORO_TRY(const auto file, OpenFile());
  FLUORO_TRY(const std::string bytes, ReadSection(*file, pages[page]));
  FLUORO_TRY(IdPage decoded, DecodeIdPage(bytes, TracesIn(page), meta_.traces));
  const auto ids = std::make_shared<const IdPage>(std::move(decoded));
  cache_.Put(key, ids, ids->ids.size() * (sizeof(model::TraceId) + 4) + 64);
  return ids;
}

Result<std::shared_ptr<const std::vector<TraceEntry>>> Block::ReadTracePage(
    std::uint32_t page) const {
  const BlockCache::Key key{.block = meta_.id, .part = page, .kind = BlockCache::Kind::kTracePage};
  if (auto known = cache_.Get(key))
    return std::static_pointer_cast<const std::vector<TraceEntry>>(known);
  std::size_t reasons = 0;
  if (Has(SectionType::kKept)) {
    FLUORO_TRY(const auto known, Reasons());
    reasons = known->size();
  }
  FLUORO_TRY(const auto pages, PagesOfType(SectionType::kTracePage));
  FLUORO_TRY(const auto file, OpenFile());
  FLUORO_TRY(const std::string bytes, ReadSection(*file, pages[page]));
  auto traces = std::make_shared<std::vector<TraceEntry>>(TracesIn(page));
  FLUORO_CHECK_OK(DecodeTracePage(bytes, PageBounds(reasons), *traces));
  cache_.Put(key, traces, traces->size() * sizeof(TraceEntry) + 64);
  return traces;
}

Result<Block::FoundTrace> Block::FindInPages(const model::TraceId& id) const {
  FoundTrace found;
  const auto [begin, end] = PagesOf(meta_.page_ids, id);
  for (std::size_t page = begin; page < end; ++page) {
    FLUORO_TRY(const auto ids, ReadIdPage(static_cast<std::uint32_t>(page)));
    const auto same = std::ranges::equal_range(ids->ids, id);
    for (auto at = same.begin(); at != same.end(); ++at) {
      const std::uint32_t place = ids->places[static_cast<std::size_t>(at - ids->ids.begin())];
      FLUORO_TRY(const auto traces, ReadTracePage(place / meta_.page_traces));
      found.parts.push_back((*traces)[place % meta_.page_traces]);
      found.parts.back().id = id;
    }
  }
  if (std::ranges::any_of(found.parts, [](const TraceEntry& part) { return part.kept != 0; })) {
    FLUORO_TRY(found.reasons, Reasons());
  }
  return found;
}

Result<Block::FoundTrace> Block::Find(const model::TraceId& id) const {
  const auto known = cache_.Peek({.block = meta_.id, .part = BlockCache::kTablePart});
  if (known == nullptr && meta_.page_traces != 0) {
    auto found = FindInPages(id);
    if (!found) return std::unexpected(Named(std::move(found).error()));
    return found;
  }
  FoundTrace found;
  FLUORO_TRY(found.table, Table());
  for (const std::uint32_t place : found.table->Find(id))
    found.parts.push_back(found.table->traces[place]);
  return found;
}

}  // namespace fluoro::store
