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
  GraphRun(EmbeddedStoreImpl& store, const GraphPlan& plan) : store_(store), plan_(plan) {
    result_.rollup = Rollup(plan.period_ns, {.series_per_period_max = kSeriesMax});
  }

  Result<GraphResult> Run() {
    reader_ = Borrow();
    const std::uint64_t assembled_before = reader_->assembled_traces();
    const std::uint64_t spans_before = reader_->spans_read();
    TakeHead();
    Plan();
    result_.complete = ReadBlocks() && ReadJoined() && ReadHead();
    result_.assembled_traces = reader_->assembled_traces() - assembled_before;
    result_.spans_read = reader_->spans_read() - spans_before;
    GiveBack();
    return std::move(result_);
  }

 private:
  static constexpr std::size_t kSeriesMax = 50'000;
  static constexpr std::size_t kReadersMax = 4;
  static constexpr std::size_t kHeadTracesAtOnce = 1'024;
  static constexpr int kAttemptsMax = 4;

  std::unique_ptr<GraphReader> Borrow() {
    MutexLock lock(store_.graph_mutex_);
    if (store_.graph_readers_.empty()) return std::make_unique<GraphReader>();
    auto reader = std::move(store_.graph_readers_.back());
    store_.graph_readers_.pop_back();
    return reader;
  }
  void GiveBack() {
    MutexLock lock(store_.graph_mutex_);
    if (store_.graph_readers_.size() < kReadersMax)
      store_.graph_readers_.push_back(std::move(reader_));
  }

  [[nodiscard]] bool IsOver() const {
    return plan_.stop.stop_requested() || store_.clock_.MonotonicNs() > plan_.deadline_ns;
  }
  static bool Touches(std::int64_t start_ns, std::int64_t end_ns,
                      std::span<const RollupWindow> windows) {
    return std::ranges::any_of(windows, [=](const RollupWindow& window) {
      return start_ns < window.until_ns && end_ns >= window.from_ns;
    });
  }

  // Head and list of blocks as they were at one instant, or nearly: a trace is never seen in both
  // or in neither. What is in the head is taken bit by bit, so that writers need not wait; anew if
  // rows moved meanwhile.
  void TakeHead() {
    for (int attempt = 1;; ++attempt) {
      const bool at_once = attempt == kAttemptsMax;
      head_.clear();
      std::vector<TraceTimes> times;
      MutexLock lock(store_.state_mutex_);
      result_.damaged = store_.damaged_;
      blocks_ = store_.blocks_;
      times = store_.head_.Times();
      bool moved = false;
      for (std::size_t i = 0; i < times.size() && !moved; ++i) {
        if (i % kHeadTracesAtOnce == kHeadTracesAtOnce - 1 && !at_once) {
          lock.unlock();
          lock.lock();
          moved = store_.blocks_ != blocks_;
          if (moved) break;
        }
        if (auto trace = store_.head_.Find(times[i].id)) head_.push_back(std::move(trace));
      }
      if (!moved) break;
    }
    for (const auto& trace : head_) in_head_.insert(trace->id);
  }

  void Plan() { whole_ = {{.from_ns = plan_.from_ns, .until_ns = plan_.until_ns}}; }

  void Damaged(std::string what) {
    if (named_.insert(what).second) result_.damaged.push_back(std::move(what));
  }

  // Whether all of a trace stands in this entry of a block.
  [[nodiscard]] bool IsAlone(const Block& block, const TraceTable& table,
                             const TraceEntry& entry) const {
    if (!block.OnlyGroupOf(entry)) return false;
    if (!table.by_row.empty() && table.Find(entry.id).size() > 1) return false;
    return std::ranges::none_of(*blocks_, [&](const std::shared_ptr<Block>& other) {
      return other.get() != &block && other->MayContain(entry.id);
    });
  }

  // False: the time is over.
  bool ReadBlocks() {
    for (std::size_t i = 0; i < blocks_->size(); ++i) {
      if (ReadBlock((*blocks_)[i])) continue;
      result_.scanned_share = static_cast<double>(i) / static_cast<double>(blocks_->size());
      return false;
    }
    return true;
  }

  bool ReadBlock(const std::shared_ptr<Block>& block) {
    const std::span<const RollupWindow> windows = whole_;
    const BlockMeta& meta = block->meta();
    if (!Touches(meta.start_ns_min, meta.end_ns_max, windows)) return true;
    const auto table = block->Table();
    if (!table) {
      Damaged(table.error().message);
      return true;
    }
    // 0: not wanted, 1: whole in its row group.
    std::vector<std::uint8_t> wanted((*table)->traces.size());
    std::vector<bool> groups(meta.row_groups.size());
    for (std::uint32_t place = 0; place < wanted.size(); ++place) {
      const TraceEntry& entry = (*table)->traces[place];
      if (!Touches(entry.start_ns, entry.end_ns, windows) || block->IsDeleted(entry.id)) continue;
      if (in_head_.contains(entry.id)) continue;
      if (!IsAlone(*block, **table, entry)) {
        joined_.insert(entry.id);
        continue;
      }
      wanted[place] = 1;
      groups[*block->OnlyGroupOf(entry)] = true;
    }
    Rollup::Sink sink(result_.rollup, reader_->keys());
    sink.set_windows(windows);
    for (std::uint32_t group = 0; group < groups.size(); ++group) {
      if (!groups[group]) continue;
      if (IsOver()) return false;
      const auto read = reader_->SampleGroup(
          block, *table, group, [&](std::uint32_t place) { return wanted[place] != 0; }, sink);
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
    Rollup::Sink sink(result_.rollup, reader_->keys());
    sink.set_windows(whole_);
    std::vector<GraphReader::Pieces> batch;
    std::uint64_t rows = 0;
    for (const model::TraceId& id : joined_) {
      auto fragments = EmbeddedStoreImpl::FindIn(*blocks_, id);
      if (!fragments) {
        Damaged(fragments.error().message);
        continue;
      }
      if (!AddPieces(*std::move(fragments), sink, batch, rows)) return false;
    }
    return ReadPieces(batch);
  }

  bool AddPieces(Fragments fragments, Rollup::Sink& sink, std::vector<GraphReader::Pieces>& batch,
                 std::uint64_t& rows) {
    GraphReader::Pieces pieces{.fragments = std::move(fragments), .sinks = {}};
    pieces.sinks.resize(pieces.fragments.blocks.size() + (pieces.fragments.head ? 2 : 1));
    if (pieces.sinks.size() == 1) return true;
    pieces.sinks.back() = &sink;
    rows += GraphReader::RowsOf(pieces.fragments);
    batch.push_back(std::move(pieces));
    if (rows < GraphReader::kPiecesRowsMax) return true;
    rows = 0;
    return ReadPieces(batch);
  }

  bool ReadHead() {
    Rollup::Sink sink(result_.rollup, reader_->keys());
    sink.set_windows(whole_);
    std::vector<GraphReader::Pieces> batch;
    std::uint64_t rows = 0;
    for (auto& trace : head_) {
      auto fragments = EmbeddedStoreImpl::FindIn(*blocks_, trace->id);
      if (!fragments) {
        Damaged(fragments.error().message);
        fragments = Fragments();
      }
      if (fragments->blocks.empty()) {
        if (Touches(trace->start_ns, trace->end_ns, whole_)) reader_->SampleHead(*trace, sink);
        trace.reset();
        continue;
      }
      fragments->head = std::move(trace);
      if (!AddPieces(*std::move(fragments), sink, batch, rows)) return false;
    }
    return ReadPieces(batch);
  }

  EmbeddedStoreImpl& store_;
  const GraphPlan& plan_;
  GraphResult result_;
  std::unique_ptr<GraphReader> reader_;
  std::shared_ptr<const BlockList> blocks_;
  std::vector<std::unique_ptr<TraceRows>> head_;
  std::unordered_set<model::TraceId> in_head_;
  std::unordered_set<model::TraceId> joined_;
  std::vector<RollupWindow> whole_;
  std::unordered_set<std::string> named_;
};

Result<GraphResult> EmbeddedStoreImpl::Graph(const GraphPlan& plan) {
  if (plan.period_ns < 0 || plan.period_ns % rollup::kMinuteNs != 0)
    return Fail(ErrorCode::kInvalidArgument, "a period is a multiple of a minute");
  return GraphRun(*this, plan).Run();
}

}  // namespace fluoro::store
