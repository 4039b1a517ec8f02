// Any bytes as the parts of a block file behind their sums: refused or safe to read.
// input := what:u8 rest; what 0: a row group as (id:varint length:varint bytes)*, else one section.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/assert.h"
#include "store/embedded/block_format.h"
#include "store/embedded/fuse_filter.h"
#include "store/embedded/row_group_index.h"
#include "store/embedded/skeleton.h"
#include "store/embedded/summary_pages.h"
#include "store/embedded/trace_pages.h"

namespace {

void TryRowGroup(std::string_view bytes) {
  using namespace fluoro;         // NOLINT(google-build-using-namespace): one function
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  std::map<std::uint32_t, std::string_view> columns;
  ByteReader in(bytes);
  while (!in.done()) {
    const auto id = in.TakeCount(UINT32_MAX);
    if (!id) return;
    const auto column = in.TakeText();
    if (!column) return;
    columns[static_cast<std::uint32_t>(*id)] = *column;
  }
  // The trace table is not at hand: one trace of as many rows as the columns claim.
  ByteReader counts(columns[static_cast<std::uint32_t>(RowColumn::kCounts)]);
  const auto spans = counts.TakeCount(kRowGroupSpansMax);
  if (!spans) return;
  const TraceRun run{.id = {}, .start_ns = 0, .rows = static_cast<std::uint32_t>(*spans)};
  const auto batch = DecodeRowGroup(columns, {&run, 1});
  if (!batch) return;
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) (void)reader.Read(i);
}

void CheckSets(const fluoro::model::SummaryTexts& texts) {
  for (const auto& set : texts.sets) {
    for (const std::uint32_t key : set) FLUORO_ASSERT(key < texts.keys.size());
  }
}

void TrySummaryHeader(std::string_view bytes) {
  if (const auto texts = fluoro::store::DecodeSummaryHeader(bytes)) CheckSets(*texts);
}

// input := traces:u8 page
void TrySummaryPage(std::string_view bytes) {
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  if (bytes.empty()) return;
  fluoro::model::SummaryTexts texts;
  texts.texts.resize(3);
  texts.keys.resize(4);
  texts.sets.resize(5);
  const std::vector<TraceEntry> traces(static_cast<std::uint8_t>(bytes.front()));
  std::vector<fluoro::model::StoredSummary> summaries(traces.size());
  if (!DecodeSummaryPage(bytes.substr(1), texts, traces, summaries)) return;
  for (const auto& summary : summaries) {
    FLUORO_ASSERT(summary.name <= 3 && summary.entry <= 4);
    for (const std::uint32_t set : summary.services) FLUORO_ASSERT(set <= 5);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 15) {
    case 0:
      TryRowGroup(rest);
      break;
    case 1:
      (void)DecodeFooter(rest, rest.size() + kBlockHeaderBytes);
      break;
    case 2:
      if (const auto traces = DecodeTraces(rest, size > 1 ? data[1] : 0, 1'000))
        (void)DecodeTraceIndex(rest, *traces);
      break;
    case 3:
      (void)DecodeServices(rest);
      break;
    case 4:
      if (const auto filter = TraceFilter::Decode(rest)) (void)filter->MayContain({});
      break;
    case 5:
      (void)DecodeTrailer(rest, size);
      break;
    case 7: {
      std::vector<TraceEntry> traces(size > 1 ? data[1] : 0);
      const auto reasons = DecodeKept(rest.substr(rest.empty() ? 0 : 1), traces);
      if (!reasons) break;
      for (const TraceEntry& trace : traces) FLUORO_ASSERT(trace.kept <= reasons->size());
      break;
    }
    case 8:
      (void)DecodeSkeletons(rest, [](const DroppedTrace& trace) {
        FLUORO_ASSERT(trace.route.size() + trace.reason.size() < SIZE_MAX);
      });
      break;
    case 9: {
      std::vector<TraceEntry> traces(size > 1 ? data[1] : 0);
      (void)DecodeTracePage(rest.substr(rest.empty() ? 0 : 1),
                            {.rows = 1'000, .block_lsn = 9, .reasons = 2}, traces);
      break;
    }
    case 10:
      (void)DecodeIdPage(rest.substr(rest.empty() ? 0 : 1), size > 1 ? data[1] : 0, 1'000);
      break;
    case 11:
      (void)DecodeZones(rest);
      break;
    case 12:
      if (const auto filter = FuseFilter::Decode(rest)) (void)filter->MayContain(size);
      break;
    case 13:
      TrySummaryHeader(rest);
      break;
    case 14:
      TrySummaryPage(rest);
      break;
    default:
      (void)DecodeDeletions(rest);
  }
  return 0;
}
