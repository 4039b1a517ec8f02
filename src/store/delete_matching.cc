#include "store/delete_matching.h"

#include <algorithm>

namespace fluoro::store {
namespace {

// Found before they are deleted: a search holds memory, a deletion the store's maintenance.
constexpr std::size_t kAtOnce = 10'000;

}  // namespace

Result<Deleted> DeleteMatching(TraceStore& store, query::Plan plan) {
  Deleted deleted;
  for (;;) {
    std::vector<model::TraceId> ids;
    FLUORO_TRY(const SearchResult found, store.Search(plan, [&ids](const Match& match) {
      ids.push_back(match.trace.trace->id);
      return ids.size() < kAtOnce;
    }));
    for (const std::string& block : found.damaged) {
      if (std::ranges::find(deleted.damaged, block) == deleted.damaged.end())
        deleted.damaged.push_back(block);
    }
    FLUORO_TRY(const std::uint64_t gone, store.Delete(ids));
    deleted.traces += gone;
    if (found.complete) return deleted;
    // Ended by the plan, not by the number of traces.
    if (ids.size() < kAtOnce || !found.last) {
      deleted.complete = false;
      return deleted;
    }
    plan.after = found.last;
  }
}

}  // namespace fluoro::store
