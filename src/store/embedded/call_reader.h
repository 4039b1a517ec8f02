// The calls of models and tools of traces that stand in the head, in blocks, or in both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "genai/calls.h"
#include "model/span_batch.h"
#include "store/embedded/block.h"
#include "store/embedded/head.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {

/// Not thread-safe.
class CallReader {
 public:
  using Visit = std::function<void(const genai::Call&)>;
  /// @param cache  for row groups; outlives the reader.
  explicit CallReader(BlockCache& cache) : cache_(cache) {}

  /// Whether a batch of the trace has spans that may be calls: looks once at each batch, which must
  /// live until Forget.
  bool MayHold(const TraceRows& trace);
  /// Calls of a trace of which everything is in these rows. Rows may repeat spans. Its batches must
  /// live until Forget.
  void FindInRows(const TraceRows& trace, const Visit& visit);
  /// Calls of the first `pieces` pieces of a trace: those of blocks, then that of the head. The
  /// pieces come with the tables of their blocks. Errors: kCorruption, kIo; nothing was visited.
  Result<void> FindInPieces(const Fragments& fragments, std::size_t pieces, const Visit& visit);
  /// Batches may go after this.
  void Forget() {
    batches_.clear();
    last_ = nullptr;
  }

 private:
  struct Known {
    explicit Known(const model::SpanBatch& batch) : spans(batch) {}
    std::vector<std::uint8_t> keys;  ///< genai::Evidence by key; empty: no span has any
    model::SpanReader spans;
    std::shared_ptr<const model::SpanBatch> held;
  };
  Known& KnownOf(const model::SpanBatch& batch);
  bool RowMayHold(const RowRef& row);

  BlockCache& cache_;
  std::unordered_map<const model::SpanBatch*, Known> batches_;
  const model::SpanBatch* last_ = nullptr;
  Known* last_known_ = nullptr;
  genai::CallFinder finder_;
  std::vector<model::SpanKey> span_keys_;
};

}  // namespace fluoro::store
