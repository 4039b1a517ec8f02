// Joining blocks: which, and how. What the store does with the result is in compact.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>

#include "base/error.h"
#include "base/fs.h"
#include "store/embedded/block.h"
#include "store/embedded/block_format.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/thinning.h"

namespace fluoro::store {

/// What to merge next.
struct MergePlan {
  std::size_t first = 0;  ///< in the list of blocks
  std::size_t count = 0;
  std::uint32_t level = 0;  ///< of the result
};
/// The windows into which blocks that leave the live window are gathered to be judged together: the
/// largest of a merge that is not longer than the live window, which that merge has made one block
/// of; else the live window itself. Merges of longer windows take judged blocks only. Pure.
std::int64_t JudgingWindow(const MergePolicy& policy, std::int64_t live_window_ns);

/// Blocks that stand together in `blocks` (in order of arrival), none with an id in `leave_alone`,
/// all of which leave out the same of the LSNs in `in_log`. One block alone if it was sealed and
/// its window is over, since it is not compressed yet. Pure.
/// @param live_window_ns  if tail policies judge what leaves it: a plan may then have one block,
/// too.
std::optional<MergePlan> PlanMerge(const BlockList& blocks, std::int64_t now_ns,
                                   const MergePolicy& policy,
                                   const std::set<std::uint64_t>& leave_alone = {},
                                   const LsnRanges& in_log = {},
                                   std::optional<std::int64_t> live_window_ns = {});

/// Blocks sealed from the head that PlanMerge would merge by and by. Pure.
std::size_t CountDue(const BlockList& blocks, std::int64_t now_ns, const MergePolicy& policy,
                     const std::set<std::uint64_t>& leave_alone = {}, const LsnRanges& in_log = {},
                     std::optional<std::int64_t> live_window_ns = {});

/// One input; `deleted` are the traces to leave out, sorted.
struct MergeInput {
  std::shared_ptr<Block> block;
  std::shared_ptr<const std::vector<model::TraceId>> deleted;
};
/// Brings the traces of all inputs (in order of arrival) into `out`. Row groups of `copy_spans`
/// spans or more are copied as they are stored; the traces of smaller ones are written anew, their
/// parts joined. `meta` brings id, created_ns and left_out; the rest is filled in. `cache` bounds
/// the row groups held.
/// @param thinning  not null: traces are judged, and `thinned` tells of it.
/// @param policy    whose filters are written with row groups that are not copied; null: of all.
/// Nothing is returned, and nothing written that counts, if nothing is left, skeletons included, or
/// `stop` was requested. Errors: kCorruption, kIo, kNoSpace.
Result<std::optional<BlockMeta>> MergeBlocks(std::span<const MergeInput> inputs, File& out,
                                             BlockMeta meta, std::uint64_t copy_spans,
                                             BlockCache& cache, const std::stop_token& stop,
                                             const crypto::Keyring* keys = nullptr,
                                             Thinning* thinning = nullptr,
                                             Thinned* thinned = nullptr,
                                             const AttributePolicy& policy = nullptr);

/// Sums by minute that are added to others.
struct RollupSource {
  std::shared_ptr<const RollupTable> table;
  std::function<Result<rollup::Rollup>(const rollup::RollupWindow& minutes)> rows;
};
RollupSource SourceOf(const std::shared_ptr<Block>& block,
                      std::shared_ptr<const RollupTable> table);
/// Adds the minutes of all sources, a few at a time. Errors: theirs, those of the encoder.
Result<void> EncodeSum(std::span<const RollupSource> sources, const rollup::RollupWindow& minutes,
                       RollupEncoder& encoder);
/// Calls `add` with windows of a few minutes each, in order, that hold all minutes in `minutes` of
/// which one of these chunks may hold something. Errors: those of `add`.
using AddWindow = std::function<Result<void>(const rollup::RollupWindow&)>;
Result<void> ForFewMinutesEach(std::span<const MinuteChunk> chunks,
                               const rollup::RollupWindow& minutes, const AddWindow& add);
/// Likewise with whole hours, of all time.
Result<void> ForHoursEach(std::span<const MinuteChunk> chunks, const AddWindow& add);
/// Puts the sum of the inputs' rollups; none if one of them has none, or a damaged one.
Result<void> MergeRollups(std::span<const MergeInput> inputs, BlockWriter& writer);
/// Likewise of their calls. An input of which nobody has looked for calls is as one without, if the
/// keys of its attributes say so.
Result<void> MergeCalls(std::span<const MergeInput> inputs, BlockWriter& writer);

}  // namespace fluoro::store
