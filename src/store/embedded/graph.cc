// The sums behind service graphs and time series: of whole minutes from what blocks hold summed, of
// the rest by the columns of their spans.
#include <algorithm>
#include <unordered_set>

#include "store/embedded/store_impl.h"

namespace fluoro::store {

using rollup::Rollup;
using rollup::RollupWindow;

class GraphRun {
 public:
  GraphRun(EmbeddedStoreImpl& store, const GraphPlan& plan)
      : store_(store),
        plan_(plan),
        reader_(Borrow()),
        all_sink_(result_.rollup, reader_->keys()),
        whole_sink_(result_.rollup, reader_->keys()),
        minus_sink_(result_.rollup, reader_->keys()),
        rest_sink_(result_.rollup, reader_->keys()) {
    result_.rollup = Rollup(plan.period_ns, {.series_per_period_max = kSeriesMax});
    minus_sink_.set_sign(-1);
    for (Rollup::Sink* sink : {&all_sink_, &whole_sink_, &minus_sink_, &rest_sink_})
      sink->set_accumulators(&accumulators_);
  }

  Result<GraphResult> Run() {
    const std::uint64_t assembled_before = reader_->assembled_traces();
    const std::uint64_t spans_before = reader_->spans_read();
    TakeHead();
    Plan();
    all_sink_.set_windows(all_);
    whole_sink_.set_windows(whole_);
    minus_sink_.set_windows(whole_);
    rest_sink_.set_windows(rest_);
    result_.complete = ReadBlocks() && ReadJoined() && ReadHead();
    accumulators_.Settle();
    result_.assembled_traces = reader_->assembled_traces() - assembled_before;
    result_.spans_read = reader_->spans_read() - spans_before;
    GiveBack();
    return std::move(result_);
  }

 private:
  static constexpr std::size_t kSeriesMax = 50'000;
  static constexpr std::size_t kReadersMax = 4;

  std::unique_ptr<GraphReader> Borrow() {
    MutexLock lock(store_.graph_mutex_);
    if (store_.graph_readers_.empty()) return std::make_unique<GraphReader>(store_.graph_cache_);
    auto reader = std::move(store_.graph_readers_.back());
    store_.graph_readers_.pop_back();
    return reader;
  }
  void GiveBack() {
    reader_->ForgetBatches();
    MutexLock lock(store_.graph_mutex_);
    if (store_.graph_readers_.size() < kReadersMax)
      store_.graph_readers_.push_back(std::move(reader_));
  }

  [[nodiscard]] bool IsOver() const {
    return plan_.stop.stop_requested() || store_.clock_.MonotonicNs() > plan_.deadline_ns;
  }
  void TakeHead() {
    Snapshot taken = store_.TakeSnapshot();
    result_.damaged = std::move(taken.damaged);
    blocks_ = std::move(taken.blocks);
    folded_ = std::move(taken.folded);
    head_ = std::move(taken.head);
    in_head_ = std::move(taken.in_head);
  }

  void Plan() {
    tables_.resize(blocks_->size());
    folded_tables_.resize(folded_->size());
    std::int64_t first_ns = INT64_MAX;
    std::int64_t last_ns = INT64_MIN;
    const auto open = [&](const BlockList& blocks, auto& tables) {
      for (std::size_t i = 0; i < blocks.size() && !plan_.from_spans; ++i) {
        auto table = blocks[i]->Rollup();
        if (!table) {
          Damaged(table.error().message);
          continue;
        }
        tables[i] = *std::move(table);
        if (tables[i] == nullptr) continue;
        first_ns = std::min(first_ns, tables[i]->first_ns);
        last_ns = std::max(last_ns, tables[i]->last_ns);
      }
    };
    open(*blocks_, tables_);
    open(*folded_, folded_tables_);
    const RollupWindow asked{.from_ns = plan_.from_ns, .until_ns = plan_.until_ns};
    SumWindows windows =
        plan_.from_spans ? WindowFromSpans(asked) : SplitWindow(asked, first_ns, last_ns);
    all_ = std::move(windows.all);
    whole_ = std::move(windows.whole);
    rest_ = std::move(windows.rest);
    if (whole_.empty()) return;
    for (std::size_t i = 0; i < tables_.size(); ++i)
      AddSums(*(*blocks_)[i], windows.minutes, tables_[i]);
    for (std::size_t i = 0; i < folded_tables_.size(); ++i)
      AddSums(*(*folded_)[i], windows.minutes, folded_tables_[i]);
  }

