// Search: a merge by start, newest first, over the head and the trace tables of the blocks that the
// window touches. Spans are read only of traces that are visited.
#include <algorithm>
#include <queue>
#include <unordered_set>

#include "store/embedded/store_impl.h"

namespace fluoro::store {

using query::Cursor;
using query::TimeRange;

class SearchRun {
 public:
  SearchRun(EmbeddedStoreImpl& store, const query::Plan& plan) : store_(store), plan_(plan) {}

  Result<SearchResult> Run(const Visitor& visitor) {
    Begin();
    while (Advance()) {
      if (plan_.stop.stop_requested() || result_.scanned_traces >= plan_.scan_max ||
          store_.clock_.MonotonicNs() > plan_.deadline_ns) {
        return Finish(false);
      }
      const Item item = Take();
      if (before_ && before_->start_ns == item.at.start_ns && before_->trace_id == item.at.trace_id)
        continue;
      before_ = item.at;
      if (!Consider(item, visitor)) return Finish(false);
    }
    return Finish(true);
  }

 private:
  static constexpr std::size_t kHead = SIZE_MAX;
  static constexpr std::size_t kMoved = SIZE_MAX - 1;

  struct Item {
    Cursor at;
    std::size_t source = kHead;  // a stream, kHead or kMoved
    bool operator<(const Item& other) const { return at < other.at; }
  };
  struct Stream {
    std::shared_ptr<Block> block;
    std::shared_ptr<const TraceTable> table;
    std::size_t left = 0;  // entries not offered yet: [0, left)
  };

  [[nodiscard]] bool ByStart() const { return plan_.time_range == TimeRange::kTraceStart; }

  // Whether a fragment can belong to a trace that is wanted.
  [[nodiscard]] bool InWindow(std::int64_t start_ns, std::int64_t end_ns) const {
    if (start_ns >= plan_.until_ns) return false;
    return ByStart() ? start_ns >= plan_.from_ns : end_ns >= plan_.from_ns;
  }
  [[nodiscard]] bool BehindCursor(const Cursor& at) const {
    return !plan_.after || at < *plan_.after;
  }
  // Entries in front of the cursor matter only where a trace may stand at an earlier fragment's
  // place.
  [[nodiscard]] bool Wanted(const model::TraceId& id, std::int64_t start_ns,
                            std::int64_t end_ns) const {
    if (!InWindow(start_ns, end_ns)) return false;
    return !ByStart() || BehindCursor({.start_ns = start_ns, .trace_id = id});
  }

