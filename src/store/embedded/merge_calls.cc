// Sums of calls of merged blocks are added up, minute by minute.
#include "base/log.h"
#include "store/embedded/call_section.h"
#include "store/embedded/merge.h"

namespace fluoro::store {

using rollup::CallSums;
using rollup::RollupWindow;

namespace {

struct Source {
  std::shared_ptr<Block> block;
  std::shared_ptr<const CallTable> table;
};

// Of a block that was written before calls were summed.
Result<bool> MayHoldCalls(const Block& block) {
  FLUORO_TRY(const auto table, block.Table());
  for (std::uint32_t group = 0; group < block.meta().row_groups.size(); ++group) {
    FLUORO_TRY(const bool may, block.GroupMayHoldCalls(*table, group));
    if (may) return true;
  }
  return false;
}

}  // namespace

Result<void> MergeCalls(std::span<const MergeInput> inputs, BlockWriter& writer) {
  std::vector<Source> sources;
  std::vector<MinuteChunk> chunks;
  CallEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kCalls, chunk + 1, bytes);
  });
  // False: the spans of the merged block are to be asked.
  const auto add = [&]() -> Result<bool> {
    for (const MergeInput& input : inputs) {
      if (!input.block->meta().calls_summed) {
        FLUORO_TRY(const bool may, MayHoldCalls(*input.block));
        if (may) return false;
        continue;
      }
      FLUORO_TRY(auto table, input.block->Calls());
      if (table == nullptr) continue;
      encoder.AddExtent(table->first_ns, table->last_ns);
      chunks.insert(chunks.end(), table->chunks.begin(), table->chunks.end());
      sources.push_back({.block = input.block, .table = std::move(table)});
    }
    const auto add_minutes = [&](const RollupWindow& step) -> Result<void> {
      CallSums sum(rollup::kMinuteNs);
      for (const Source& source : sources)
        FLUORO_CHECK_OK(source.block->AddCalls(*source.table, step, sum));
      return encoder.Add(sum);
    };
    FLUORO_CHECK_OK(ForFewMinutesEach(chunks, {}, add_minutes));
    return true;
  };
  const auto added = add();
  if (!added && added.error().code != ErrorCode::kCorruption) return std::unexpected(added.error());
  if (!added) {
    log::Warn("store: merged blocks have no sums of calls, since those of one are damaged",
              {{"why", added.error().message}});
  }
  if (!added || !*added) return {};
  writer.SetCallsSummed();
  if (encoder.empty()) return {};
  FLUORO_TRY(const std::string header, encoder.Finish());
  return writer.PutSums(SectionType::kCalls, 0, header);
}

}  // namespace fluoro::store
