// Search: a merge by start, newest first, over the head and the trace tables of the blocks that the
// window touches. Traces of which summaries say that they do not match, and those that the filter's
// sieve holds back, are passed over by summary and by columns; spans are read of the others, unless
// a list is wanted and a summary tells what it shows.
#include <algorithm>
#include <deque>
#include <map>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "query/sieve.h"
#include "query/summary_filter.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

using query::Cursor;
using query::TimeRange;
using query::Verdict;

class SearchRun {
 public:
  SearchRun(EmbeddedStoreImpl& store, const query::Plan& plan) : store_(store), plan_(plan) {
    if (!plan.filter || plan.filter->matches_all()) return;
    sieve_ = query::Sieve::Of(*plan.filter);
    summary_filter_ = query::SummaryFilter::Of(*plan.filter);
    judges_ = plan.use_index && !summary_filter_.says_nothing();
  }

  Result<SearchResult> Run(const Visitor& visitor) { return RunWith({.match = &visitor}); }
  // Of traces that a summary tells, nothing else is read.
  Result<SearchResult> RunList(const OutlineVisitor& visitor) {
    const Visitor match = [&visitor](const Match& found) {
      return visitor(OutlineOf(found.trace, found.view.summary()));
    };
    return RunWith({.match = &match, .outline = plan_.use_index ? &visitor : nullptr});
  }

 private:
  struct Visitors {
    const Visitor* match = nullptr;
    const OutlineVisitor* outline = nullptr;  // null: whole traces are wanted
  };

  Result<SearchResult> RunWith(const Visitors& visitors) {
    lists_ = visitors.outline != nullptr;
    Begin();
    while (Advance()) {
      if (plan_.stop.stop_requested() || result_.scanned_traces >= plan_.scan_max ||
          store_.clock_.MonotonicNs() > plan_.deadline_ns) {
        return Finish(false);
      }
      const Item item = Take();
      if (item.passed_over > 0) PassOver(item.passed_over, item.at);
      result_.by_summaries += item.by_summaries;
      if (item.is_mark) continue;
      if (before_ && before_->start_ns == item.at.start_ns && before_->trace_id == item.at.trace_id)
        continue;
      before_ = item.at;
      if (!Consider(item, visitors)) return Finish(false);
    }
    return Finish(true);
  }

  static constexpr std::size_t kHead = SIZE_MAX;
  static constexpr std::size_t kMoved = SIZE_MAX - 1;
  static constexpr std::uint32_t kNoGroup = UINT32_MAX;
  static constexpr std::uint32_t kNotRead = UINT32_MAX;
  static constexpr std::size_t kHeadSievesMax = 256;
  // Row groups of which the traces that passed are held, read at once.
  static constexpr std::size_t kHeldGroupsMax = 4;
  // A merge leaves the row groups of its inputs side by side, whose times overlap.
  static constexpr std::size_t kSiftedGroupsMax = 16;

  struct Item {
    Cursor at;
    std::size_t source = kHead;      // a stream, kHead or kMoved
    std::uint32_t group = kNoGroup;  // that holds it whole and was sifted
    std::uint32_t run = 0;           // there
    std::uint32_t place = 0;         // in the stream's table
    std::uint64_t passed_over = 0;   // of the stream, between the item before and this one
    std::uint64_t by_summaries = 0;  // of these
    bool is_mark = false;            // stands for what was passed over only
    bool operator<(const Item& other) const { return at < other.at; }
  };
  struct Sifted {
    Block::Sieved sieved;
    bool none_passes = false;                                 // of its traces
    bool by_summaries = false;                                // that says it
    std::vector<Verdict> verdicts = {};                       // of summaries, by run; empty: none
    bool is_read = false;                                     // or it was tried
    std::shared_ptr<const model::SpanBatch> batch = nullptr;  // with the traces that passed
    std::vector<std::uint32_t> row_of = {};                   // there, by run
    [[nodiscard]] bool Passes(std::size_t run) const {
      return !none_passes && (run >= sieved.passes.size() || sieved.passes[run]);
    }
    [[nodiscard]] bool IsRuledOut(std::size_t run) const {
      return by_summaries || (run < verdicts.size() && verdicts[run] == Verdict::kNo);
    }
  };
  struct Stream {
    std::shared_ptr<Block> block;
    std::uint64_t block_id = 0;
    std::shared_ptr<const TraceTable> table;
    std::shared_ptr<const std::vector<model::TraceId>> deleted = {};  // null: none
    std::size_t left = 0;                         // entries not offered yet: [0, left)
    std::map<std::uint32_t, Sifted> sifted = {};  // by row group
    std::uint32_t last_group = UINT32_MAX;        // looked for in it, and what was found
    Sifted* last = nullptr;
    GroupFinder groups = {};
    std::shared_ptr<const SummaryTable> summaries = {};  // null: there are none, or not wanted
    std::unique_ptr<query::SummaryJudge> judge = {};     // on them

