// Summaries of a block's traces: one section a page, which stand together behind their header.
#include <algorithm>

#include "store/embedded/block.h"

namespace fluoro::store {

Result<std::shared_ptr<SummaryTable>> Block::DecodeSummaries(const TraceTable& table) const {
  const auto first = std::ranges::find(meta_.sections, SectionType::kSummaries, &Section::type);
  if (first == meta_.sections.end() || meta_.page_traces == 0) return nullptr;
  const std::size_t pages = (table.traces.size() + meta_.page_traces - 1) / meta_.page_traces;
  const auto behind = static_cast<std::size_t>(meta_.sections.end() - first);
  if (behind < pages + 1)
    return Fail(ErrorCode::kCorruption, "a page of the trace summaries is missing");
  const auto sections = std::span<const Section>(first, pages + 1);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].type != SectionType::kSummaries || sections[i].column != i)
      return Fail(ErrorCode::kCorruption, "a page of the trace summaries is missing");
  }
  auto summaries = std::make_shared<SummaryTable>();
  summaries->traces.resize(table.traces.size());
  FLUORO_TRY(const auto file, OpenFile());
  const auto take = [&](std::size_t section, std::string_view bytes) -> Result<void> {
    if (section == 0) {
      FLUORO_TRY(summaries->texts, DecodeSummaryHeader(bytes));
      return {};
    }
    const std::size_t at = (section - 1) * meta_.page_traces;
    const std::size_t count = TracesIn(section - 1);
    return DecodeSummaryPage(bytes, summaries->texts, std::span(table.traces).subspan(at, count),
                             std::span(summaries->traces).subspan(at, count));
  };
  FLUORO_CHECK_OK(ReadSections(*file, sections, take));
  return summaries;
}

Result<std::shared_ptr<const SummaryTable>> Block::Summaries(const TraceTable& table) const {
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kSummariesPart};
  if (auto known = cache_.Peek(key)) return std::static_pointer_cast<const SummaryTable>(known);
  auto summaries = DecodeSummaries(table);
  if (!summaries) return std::unexpected(Named(std::move(summaries).error()));
  if (*summaries == nullptr) return nullptr;
  cache_.Put(key, *summaries, (*summaries)->MemoryBytes());
  return std::shared_ptr<const SummaryTable>(*std::move(summaries));
}

}  // namespace fluoro::store