  // Of a block whose sums cannot be read its spans tell.
  void AddSums(const Block& block, const RollupWindow& minutes,
               std::shared_ptr<const RollupTable>& table) {
    if (table == nullptr) return;
    const bool holds_all =
        table->first_ns > table->last_ns ||
        (table->first_ns >= minutes.from_ns && table->last_ns < minutes.until_ns);
    if (holds_all && plan_.period_ns == 0) {
      result_.rollup.Merge(table->total);
    } else if (table->first_ns < minutes.until_ns && table->last_ns >= minutes.from_ns) {
      const auto rows = block.RollupOf(*table, minutes, plan_.period_ns);
      if (!rows) {
        Damaged(rows.error().message);
        table = nullptr;
        return;
      }
      result_.rollup.Merge(*rows);
    }
    ++result_.summed_blocks;
  }

  void Damaged(std::string what) {
    if (named_.insert(what).second) result_.damaged.push_back(std::move(what));
  }

  // Whether all of a trace that stands in one row group stands in this entry of a block.
  [[nodiscard]] bool IsAlone(const Block& block, const TraceTable& table, std::size_t place) const {
    const TraceEntry& entry = table.traces[place];
    if (table.IsPart(place)) return false;
    const std::uint64_t hash = TraceFilter::Hash(entry.id);
    return std::ranges::none_of(*blocks_, [&](const std::shared_ptr<Block>& other) {
      return other.get() != &block && other->MayContain(entry.id, hash);
    });
  }

  // False: the time is over.
  bool ReadBlocks() {
    for (std::size_t i = 0; i < blocks_->size(); ++i) {
      if (ReadBlock(i)) continue;
      result_.scanned_share = static_cast<double>(i) / static_cast<double>(blocks_->size());
      return false;
    }
    return true;
  }

  [[nodiscard]] bool IsSummed(std::size_t block) const {
    return tables_[block] != nullptr && !whole_.empty();
  }

  bool ReadBlock(std::size_t index) {
    const std::shared_ptr<Block>& block = (*blocks_)[index];
    const bool summed = IsSummed(index);
    const std::span<const RollupWindow> windows = summed ? rest_ : all_;
    const BlockMeta& meta = block->meta();
    if (summed && !Touches(meta.start_ns_min, meta.end_ns_max, windows)) return true;
    const auto table = block->Table();
    if (!table) {
      Damaged(table.error().message);
      return true;
    }
    const auto deleted = block->deleted();
    const auto is_deleted = [&](const model::TraceId& id) {
      return deleted && std::ranges::binary_search(*deleted, id);
    };
    std::vector<bool> wanted((*table)->traces.size());
    std::vector<bool> groups(meta.row_groups.size());
    GroupFinder finder;
    for (std::uint32_t place = 0; place < wanted.size(); ++place) {
      const TraceEntry& entry = (*table)->traces[place];
      const bool touches = Touches(entry.start_ns, entry.end_ns, windows);
      if ((summed && !touches) || is_deleted(entry.id) || in_head_.contains(entry.id)) continue;
      const auto group = finder.Find(*block, entry);
      if (!group || !IsAlone(*block, **table, place)) {
        // What a piece changes may lie in the time of another.
        joined_.insert(entry.id);
        continue;
      }
      if (!touches) continue;
      wanted[place] = true;
      groups[*group] = true;
    }
    Rollup::Sink& sink = summed ? rest_sink_ : all_sink_;
    // Asked just before the trace's samples are added.
    const auto wants = [&](std::uint32_t place) {
      const TraceEntry& entry = (*table)->traces[place];
      sink.set_sign(WholeWeight(entry.id, (*table)->KeptOf(entry)));
      return wanted[place];
    };
    for (std::uint32_t group = 0; group < groups.size(); ++group) {
      if (!groups[group]) continue;
      if (IsOver()) return false;
      const auto read = reader_->SampleGroup(block, *table, group, wants, sink);
      sink.set_sign(1);
      if (!read) {
        Damaged(read.error().message);
        continue;
      }
      result_.column_bytes += *read;
    }
    return true;
  }

  // Traces in several pieces, a bounded number of rows at a time.
  bool ReadPieces(std::vector<GraphReader::Pieces>& batch) {
    if (batch.empty()) return true;
    if (auto read = reader_->SamplePieces(batch); !read) Damaged(read.error().message);
    batch.clear();
    return !IsOver();
  }

  bool ReadJoined() {
    for (const model::TraceId& id : joined_) {
      auto fragments = EmbeddedStoreImpl::FindIn(*blocks_, id);
      if (!fragments) {
        Damaged(fragments.error().message);
        continue;
      }
      if (!AddPieces(*std::move(fragments))) return false;
    }
    return ReadPieces();
  }

