// What sealed traces add to the service graph: summed into the block they are sealed in, so that it
// is counted exactly as often as its block exists. With it their summaries, which come of the same.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "rollup/rollup.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/graph_reader.h"
#include "store/embedded/head.h"

namespace fluoro::store {

class EmbeddedStoreImpl;

/// Sums the traces of one block, most of them from its columns as they are written: no span is
/// looked at again. Under the store's maintenance_mutex_.
class SealRollup {
 public:
  /// @param traces  in the order in which the writer gets them, each span once; borrowed, as
  /// `store` and `summaries`, the writer's.
  SealRollup(EmbeddedStoreImpl& store, std::span<const TraceRows> traces,
             SummaryBuilder& summaries);
  /// For BlockWriter::SetUseRowGroup: of row groups one after the other, from the block's first row
  /// on.
  void AddRowGroup(std::span<const TraceRun> runs, const ColumnReader& column);
  /// After all traces. A block whose traces cannot be summed goes without. Errors: the writer's.
  Result<void> Write(BlockWriter& writer);

 private:
  Result<void> AddLeft();

  EmbeddedStoreImpl& store_;
  GraphReader& reader_;
  std::span<const TraceRows> traces_;
  SummaryBuilder& summaries_;
  rollup::TraceFacts facts_;               ///< of the last trace
  std::uint64_t block_row_ = 0;            ///< the first of the next row group
  std::shared_ptr<const BlockList> list_;  ///< where earlier rows may be
  rollup::Rollup sums_;
  rollup::Rollup::Sink sink_;
  rollup::Rollup::Sink minus_;
  rollup::Accumulators accumulators_{sums_};  ///< of what comes by columns, which is all added
  std::size_t next_ = 0;                      ///< the trace whose rows come next
  std::size_t next_rows_ = 0;                 ///< of its rows, those that came
  std::vector<std::size_t> left_;  ///< traces that the columns of one row group do not tell
  Result<void> result_;
};

}  // namespace fluoro::store
