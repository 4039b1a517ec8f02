// Counting the traces of a window of time, from what the store keeps.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "analysis/usage.h"
#include "control/place.h"
#include "control/repository.h"
#include "query/filter.h"
#include "store/trace_store.h"

namespace fluoro::cost {

/// Traces of one window that are read to know tenants, rules, groups and bytes; of more, these
/// stand for all.
inline constexpr std::size_t kTracesReadMax = 2'000;

/// Groups with their filters parsed. Immutable.
struct Groups {
  struct Group {
    std::string name;
    query::Filter filter;
    bool insights = false;
  };
  std::vector<Group> groups;  ///< without Default, which matches everything, unless it has insights
};
Groups GroupsOf(const std::shared_ptr<const control::Snapshot>& snapshot,
                const control::Place& place);

struct CountOptions {
  std::int64_t from_ns = 0;  ///< traces that started in [from_ns, until_ns)
  std::int64_t until_ns = 0;
  std::size_t read_max = kTracesReadMax;
  std::int64_t deadline_ns = INT64_MAX;  ///< Clock::MonotonicNs, of the search for traces
  std::stop_token stop = {};
};

struct Counted {
  analysis::UsageDay usage;
  std::uint64_t traces = 0;   ///< stored and dropped
  std::uint64_t read = 0;     ///< of the stored, those that were read
  std::uint64_t dropped = 0;  ///< of the traces
  bool complete = true;       ///< false: stopped, late, or something could not be read
};

/// How many traces there were is exact. By whom and in what groups is exact where all are read;
/// else those with the least hashes of their ids are, and each stands for as many others. Of
/// dropped traces all is exact but groups, of which nothing is known. Errors: those of the store.
Result<Counted> CountTraces(store::TraceStore& store, const Groups& groups,
                            const CountOptions& options);

}  // namespace fluoro::cost