    // The next is mostly in the same.
    Sifted* Find(std::uint32_t of_group) {
      if (of_group == last_group) return last;
      const auto at = sifted.find(of_group);
      if (at == sifted.end()) return nullptr;
      last_group = of_group;
      return last = &at->second;
    }
    void ForgetSifted() {
      sifted.clear();
      last_group = UINT32_MAX;
    }
    // What is deleted from now on is found missing when it is read.
    [[nodiscard]] bool IsDeleted(const model::TraceId& id) const {
      return deleted && std::binary_search(deleted->begin(), deleted->end(), id);
    }
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
      blocks_ = store_.blocks_;
    }
    waiting_ = *blocks_;
    for (const TraceTimes& trace : head) {
      if (judges_ || !sieve_.passes_all()) in_head_.insert(trace.id);
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
      streams_.push_back({.block = block,
                          .block_id = block->meta().id,
                          .table = *table,
                          .deleted = block->deleted(),
                          .left = (*table)->traces.size()});
      if (judges_ || lists_) ReadSummaries(streams_.back());
      Offer(streams_.size() - 1);
    }
    return !queue_.empty();
  }

  // What cannot be read is named, and the spans are read instead.
  void ReadSummaries(Stream& stream) {
    auto summaries = stream.block->Summaries(*stream.table);
    if (!summaries) return Damaged(summaries.error().message);
    if (*summaries == nullptr) return;
    stream.summaries = *std::move(summaries);
    stream.judge = std::make_unique<query::SummaryJudge>(summary_filter_, stream.summaries->texts);
  }

  // Puts the next wanted entry of a stream into the queue. Sifts one row group at most: if nothing
  // in it passes, a mark comes instead, so that deadlines and the order of the search hold.
  void Offer(std::size_t source) {
    Stream& stream = streams_[source];
    Item item{.at = {}, .source = source};
    bool sifted = false;
    bool passed_over = false;
    const bool sifts = !sieve_.passes_all() || (judges_ && stream.judge != nullptr);
    for (; stream.left > 0; --stream.left) {
      const std::size_t place = stream.left - 1;
      const TraceEntry& entry = stream.table->traces[place];
      if (ByStart() && entry.start_ns < plan_.from_ns) {
        stream.left = 0;  // the rest is older still
        break;
      }
      if (!Wanted(entry.id, entry.start_ns, entry.end_ns) || stream.IsDeleted(entry.id)) continue;
      item.group = sifts ? stream.groups.Find(*stream.block, entry).value_or(kNoGroup) : kNoGroup;
      item.place = static_cast<std::uint32_t>(place);
      item.at = {.start_ns = entry.start_ns, .trace_id = entry.id};
      if (item.group != kNoGroup) {
        Sifted* known = stream.Find(item.group);
        if (known == nullptr) {
          if (sifted && passed_over) break;
          known = &Sift(stream, item.group);
          sifted = true;
        }
        const std::size_t run =
            known->none_passes ? 0 : stream.table->RunOf(place) - known->sieved.first_run;
        item.run = static_cast<std::uint32_t>(run);
        if (!known->Passes(run) && IsWhole(place, stream)) {
          passed_over = true;
          if (BehindCursor(item.at)) {
            ++item.passed_over;
            if (known->IsRuledOut(run)) ++item.by_summaries;
          }
          continue;
        }
      }
      --stream.left;
      queue_.push(item);
      return;
    }
    if (passed_over) {
      item.is_mark = true;
      queue_.push(item);
      return;
    }
    stream.table.reset();
    stream.block.reset();
  }

  Sifted& Sift(Stream& stream, std::uint32_t group) {
    // Groups of younger traces are done with, whatever order they were sifted in.
    if (stream.sifted.size() >= kSiftedGroupsMax) stream.ForgetSifted();
    Sifted& sifted = stream.sifted[group];  // everything passes
    if (judges_ && stream.judge != nullptr && IsDecided(stream, group, sifted)) return sifted;
    if (plan_.use_index && IsPruned(*stream.block, group)) {
      sifted.none_passes = true;
      return sifted;
    }
    auto sieved = stream.block->Sift(sieve_, *stream.table, group);
    if (!sieved) {
      Damaged(sieved.error().message);
      return sifted;
    }
    sifted.sieved = *std::move(sieved);
    sifted.none_passes = sifted.sieved.passes.empty();
    RuleOut(sifted);
    ++result_.row_groups;
    result_.column_bytes += sifted.sieved.bytes_read;
    return sifted;
  }

  // What summaries say of a row group's traces; true: nothing else needs to be asked.
  bool IsDecided(Stream& stream, std::uint32_t group, Sifted& sifted) {
    const TraceTable& table = *stream.table;
    const auto [first_row, end_row] = stream.block->RowsIn(group);
    const std::size_t first_run = stream.block->FirstRunOf(table, group);
    bool all_known = true;
    bool any_passes = false;
    for (std::size_t run = first_run; run < table.traces.size(); ++run) {
      const std::size_t place = table.by_row.empty() ? run : table.by_row[run];
      const TraceEntry& entry = table.traces[place];
      if (entry.first_row >= end_row) break;
      const bool is_inside =
          entry.first_row >= first_row && entry.first_row + entry.rows <= end_row;
      const Verdict verdict =
          is_inside ? stream.judge->Judge(stream.summaries->traces[place]) : Verdict::kUnknown;
      sifted.verdicts.push_back(verdict);
      all_known = all_known && verdict != Verdict::kUnknown;
      any_passes = any_passes || verdict != Verdict::kNo;
    }
    if (!any_passes) {
      sifted.none_passes = sifted.by_summaries = true;
      return true;
    }
    if (!all_known && !sieve_.passes_all()) return false;
    sifted.sieved.first_run = first_run;
    sifted.sieved.passes.assign(sifted.verdicts.size(), true);
    RuleOut(sifted);
    for (std::size_t i = 0; i < sifted.verdicts.size(); ++i) {
      const TraceEntry& entry = table.AtRun(first_run + i);
      const std::uint64_t begin = std::max(entry.first_row, first_row);
      const std::uint64_t end = std::min(entry.first_row + entry.rows, end_row);
      sifted.sieved.rows.push_back({.begin = static_cast<std::uint32_t>(begin - first_row),
                                    .end = static_cast<std::uint32_t>(end - first_row)});
    }
    return true;
  }

  static void RuleOut(Sifted& sifted) {
    std::vector<bool>& passes = sifted.sieved.passes;
    for (std::size_t i = 0; i < std::min(passes.size(), sifted.verdicts.size()); ++i)
      passes[i] = passes[i] && sifted.verdicts[i] != Verdict::kNo;
  }

  // What cannot be read is named, and the columns are read instead.
  bool IsPruned(const Block& block, std::uint32_t group) {
    const auto pruned = block.Prune(sieve_, group);
    if (!pruned) {
      Damaged(pruned.error().message);
      return false;
    }
    result_.index_bytes += pruned->bytes_read;
    if (pruned->pruning == Pruning::kByZones) ++result_.pruned_by_zones;
    if (pruned->pruning == Pruning::kByFilters) ++result_.pruned_by_filters;
    return pruned->pruning != Pruning::kNone;
  }

  // Of a trace that passed: its rows are read together with those of all others that passed in its
  // row group.
  void GiveRows(const Item& item, Fragments::InBlock& part) {
    if (part.block->OnlyGroupOf(part.entry) != item.group) return;
    const auto at = streams_[item.source].sifted.find(item.group);
    if (at == streams_[item.source].sifted.end()) return;
    Sifted& sifted = at->second;
    if (sifted.none_passes) return;
    if (!sifted.is_read) {
      sifted.is_read = true;
      if (part.table == nullptr) return;  // the last of its block
      ReadPassing(part, item.group, sifted);
      if (sifted.batch == nullptr) return;
      held_.push_back({item.source, item.group});
      if (held_.size() > kHeldGroupsMax) LetGo();
    }
    if (sifted.batch != nullptr && item.run < sifted.row_of.size() &&
        sifted.row_of[item.run] != kNotRead)
      part.read = {.batch = sifted.batch, .begin = sifted.row_of[item.run]};
  }

  void LetGo() {
    const auto [stream, group] = held_.front();
    held_.pop_front();
    const auto at = streams_[stream].sifted.find(group);
    if (at != streams_[stream].sifted.end()) at->second.batch = nullptr;
  }

  // What cannot be read is named when its traces are read one by one.
  static void ReadPassing(const Fragments::InBlock& part, std::uint32_t group, Sifted& sifted) {
    const Block::Sieved& sieved = sifted.sieved;
    std::vector<model::Range> rows;
    std::uint32_t count = 0;
    sifted.row_of.assign(sieved.rows.size(), kNotRead);
    for (std::size_t run = 0; run < sieved.rows.size(); ++run) {
      if (!sieved.passes[run]) continue;
      sifted.row_of[run] = count;
      rows.push_back(sieved.rows[run]);
      count += sieved.rows[run].size();
    }
    const auto [begin, end] = part.block->RowsIn(group);
    if (count * std::uint64_t{2} > end - begin) {
      for (std::size_t run = 0; run < sieved.rows.size(); ++run)
        sifted.row_of[run] = sieved.rows[run].begin;
      if (auto batch = part.block->RowGroup(*part.table, group)) sifted.batch = *std::move(batch);
      return;
    }
    if (auto batch = part.block->SomeRows(*part.table, group, rows))
      sifted.batch = *std::move(batch);
  }

  // Whether all of a trace stands in this block, in one piece.
  bool IsWhole(std::size_t place, const Stream& stream) {
    if (stream.table->IsPart(place)) return false;
    const model::TraceId& id = stream.table->traces[place].id;
    if (!in_head_.empty() && in_head_.contains(id)) return false;
    const std::uint64_t hash = TraceFilter::Hash(id);
    const bool elsewhere = std::ranges::any_of(*blocks_, [&](const std::shared_ptr<Block>& other) {
      return other != stream.block && other->MayContain(id, hash);
    });
    if (!elsewhere) return true;
    const auto fragments = store_.Find(id);
    return fragments && fragments->blocks.size() == 1 && !fragments->head;
  }

  // Whether a trace of which everything is in the head can match.
  bool HeadMayMatch(const TraceRows& trace) {
    if (sieve_.passes_all()) return true;
    std::vector<bool> holds(sieve_.probes().size());
    HoldByExtent(sieve_, trace.start_ns, trace.end_ns, holds);
    for (const RowRef row : trace.rows) SieveOf(trace, row.batch).Hold(row.row, holds);
    return sieve_.Passes(holds);
  }

  query::BatchSieve& SieveOf(const TraceRows& trace, const model::SpanBatch* batch) {
    if (const auto at = head_sieves_.find(batch); at != head_sieves_.end()) return at->second.sieve;
    if (head_sieves_.size() >= kHeadSievesMax) head_sieves_.clear();
    const auto holder =
        std::ranges::find(trace.batches, batch, [](const auto& shared) { return shared.get(); });
    return head_sieves_.try_emplace(batch, HeadSieve{.batch = *holder, .sieve = {sieve_, *batch}})
        .first->second.sieve;
  }

  void PassOver(std::uint64_t traces, const Cursor& at) {
    result_.scanned_traces += traces;
    result_.passed_over += traces;
    if (BehindCursor(at)) result_.last = at;
  }

  Item Take() {
    Item item = queue_.top();
    queue_.pop();
    if (item.source < kMoved) Offer(item.source);
    return item;
  }

  // A trace is visited once, at its earliest start, with all its fragments. False: the visitor
  // stops.
  bool Consider(const Item& item, const Visitors& visitors) {
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
    if (fragments->blocks.empty() && !HeadMayMatch(*fragments->head)) {
      PassOver(1, item.at);
      return true;
    }
    if (lists_) {
      if (const auto outline = TellOutline(item, *fragments)) {
        ++result_.scanned_traces;
        ++result_.by_summaries;
        result_.last = item.at;
        return (*visitors.outline)(*outline);
      }
    }
    if (item.source < kMoved) {
      const Stream& stream = streams_[item.source];
      for (Fragments::InBlock& part : fragments->blocks) {
        if (part.table == nullptr && part.block == stream.block) part.table = stream.table;
      }
    }
    if (item.group != kNoGroup && fragments->blocks.size() == 1 &&
        fragments->blocks.front().block->meta().id == streams_[item.source].block_id)
      GiveRows(item, fragments->blocks.front());
    auto trace = ReadTracePart(id, *fragments, 0, store_.read_budget_);
    if (!trace) {
      Damaged(trace.error().message);
      return true;
    }
    ++result_.scanned_traces;
    result_.spans_read += (*trace)->spans.size();
    if ((*trace)->IsPart()) ++result_.cut_traces;
    result_.last = item.at;
    const model::AssembledTrace assembled = model::Assemble(*std::move(trace));
    if (!Matches(assembled)) return true;
    const query::TraceView view(assembled);
    if (plan_.filter && !plan_.filter->Matches(view)) return true;
    return (*visitors.match)({.trace = assembled, .view = view});
  }

  // Of a trace that stands in one piece and whose summary says that it matches.
  std::optional<Outline> TellOutline(const Item& item, const Fragments& fragments) {
    if (item.source >= kMoved || fragments.blocks.size() != 1 || fragments.head != nullptr)
      return std::nullopt;
    Stream& stream = streams_[item.source];
    const Fragments::InBlock& part = fragments.blocks.front();
    if (stream.judge == nullptr || part.block->meta().id != stream.block_id) return std::nullopt;
    const model::StoredSummary& summary = stream.summaries->traces[item.place];
    // Some span then begins in the window; of ends a summary knows one.
    const bool is_inside = plan_.time_range != TimeRange::kService &&
                           summary.start_ns >= plan_.from_ns && summary.start_ns < plan_.until_ns;
    if (!is_inside || summary.name == 0 || summary.services[0] == 0 ||
        stream.judge->Judge(summary) != Verdict::kYes) {
      return std::nullopt;
    }
    const model::Kept* const kept = fragments.KeptFor();
    return OutlineOf(item.at.trace_id, summary, stream.summaries->texts, part.entry.rows,
                     kept == nullptr ? 1 : kept->probability);
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

  // Holds the batch, whose address must not be another's while it is in the map.
  struct HeadSieve {
    std::shared_ptr<const model::SpanBatch> batch;
    query::BatchSieve sieve;
  };

  EmbeddedStoreImpl& store_;
  const query::Plan& plan_;
  query::Sieve sieve_;                   // passes all if there is no filter
  query::SummaryFilter summary_filter_;  // likewise
  bool judges_ = false;                  // by summaries
  bool lists_ = false;                   // outlines are enough
  std::shared_ptr<const BlockList> blocks_;
  std::unordered_set<model::TraceId> in_head_;  // only with a sieve
  std::unordered_map<const model::SpanBatch*, HeadSieve> head_sieves_;
  BlockList waiting_;
  std::vector<Stream> streams_;
  std::deque<std::pair<std::size_t, std::uint32_t>> held_;  // streams' groups with a batch
  std::priority_queue<Item> queue_;
  std::optional<Cursor> before_;
  std::unordered_set<std::string> damaged_;
  SearchResult result_;
};

Result<SearchResult> EmbeddedStoreImpl::Search(const query::Plan& plan, const Visitor& visitor) {
  return SearchRun(*this, plan).Run(visitor);
}

Result<SearchResult> EmbeddedStoreImpl::List(const query::Plan& plan,
                                             const OutlineVisitor& visitor) {
  return SearchRun(*this, plan).RunList(visitor);
}

}  // namespace fluoro::store
