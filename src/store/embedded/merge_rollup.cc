// Sums of merged blocks are added up, minute by minute: what is in none of their spans any more
// stays counted.
#include <algorithm>

#include "base/log.h"
#include "rollup/call_sums.h"
#include "store/embedded/bytes.h"
#include "store/embedded/merge.h"
#include "store/embedded/rollup_section.h"

namespace fluoro::store {

using rollup::kMinuteNs;
using rollup::Rollup;
using rollup::RollupWindow;

namespace {

// Minutes in memory at once.
constexpr std::int64_t kStepNs = 16 * kMinuteNs;

// The first minute from `from_ns` on of which one of the chunks may hold something.
std::optional<std::int64_t> NextMinute(std::span<const MinuteChunk> chunks, std::int64_t from_ns) {
  std::optional<std::int64_t> next;
  for (const MinuteChunk& chunk : chunks) {
    if (chunk.last_minute_ns < from_ns) continue;
    const std::int64_t first = std::max(chunk.first_minute_ns, from_ns);
    next = std::min(next.value_or(first), first);
  }
  return next;
}

}  // namespace

Result<void> ForFewMinutesEach(std::span<const MinuteChunk> chunks, const RollupWindow& minutes,
                               const AddWindow& add) {
  auto next = NextMinute(chunks, minutes.from_ns);
  while (next && *next < minutes.until_ns) {
    const RollupWindow step{
        .from_ns = *next,
        .until_ns = *next > minutes.until_ns - kStepNs ? minutes.until_ns : *next + kStepNs};
    FLUORO_CHECK_OK(add(step));
    next = NextMinute(chunks, step.until_ns);
  }
  return {};
}

Result<void> ForHoursEach(std::span<const MinuteChunk> chunks, const AddWindow& add) {
  auto next = NextMinute(chunks, INT64_MIN);
  while (next) {
    const std::int64_t hour_ns = rollup::PeriodStart(*next, rollup::kHourNs);
    const RollupWindow hour{.from_ns = hour_ns, .until_ns = WrapAdd(hour_ns, rollup::kHourNs)};
    if (hour.until_ns < hour.from_ns) break;
    FLUORO_CHECK_OK(add(hour));
    next = NextMinute(chunks, hour.until_ns);
  }
  return {};
}

Result<void> EncodeSum(std::span<const RollupSource> sources, const RollupWindow& minutes,
                       RollupEncoder& encoder) {
  std::vector<MinuteChunk> chunks;
  for (const RollupSource& source : sources) {
    encoder.AddExtent(source.table->first_ns, source.table->last_ns);
    chunks.insert(chunks.end(), source.table->chunks.begin(), source.table->chunks.end());
  }
  return ForFewMinutesEach(chunks, minutes, [&](const RollupWindow& step) -> Result<void> {
    Rollup sum(kMinuteNs);
    for (const RollupSource& source : sources) {
      FLUORO_TRY(const Rollup part, source.rows(step));
      sum.Merge(part);
    }
    return encoder.Add(sum);
  });
}

RollupSource SourceOf(const std::shared_ptr<Block>& block,
                      std::shared_ptr<const RollupTable> table) {
  return {.table = table, .rows = [block, table](const RollupWindow& minutes) {
            return block->RollupOf(*table, minutes, kMinuteNs);
          }};
}

Result<void> MergeRollups(std::span<const MergeInput> inputs, BlockWriter& writer) {
  std::vector<RollupSource> sources;
  RollupEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kRollup, chunk + 1, bytes);
  });
  const auto add = [&]() -> Result<bool> {
    for (const MergeInput& input : inputs) {
      FLUORO_TRY(auto table, input.block->Rollup());
      if (table == nullptr) return false;
      sources.push_back(SourceOf(input.block, std::move(table)));
    }
    FLUORO_CHECK_OK(EncodeSum(sources, {}, encoder));
    return true;
  };
  const auto added = add();
  if (!added && added.error().code != ErrorCode::kCorruption) return std::unexpected(added.error());
  if (!added) {
    log::Warn("store: merged blocks have no sums, since those of one are damaged",
              {{"why", added.error().message}});
  }
  if (!added || !*added) return {};  // the graph of the merged block comes from its spans
  FLUORO_TRY(const std::string header, encoder.Finish());
  return writer.PutSums(SectionType::kRollup, 0, header);
}

}  // namespace fluoro::store
