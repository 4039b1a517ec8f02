// One trace from its fragments in head and blocks: whole, or in parts where it is too large.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/error.h"
#include "model/span.h"
#include "store/embedded/block.h"
#include "store/embedded/head.h"
#include "store/embedded/read_budget.h"

namespace fluoro::store {

/// Where the pieces of a trace are. Empty: no such trace.
struct Fragments {
  struct InBlock {
    std::shared_ptr<Block> block;
    TraceEntry entry;
    std::shared_ptr<const TraceTable> table = nullptr;  ///< null: only the entry was read
    std::shared_ptr<const std::vector<model::Kept>> reasons = nullptr;  ///< then, of the block
    Block::ReadRows read = {};  ///< its rows, if they were read already and stand in one row group
    /// Null: not judged yet.
    [[nodiscard]] const model::Kept* KeptFor() const {
      if (table != nullptr) return table->KeptOf(entry);
      return entry.kept == 0 ? nullptr : &(*reasons)[entry.kept - 1];
    }
  };
  std::vector<InBlock> blocks;  ///< in order of sealing
  std::unique_ptr<TraceRows> head;
  std::int64_t start_ns = INT64_MAX;
  [[nodiscard]] bool empty() const { return blocks.empty() && !head; }
  /// Why it was kept: of its pieces' reasons the one that keeps more. A piece that waits for the
  /// judgement of younger ones has none. Null: nothing has judged it.
  [[nodiscard]] const model::Kept* KeptFor() const;
};

/// The rows of one trace over all its fragments, in the order of model::Deduplicate. Holds at most
/// a few row groups. Not thread-safe; the fragments must outlive it.
class FragmentReader {
 public:
  /// `cache`: what row groups are read through, by the tables of the pieces; null: the blocks' own.
  explicit FragmentReader(const Fragments& fragments, BlockCache* cache = nullptr);

  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  /// Rows beyond kTraceSpansMax, which are left out.
  [[nodiscard]] std::uint64_t cut_rows() const { return cut_rows_; }
  /// A block holds each span once; only another fragment can bring it again.
  [[nodiscard]] bool MayRepeat() const;
  /// Call before spans and At if MayRepeat. Errors: kCorruption, kIo.
  Result<void> ApplyReplacements();
  [[nodiscard]] std::uint64_t spans() const { return is_ordered_ ? order_.size() : rows_; }

  struct Row {
    RowRef ref;
    /// Keeps a row group's batch alive beyond the next call; null where the fragments do.
    const std::shared_ptr<const model::SpanBatch>* holder = nullptr;
  };
  /// Valid until the next call. Errors: kCorruption, kIo.
  Result<Row> At(std::uint64_t number);

 private:
  // Consecutive rows of the trace: in one row group of a block, or in the head.
  struct Piece {
    const Fragments::InBlock* in_block = nullptr;  // null: the head
    BlockRows rows;                                // of the row group
    std::uint64_t first = 0;                       // number of its first row within the trace
    std::uint64_t count = 0;
  };
  void AddPiece(Piece piece);
  Result<const Block::ReadRows*> Open(std::size_t index);
  Result<void> AppendKeys(std::size_t index, std::vector<model::SpanKey>& keys);

  const Fragments& fragments_;
  BlockCache* cache_;
  std::vector<Piece> pieces_;
  std::uint64_t rows_ = 0;
  std::uint64_t cut_rows_ = 0;
  bool is_ordered_ = false;
  std::vector<std::uint32_t> order_;             // rows of the spans that stand, if is_ordered_
  std::map<std::size_t, Block::ReadRows> open_;  // by piece
};

/// The spans from number `first_span` on (in the order of model::Deduplicate over all fragments),
/// as many as ReadBudget::part_bytes holds; a part ends where a document ends. The trace holds its
/// lease of the budget. Errors: kCorruption, kIo, kUnavailable.
Result<std::shared_ptr<const model::Trace>> ReadTracePart(const model::TraceId& id,
                                                          const Fragments& fragments,
                                                          std::uint64_t first_span,
                                                          ReadBudget& budget);

}  // namespace fluoro::store
