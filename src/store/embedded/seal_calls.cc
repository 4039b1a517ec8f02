// What sealed traces add to the sums of calls: as to the service graph (seal_rollup.cc), what their
// rows change.
#include <algorithm>

#include "base/log.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/call_groups.h"
#include "store/embedded/call_section.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

using rollup::CallSums;

Result<CallSums> EmbeddedStoreImpl::SumCalls(std::span<const TraceRows> traces,
                                             cardinality::BlockValues& values) {
  call_reader_.Forget();
  CallSums sums(rollup::kMinuteNs, rollup::kByAllDimensions,
                {.cells_max = options_.memory_bytes / 100 / sizeof(rollup::CallCell)});
  CallGroups groups(attribute_policy(), &values);
  const auto plus = [&](const genai::Call& call) {
    groups.Watch(call);
    sums.Add(groups.Of(call));
  };
  const auto minus = [&](const genai::Call& call) { sums.Add(groups.Of(call), -1); };
  const auto list = blocks();
  // Rows that hold no call themselves may tell the tenant of calls in earlier ones.
  const bool earlier =
      std::ranges::any_of(*list, [](const auto& block) { return block->MayHoldCalls(); });
  for (const TraceRows& trace : traces) {
    const bool own = call_reader_.MayHold(trace);
    if (!own && !earlier) continue;
    if (recent_traces_.MayContain(trace.id)) {
      auto fragments = FindIn(*list, trace.id);
      // An unreadable part is missing in what is read, too.
      if (fragments && !fragments->blocks.empty()) {
        const std::size_t before = fragments->blocks.size();
        const bool theirs = std::ranges::any_of(
            fragments->blocks, [](const auto& part) { return part.block->MayHoldCalls(); });
        if (!own && !theirs) continue;
        fragments->head = std::make_unique<TraceRows>(trace);
        FLUORO_CHECK_OK(call_reader_.FindInPieces(*fragments, before, minus));
        FLUORO_CHECK_OK(call_reader_.FindInPieces(*fragments, before + 1, plus));
        continue;
      }
    }
    if (own) call_reader_.FindInRows(trace, plus);
  }
  call_reader_.Forget();
  crowded_calls_.Add(static_cast<double>(sums.crowded_out()));
  return sums;
}

Result<void> EmbeddedStoreImpl::WriteCalls(std::span<const TraceRows> traces, BlockWriter& writer,
                                           cardinality::BlockValues& values) {
  const auto sums = SumCalls(traces, values);
  if (!sums) {
    // The block is answered from its spans then.
    log::Warn("store: a block is sealed without sums of calls", {{"why", sums.error().message}});
    return {};
  }
  writer.SetCallsSummed();
  CallEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kCalls, chunk + 1, bytes);
  });
  FLUORO_CHECK_OK(encoder.Add(*sums));
  if (encoder.empty()) return {};
  FLUORO_TRY(const std::string header, encoder.Finish());
  return writer.PutSums(SectionType::kCalls, 0, header);
}

}  // namespace fluoro::store
