// Deletes the traces that a search finds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "query/plan.h"
#include "store/trace_store.h"

namespace fluoro::store {

struct Deleted {
  std::uint64_t traces = 0;
  bool complete = true;  ///< false: the plan's deadline or bound ended the search; ask again
  std::vector<std::string> damaged;  ///< blocks that could not be searched
};

/// Deletes every trace that the plan finds while it runs, a bounded number at a time; what was
/// deleted when it fails stays deleted. A trace too large to be held whole is judged by its first
/// part. Errors: those of Search and Delete.
Result<Deleted> DeleteMatching(TraceStore& store, query::Plan plan);

}  // namespace fluoro::store
