#include <algorithm>
#include <cmath>

#include "analysis/propagation/losses.h"

namespace fluoro::analysis::propagation {
namespace {

constexpr std::uint32_t kInsideMin = 5;
constexpr int kShifts = 5;
// Traces that begin inside work of the same process; of work that goes on nearly all the time this
// says nothing.
constexpr double kInsideShareMin = 0.6;
constexpr double kBusyMax = 0.5;
constexpr std::size_t kReachMax = 64;

/// Work of one process by start, with the latest end up to each place.
class Timeline {
 public:
  void Add(const Work& work) { works_.push_back(&work); }
  void Sort() {
    std::ranges::stable_sort(works_, {}, [](const Work* work) { return work->start_ns; });
    latest_.clear();
    std::int64_t latest = INT64_MIN;
    for (const Work* work : works_) latest_.push_back(latest = std::max(latest, work->end_ns));
  }
  [[nodiscard]] std::int64_t first_ns() const {
    return works_.empty() ? 0 : works_.front()->start_ns;
  }
  [[nodiscard]] std::int64_t last_ns() const { return latest_.empty() ? 0 : latest_.back(); }

  /// The latest begun work around the instant that is not of `root`'s own trace and longer than it;
  /// of the same session if there is one.
  [[nodiscard]] const Work* Around(const InnerRoot& root, std::int64_t start_ns) const {
    auto at = std::ranges::upper_bound(works_, start_ns, {},
                                       [](const Work* work) { return work->start_ns; });
    const Work* best = nullptr;
    for (std::size_t seen = 0; at != works_.begin() && seen < kReachMax; ++seen) {
      --at;
      if (latest_[static_cast<std::size_t>(at - works_.begin())] < start_ns) break;
      const Work& work = **at;
      if (work.end_ns < start_ns || work.trace == root.trace ||
          work.end_ns - work.start_ns <= root.end_ns - root.start_ns)
        continue;
      if (root.session != 0 && work.session == root.session) return &work;
      if (best == nullptr) best = &work;
    }
    return best;
  }

 private:
  std::vector<const Work*> works_;
  std::vector<std::int64_t> latest_;
};

struct Group {
  Weighted inside;
  std::uint32_t count = 0;
  std::uint32_t inside_count = 0;
  std::uint32_t same_session = 0;
  double by_chance = 0;
  std::vector<Example> examples;
};

std::string Percent(double share) { return std::to_string(std::lround(100 * share)) + " %"; }

}  // namespace

void FindAsync(const Tables& tables, std::map<EdgeKey, BrokenEdge>& edges) {
  using Process = std::pair<TextId, TextId>;
  std::map<Process, Timeline> timelines;
  for (const InnerRoot& root : tables.inner_roots) timelines[{root.service, root.instance}];
  for (const Work& work : tables.works) {
    if (const auto found = timelines.find({work.service, work.instance}); found != timelines.end())
      found->second.Add(work);
  }
  for (auto& [process, timeline] : timelines) timeline.Sort();

  std::map<std::pair<TextId, TextId>, Group> groups;  // by service and name
  for (const InnerRoot& root : tables.inner_roots) {
    const Timeline& timeline = timelines.at({root.service, root.instance});
    Group& group = groups[{root.service, root.name}];
    ++group.count;
    if (const Work* around = timeline.Around(root, root.start_ns)) {
      ++group.inside_count;
      group.inside.Add(root.weight);
      group.same_session += root.session != 0 && around->session == root.session ? 1U : 0U;
      if (group.examples.size() < BrokenEdge::kExamplesMax)
        group.examples.push_back({around->trace, around->span, root.trace, root.span});
    }
    const std::int64_t length_ns = timeline.last_ns() - timeline.first_ns() + 1;
    for (int i = 1; i <= kShifts; ++i) {
      const std::int64_t by = length_ns / (kShifts + 1) * i;
      const std::int64_t at =
          timeline.first_ns() + (root.start_ns - timeline.first_ns() + by) % length_ns;
      if (timeline.Around(root, at) != nullptr) group.by_chance += 1.0 / kShifts;
    }
  }

  for (const auto& [key, group] : groups) {
    if (group.inside_count < kInsideMin) continue;
    const double count = group.count;
    const double busy = group.by_chance / count;
    const double inside = group.inside_count;
    const bool by_time =
        inside >= kInsideShareMin * count && busy <= kBusyMax &&
        inside - group.by_chance >= 5 * std::sqrt(group.by_chance * (1 - busy) + 1);
    const bool by_session =
        group.same_session >= kInsideMin && 2 * group.same_session >= group.count;
    if (!by_time && !by_session) continue;
    Weighted survived;
    if (const auto found = tables.children.find(key); found != tables.children.end())
      survived = found->second;
    BrokenEdge& edge = edges[{key.first, key.first, EdgeKind::kInProcess, key.second}];
    edge.caller = edge.callee = tables.texts.At(key.first);
    edge.kind = EdgeKind::kInProcess;
    edge.via = tables.texts.At(key.second);
    SetShare(edge, survived, group.inside, group.inside);
    Cause cause{.kind = CauseKind::kAsync,
                .confidence = by_session && by_time ? Confidence::kHigh : Confidence::kMedium,
                .calls = group.inside.count};
    const std::string& name = edge.via;
    cause.evidence.push_back(std::to_string(group.inside_count) + " of " +
                             std::to_string(group.count) + " traces that begin with '" + name +
                             "' in " + edge.caller +
                             " begin while the same process works on another trace; " +
                             Percent(busy) + " would by chance.");
    if (group.same_session > 0) {
      cause.evidence.push_back(std::to_string(group.same_session) +
                               " of them share session or run id with that trace.");
    }
    cause.fix =
        edge.caller + ": hand the context to the task, thread or coroutine that runs '" + name +
        "' (Python: contextvars.copy_context().run, or asyncio.create_task(..., context=...) "
        "from 3.11 on; Java: Context.current().wrap(...); Node.js: AsyncLocalStorage or "
        "context.bind; Go: pass ctx). The links are suggestions; nothing is joined by itself.";
    cause.examples = group.examples;
    edge.causes.push_back(std::move(cause));
  }
}

}  // namespace fluoro::analysis::propagation