  void Begin() {
    std::vector<TraceTimes> head;
    {
      MutexLock lock(store_.state_mutex_);
      head = store_.head_.Times();
      result_.damaged = store_.damaged_;
      for (const auto& block : *store_.blocks_) waiting_.push_back(block);
    }
    for (const TraceTimes& trace : head) {
      if (Wanted(trace.id, trace.start_ns, trace.end_ns)) {
        queue_.push({.at = {.start_ns = trace.start_ns, .trace_id = trace.id}, .source = kHead});
      }
    }
    std::erase_if(waiting_, [this](const auto& block) {
      const BlockMeta& meta = block->meta();
      return meta.start_ns_min >= plan_.until_ns ||
             (ByStart() ? meta.start_ns_max : meta.end_ns_max) < plan_.from_ns;
    });
    // The block with the youngest trace stands last.
    std::sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      return a->meta().start_ns_max < b->meta().start_ns_max;
    });
  }

  // Opens every block that may hold something younger than the queue's top. False: nothing is left.
  bool Advance() {
    while (!waiting_.empty() &&
           (queue_.empty() || waiting_.back()->meta().start_ns_max >= queue_.top().at.start_ns)) {
      auto block = std::move(waiting_.back());
      waiting_.pop_back();
      auto table = block->Table();
      if (!table) {
        Damaged(table.error().message);
        continue;
      }
      streams_.push_back(
          {.block = std::move(block), .table = *table, .left = (*table)->traces.size()});
      Offer(streams_.size() - 1);
    }
    return !queue_.empty();
  }

  // Puts the next wanted entry of a stream into the queue.
  void Offer(std::size_t source) {
    Stream& stream = streams_[source];
    while (stream.left > 0) {
      const TraceEntry& entry = stream.table->traces[--stream.left];
      if (ByStart() && entry.start_ns < plan_.from_ns) stream.left = 0;  // the rest is older still
      if (!Wanted(entry.id, entry.start_ns, entry.end_ns) || stream.block->IsDeleted(entry.id))
        continue;
      queue_.push({.at = {.start_ns = entry.start_ns, .trace_id = entry.id}, .source = source});
      return;
    }
    stream.table.reset();
    stream.block.reset();
  }

  Item Take() {
    Item item = queue_.top();
    queue_.pop();
    if (item.source < kMoved) Offer(item.source);
    return item;
  }

  // A trace is visited once, at its earliest start, with all its fragments. False: the visitor
  // stops.
  bool Consider(const Item& item, const Visitor& visitor) {
    const model::TraceId& id = item.at.trace_id;
    auto fragments = store_.Find(id);
    if (!fragments) {
      Damaged(fragments.error().message);
      return true;
    }
    if (fragments->empty()) return true;  // deleted meanwhile
    if (fragments->start_ns < item.at.start_ns) {
      const Cursor at{.start_ns = fragments->start_ns, .trace_id = id};
      if (!ByStart() || at.start_ns >= plan_.from_ns) queue_.push({.at = at, .source = kMoved});
      return true;
    }
    // The older part was dropped while we searched: the trace was visited at its later start
    // already.
    if (fragments->start_ns > item.at.start_ns && item.source != kHead) return true;
    if (!BehindCursor(item.at)) return true;
    auto trace = ReadTracePart(id, *fragments, 0, store_.read_budget_);
    if (!trace) {
      Damaged(trace.error().message);
      return true;
    }
    ++result_.scanned_traces;
    if ((*trace)->IsPart()) ++result_.cut_traces;
    result_.last = item.at;
    const model::AssembledTrace assembled = model::Assemble(*std::move(trace));
    if (!Matches(assembled)) return true;
    const query::TraceView view(assembled);
    if (plan_.filter && !plan_.filter->Matches(view)) return true;
    return visitor({.trace = assembled, .view = view});
  }

  // The exact form of the time condition.
  [[nodiscard]] bool Matches(const model::AssembledTrace& assembled) const {
    switch (plan_.time_range) {
      case TimeRange::kTraceStart:
        return true;
      case TimeRange::kEvent:
        return std::any_of(
            assembled.trace->spans.begin(), assembled.trace->spans.end(),
            [this](const model::Span& span) { return InWindow(span.start_ns, span.end_ns); });
      case TimeRange::kService:
        return std::any_of(assembled.entities.begin(), assembled.entities.end(),
                           [this](const model::Entity& entity) {
                             return entity.role == model::EntityRole::kSegment &&
                                    !entity.in_progress && entity.end_ns >= plan_.from_ns &&
                                    entity.end_ns < plan_.until_ns;
                           });
    }
    return true;
  }

  void Damaged(std::string what) {
    if (damaged_.insert(what).second) result_.damaged.push_back(std::move(what));
  }

  SearchResult Finish(bool complete) {
    result_.complete = complete;
    std::uint64_t left = queue_.size();
    for (const Stream& stream : streams_) left += stream.left;
    for (const auto& block : waiting_) left += block->meta().traces;
    const auto scanned = static_cast<double>(result_.scanned_traces);
    if (!complete && left > 0)
      result_.scanned_share = scanned / (scanned + static_cast<double>(left));
    return std::move(result_);
  }

  EmbeddedStoreImpl& store_;
  const query::Plan& plan_;
  BlockList waiting_;
  std::vector<Stream> streams_;
  std::priority_queue<Item> queue_;
  std::optional<Cursor> before_;
  std::unordered_set<std::string> damaged_;
  SearchResult result_;
};

Result<SearchResult> EmbeddedStoreImpl::Search(const query::Plan& plan, const Visitor& visitor) {
  return SearchRun(*this, plan).Run(visitor);
}

}  // namespace fluoro::store
