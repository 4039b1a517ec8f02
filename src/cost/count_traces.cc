#include "cost/count_traces.h"

#include <xxhash.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "control/groups.h"
#include "model/assembly.h"
#include "query/root_request.h"
#include "query/tail_filters.h"

namespace fluoro::cost {
namespace {

using analysis::Dimension;
using analysis::Meter;

/// Not one by which traces are kept or drawn elsewhere.
constexpr std::uint64_t kReadSeed = 4;

std::uint64_t HashOf(const model::TraceId& id) {
  return XXH3_64bits_withSeed(id.bytes.data(), id.bytes.size(), kReadSeed);
}

// The ids with the least hashes.
class Least {
 public:
  explicit Least(std::size_t count_max) : count_max_(count_max) {}
  void Add(const model::TraceId& id) {
    ++seen_;
    held_.emplace(HashOf(id), id);
    if (held_.size() > count_max_) held_.pop();
  }
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  std::vector<model::TraceId> Take() {
    std::vector<model::TraceId> ids;
    for (; !held_.empty(); held_.pop()) ids.push_back(held_.top().second);
    std::ranges::sort(ids);
    return ids;
  }

 private:
  std::size_t count_max_;
  std::uint64_t seen_ = 0;
  std::priority_queue<std::pair<std::uint64_t, model::TraceId>> held_;
};

void AddRecorded(analysis::UsageDay& usage, const query::RootRequestView& root, double times,
                 double bytes) {
  const auto add = [&](Dimension dimension, std::string_view name) {
    usage.AddTo(dimension, name, Meter::kTracesRecorded, times);
    if (bytes > 0) usage.AddTo(dimension, name, Meter::kSpanBytesStored, bytes);
  };
  add(Dimension::kService, root.service);
  add(Dimension::kTenant, root.tenant);
  add(Dimension::kRule, root.rule);
  if (bytes > 0) usage.Add(Meter::kSpanBytesStored, bytes);
}

void AddRead(analysis::UsageDay& usage, const Groups& groups, const model::AssembledTrace& trace,
             double times) {
  const model::Span* const entry = query::EntryOf(*trace.trace);
  if (entry == nullptr) return;
  const query::RootRequest root = query::RootRequestOf(*entry);
  AddRecorded(usage, query::ViewOf(root), times,
              times * static_cast<double>(trace.trace->stored_bytes));
  const query::TraceView view(trace);
  bool has_insights = false;
  for (const Groups::Group& group : groups.groups) {
    if (!group.filter.Matches(view)) continue;
    if (group.name != control::kDefaultGroupName) {
      usage.Add(Meter::kGroupMatches, times);
      usage.AddTo(Dimension::kGroup, group.name, Meter::kGroupMatches, times);
    }
    if (!group.insights) continue;
    usage.AddTo(Dimension::kGroup, group.name, Meter::kInsightTraces, times);
    has_insights = true;
  }
  if (!has_insights) return;
  usage.Add(Meter::kInsightTraces, times);
  usage.AddTo(Dimension::kService, root.service, Meter::kInsightTraces, times);
  usage.AddTo(Dimension::kTenant, root.tenant, Meter::kInsightTraces, times);
  usage.AddTo(Dimension::kRule, root.rule, Meter::kInsightTraces, times);
}

}  // namespace

Groups GroupsOf(const std::shared_ptr<const control::Snapshot>& snapshot,
                const control::Place& place) {
  query::Filter::Options options;
  options.groups = control::LookupIn(snapshot, place);
  Groups out;
  for (const control::Group& group : control::ReadGroups(*snapshot, place)) {
    if (group.name == control::kDefaultGroupName && !group.insights_enabled) continue;
    // A filter was parsed before it was taken.
    if (auto filter = query::Filter::Parse(group.filter, options))
      out.groups.push_back(
          {.name = group.name, .filter = *std::move(filter), .insights = group.insights_enabled});
  }
  return out;
}

Result<Counted> CountTraces(store::TraceStore& store, const Groups& groups,
                            const CountOptions& options) {
  Counted out;
  Least least(options.read_max);
  query::Plan plan;
  plan.from_ns = options.from_ns;
  plan.until_ns = options.until_ns;
  plan.stop = options.stop;
  plan.deadline_ns = options.deadline_ns;
  FLUORO_TRY(const store::SearchResult found, store.List(plan, [&](const store::Outline& outline) {
    least.Add(outline.id);
    return true;
  }));
  out.complete = found.complete && found.damaged.empty();
  const std::vector<model::TraceId> ids = least.Take();
  const double times =
      ids.empty() ? 0 : static_cast<double>(least.seen()) / static_cast<double>(ids.size());
  for (const model::TraceId& id : ids) {
    if (options.stop.stop_requested()) {
      out.complete = false;
      break;
    }
    FLUORO_TRY(auto trace, store.ReadTrace(id));
    if (trace == nullptr) continue;  // deleted meanwhile
    ++out.read;
    AddRead(out.usage, groups, model::Assemble(std::move(trace)), times);
  }
  FLUORO_CHECK_OK(store.VisitDropped(
      options.from_ns, options.until_ns, [&](const store::DroppedTrace& dropped) {
        ++out.dropped;
        AddRecorded(out.usage, dropped.root.value_or(query::RootRequestView()), 1,
                    static_cast<double>(dropped.bytes));
        return !options.stop.stop_requested();
      }));
  // As large a part of these traces as of everything that is stored.
  if (const store::Usage stored = store.GetUsage(); stored.disk_bytes > 0) {
    const double share =
        static_cast<double>(stored.index_bytes) / static_cast<double>(stored.disk_bytes);
    const auto bytes = static_cast<std::size_t>(Meter::kSpanBytesStored);
    out.usage.Add(Meter::kIndexBytes, share * out.usage.total().at(bytes));
  }
  out.traces = least.seen() + out.dropped;
  out.usage.Add(Meter::kTracesRecorded, static_cast<double>(out.traces));
  return out;
}

}  // namespace fluoro::cost