  // A sum holds what its pieces changed: the graph of the trace up to them less that before. What
  // no sum holds is added likewise; in parts of minutes the whole trace is.
  bool AddPieces(Fragments fragments) {
    GraphReader::Pieces pieces{.fragments = std::move(fragments), .sinks = {}};
    const std::size_t in_blocks = pieces.fragments.blocks.size();
    const std::size_t count = in_blocks + (pieces.fragments.head ? 1 : 0);
    if (count == 0) return true;
    const auto summed = [&](std::size_t piece) {  // from 1
      if (piece > in_blocks) return false;
      const auto at = std::ranges::find(*blocks_, pieces.fragments.blocks[piece - 1].block);
      return IsSummed(static_cast<std::size_t>(at - blocks_->begin()));
    };
    pieces.sinks.resize(count + 1);
    for (std::size_t joined = 1; joined <= count; ++joined) {
      const bool adds = !summed(joined);
      const bool takes = joined < count && !summed(joined + 1);
      const bool is_last = joined == count;
      if (is_last) {
        pieces.sinks[joined] = adds ? &all_sink_ : rest_.empty() ? nullptr : &rest_sink_;
      } else if (adds != takes) {
        pieces.sinks[joined] = whole_.empty() ? nullptr : adds ? &whole_sink_ : &minus_sink_;
      }
    }
    const std::int64_t weight = WeightOf(pieces.fragments);
    rows_ += GraphReader::RowsOf(pieces.fragments);
    if (weight == 1) {
      pieces_.push_back(std::move(pieces));
      return rows_ < GraphReader::kPiecesRowsMax || ReadPieces();
    }
    // By itself, since the sinks carry its weight.
    if (!ReadPieces()) return false;
    SetWeight(weight);
    pieces_.push_back(std::move(pieces));
    const bool go_on = ReadPieces();
    SetWeight(1);
    return go_on;
  }

  static std::int64_t WeightOf(const Fragments& fragments) {
    const model::Kept* kept = fragments.KeptFor();
    return fragments.blocks.empty() ? 1 : WholeWeight(fragments.blocks.front().entry.id, kept);
  }

  void SetWeight(std::int64_t weight) {
    all_sink_.set_sign(weight);
    whole_sink_.set_sign(weight);
    minus_sink_.set_sign(-weight);
    rest_sink_.set_sign(weight);
  }

  // A bounded number of rows at a time.
  bool ReadPieces() {
    rows_ = 0;
    if (pieces_.empty()) return true;
    if (auto read = reader_->SamplePieces(pieces_); !read) Damaged(read.error().message);
    // Their batches are remembered by address.
    for (GraphReader::Pieces& done : pieces_) {
      if (done.fragments.head) head_.push_back(std::move(done.fragments.head));
    }
    pieces_.clear();
    return !IsOver();
  }

  bool ReadHead() {
    const std::size_t count = head_.size();
    for (std::size_t i = 0; i < count; ++i) {
      auto fragments = EmbeddedStoreImpl::FindIn(*blocks_, head_[i]->id);
      if (!fragments) {
        Damaged(fragments.error().message);
        fragments = Fragments();
      }
      if (fragments->blocks.empty()) {
        if (Touches(head_[i]->start_ns, head_[i]->end_ns, all_))
          reader_->SampleHead(*head_[i], all_sink_);
        continue;
      }
      fragments->head = std::move(head_[i]);
      if (!AddPieces(*std::move(fragments))) return false;
    }
    return ReadPieces();
  }

  EmbeddedStoreImpl& store_;
  const GraphPlan& plan_;
  GraphResult result_;
  std::unique_ptr<GraphReader> reader_;
  std::shared_ptr<const BlockList> blocks_;
  std::shared_ptr<const BlockList> folded_;
  std::vector<std::unique_ptr<TraceRows>> head_;
  std::unordered_set<model::TraceId> in_head_;
  std::unordered_set<model::TraceId> joined_;
  std::vector<std::shared_ptr<const RollupTable>> tables_;  ///< by block; null: its spans tell
  std::vector<std::shared_ptr<const RollupTable>> folded_tables_;  ///< of blocks that are gone
  std::vector<RollupWindow> all_, whole_, rest_;  ///< asked: from sums, and from spans
  rollup::Accumulators accumulators_{result_.rollup};
  Rollup::Sink all_sink_, whole_sink_, minus_sink_, rest_sink_;
  std::vector<GraphReader::Pieces> pieces_;
  std::uint64_t rows_ = 0;
  std::unordered_set<std::string> named_;
};

Result<GraphResult> EmbeddedStoreImpl::Graph(const GraphPlan& plan) {
  if (plan.period_ns < 0 || plan.period_ns % rollup::kMinuteNs != 0)
    return Fail(ErrorCode::kInvalidArgument, "a period is a multiple of a minute");
  return GraphRun(*this, plan).Run();
}

}  // namespace fluoro::store
