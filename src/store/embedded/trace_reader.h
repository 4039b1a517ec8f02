// One trace from its fragments in head and blocks: whole, or in parts where it is too large.
#pragma once

#include <cstdint>
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
    std::shared_ptr<const TraceTable> table;
    const TraceEntry* entry = nullptr;
  };
  std::vector<InBlock> blocks;  ///< in order of sealing
  std::unique_ptr<TraceRows> head;
  std::int64_t start_ns = INT64_MAX;
  [[nodiscard]] bool empty() const { return blocks.empty() && !head; }
};

/// The spans from number `first_span` on (in the order of model::Deduplicate over all fragments),
/// as many as ReadBudget::part_bytes holds; a part ends where a document ends. The trace holds its
/// lease of the budget. Errors: kCorruption, kIo, kUnavailable.
Result<std::shared_ptr<const model::Trace>> ReadTracePart(const model::TraceId& id,
                                                          const Fragments& fragments,
                                                          std::uint64_t first_span,
                                                          ReadBudget& budget);

}  // namespace fluoro::store
