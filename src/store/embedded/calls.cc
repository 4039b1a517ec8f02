// The sums of calls over a window: of whole minutes from what blocks hold summed, of the rest from
// spans, where the keys of their attributes say that there may be any.
#include <algorithm>
#include <set>

#include "store/embedded/call_groups.h"
#include "store/embedded/snapshot.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

using rollup::CallSums;
using rollup::RollupWindow;

class CallsRun {
 public:
  CallsRun(EmbeddedStoreImpl& store, const CallsPlan& plan)
      : store_(store), plan_(plan), reader_(store.graph_cache_) {
    if (plan.period_ns % rollup::kHourNs == 0) facet_ = rollup::FacetOf(plan.dimensions);
    result_.sums = CallSums(
        plan.period_ns, plan.dimensions,
        {.series_per_period_max = kSeriesMax, .cells_max = kCellsMax, .series_max = kSeriesMax});
  }

  Result<CallsResult> Run() {
    at_ = store_.TakeSnapshot();
    result_.damaged = std::move(at_.damaged);
    for (const std::string& known : result_.damaged) named_.insert(known);
    AddSums();
    result_.complete = ReadBlocks() && ReadHead();
    return std::move(result_);
  }

 private:
  static constexpr std::size_t kSeriesMax = 50'000;
  static constexpr std::size_t kCellsMax = 200'000;

  [[nodiscard]] bool IsOver() const {
    return plan_.stop.stop_requested() || store_.clock_.MonotonicNs() > plan_.deadline_ns;
  }
  void Damaged(std::string what) {
    if (named_.insert(what).second) result_.damaged.push_back(std::move(what));
  }

  struct Table {
    std::shared_ptr<const CallTable> sums;
    bool by_hour = false;
  };

  // Sums by hour, where they tell enough, have the fewest series.
  Result<Table> TableOf(const Block& block) {
    if (facet_) {
      auto hours = block.CallHours(*facet_);
      if (!hours) Damaged(hours.error().message);
      if (hours && *hours != nullptr) return Table{.sums = *std::move(hours), .by_hour = true};
    }
    FLUORO_TRY(auto minutes, block.Calls());
    return Table{.sums = std::move(minutes)};
  }

  void AddSums() {
    summed_.resize(at_.blocks->size());
    std::vector<Table> tables(at_.blocks->size() + at_.folded->size());
    const auto block_at = [&](std::size_t i) -> const Block& {
      const std::size_t blocks = at_.blocks->size();
      return i < blocks ? *(*at_.blocks)[i] : *(*at_.folded)[i - blocks];
    };
    std::int64_t first_ns = INT64_MAX;
    std::int64_t last_ns = INT64_MIN;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      auto table = TableOf(block_at(i));
      if (!table) {
        Damaged(table.error().message);
        continue;
      }
      if (i < summed_.size()) summed_[i] = block_at(i).meta().calls_summed;
      tables[i] = *std::move(table);
      if (tables[i].sums == nullptr) continue;
      first_ns = std::min(first_ns, tables[i].sums->first_ns);
      last_ns = std::max(last_ns, tables[i].sums->last_ns);
    }
    windows_ =
        SplitWindow({.from_ns = plan_.from_ns, .until_ns = plan_.until_ns}, first_ns, last_ns);
    if (windows_.whole.empty()) {
      summed_.assign(summed_.size(), false);
      return;
    }
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (tables[i].sums != nullptr && !AddTable(block_at(i), tables[i]) && i < summed_.size())
        summed_[i] = false;
    }
  }

  bool AddTable(const Block& block, const Table& table) {
    const RollupWindow& minutes = windows_.minutes;
    const CallTable& sums = *table.sums;
    const bool holds_all = sums.first_ns >= minutes.from_ns && sums.last_ns < minutes.until_ns;
    const std::int64_t period_ns = rollup::PeriodStart(sums.first_ns, plan_.period_ns);
    if (holds_all && period_ns == rollup::PeriodStart(sums.last_ns, plan_.period_ns)) {
      for (const CallSums::Row& row : sums.total.Rows())
        result_.sums.Merge(sums.total, row.series, period_ns, *row.cell);
    } else if (sums.first_ns < minutes.until_ns && sums.last_ns >= minutes.from_ns) {
      // By itself first: of a damaged block half would be added.
      CallSums part(plan_.period_ns, plan_.dimensions,
                    {.series_per_period_max = kSeriesMax, .cells_max = kCellsMax});
      const auto added = table.by_hour ? AddHours(block, sums, minutes, part)
                                       : block.AddCalls(sums, minutes, part);
      if (!added) {
        Damaged(added.error().message);
        return table.by_hour && AddMinutesInstead(block);
      }
      result_.sums.MergeFrom(std::move(part));
    }
    ++result_.summed_blocks;
    return true;
  }

  bool AddMinutesInstead(const Block& block) {
    auto by_minute = block.Calls();
    if (!by_minute) Damaged(by_minute.error().message);
    return by_minute && *by_minute != nullptr && AddTable(block, {.sums = *std::move(by_minute)});
  }

  // Whole hours, and the minutes of parts of hours at both ends.
  Result<void> AddHours(const Block& block, const CallTable& table, const RollupWindow& minutes,
                        CallSums& to) {
    const auto at = [](std::int64_t ns, std::int64_t open, auto round) {
      return ns == open ? ns : round(ns, rollup::kHourNs);
    };
    const RollupWindow hours{.from_ns = at(minutes.from_ns, INT64_MIN, rollup::PeriodAfter),
                             .until_ns = at(minutes.until_ns, INT64_MAX, rollup::PeriodStart)};
    const bool has_hours = hours.from_ns < hours.until_ns;
    if (has_hours) FLUORO_CHECK_OK(block.AddCallHours(*facet_, table, hours, to));
    std::shared_ptr<const CallTable> by_minute;
    for (const RollupWindow& rest :
         {RollupWindow{.from_ns = minutes.from_ns,
                       .until_ns = has_hours ? hours.from_ns : minutes.until_ns},
          RollupWindow{.from_ns = hours.until_ns,
                       .until_ns = has_hours ? minutes.until_ns : hours.until_ns}}) {
      const bool touches = table.first_ns < rest.until_ns && table.last_ns >= rest.from_ns;
      if (rest.from_ns >= rest.until_ns || !touches) continue;
      if (by_minute == nullptr) {
        FLUORO_TRY(by_minute, block.Calls());
      }
      if (by_minute != nullptr) FLUORO_CHECK_OK(block.AddCalls(*by_minute, rest, to));
    }
    return {};
  }

  // Traces with rows where calls may be, in time of a window that spans tell of. Where a block
  // without sums holds a piece that tells nothing by itself, it may change an earlier one.
  bool ReadBlocks() {
    for (std::size_t i = 0; i < at_.blocks->size(); ++i) {
      const Block& block = *(*at_.blocks)[i];
      const std::span<const RollupWindow> windows = summed_[i] ? windows_.rest : windows_.all;
      const bool touches = Touches(block.meta().start_ns_min, block.meta().end_ns_max, windows);
      if (summed_[i] && (!touches || !block.MayHoldCalls())) continue;
      if (IsOver()) return false;
      if (auto chosen = ChooseTraces(block, summed_[i], windows); !chosen)
        Damaged(chosen.error().message);
    }
    for (const model::TraceId& id : wanted_) {
      if (IsOver()) return false;
      auto fragments = EmbeddedStoreImpl::FindIn(*at_.blocks, id);
      if (!fragments) {
        Damaged(fragments.error().message);
        continue;
      }
      if (fragments->blocks.empty()) continue;
      AddPieces(*fragments);
    }
    return true;
  }

  Result<void> ChooseTraces(const Block& block, bool summed,
                            std::span<const RollupWindow> windows) {
    FLUORO_TRY(const auto table, block.Table());
    const auto deleted = block.deleted();
    std::vector<char> groups(block.meta().row_groups.size());  // 0: not looked yet
    const auto may_hold = [&](const TraceEntry& entry) -> Result<bool> {
      for (const BlockRows& rows : block.RowsOf(entry)) {
        if (groups[rows.group] == 0) {
          FLUORO_TRY(const bool may, block.GroupMayHoldCalls(*table, rows.group));
          groups[rows.group] = may ? 'y' : 'n';
        }
        if (groups[rows.group] == 'y') return true;
      }
      return false;
    };
    for (const TraceEntry& entry : table->traces) {
      const bool touches = Touches(entry.start_ns, entry.end_ns, windows);
      if ((summed && !touches) || at_.in_head.contains(entry.id) ||
          (deleted && std::ranges::binary_search(*deleted, entry.id)))
        continue;
      FLUORO_TRY(bool wants, may_hold(entry));
      if (!summed && !wants) wants = HasOtherPieces(block, entry.id);
      if (wants) wanted_.insert(entry.id);
    }
    return {};
  }

  [[nodiscard]] bool HasOtherPieces(const Block& block, const model::TraceId& id) const {
    const std::uint64_t hash = TraceFilter::Hash(id);
    return std::ranges::any_of(*at_.blocks, [&](const std::shared_ptr<Block>& other) {
      return other.get() != &block && other->MayHoldCalls() && other->MayContain(id, hash);
    });
  }

  // A sum holds what its pieces changed: the calls of the trace up to them less those before. What
  // no sum holds is added likewise; in parts of minutes the whole trace is.
  void AddPieces(const Fragments& fragments) {
    ++result_.traces_read;
    const std::size_t in_blocks = fragments.blocks.size();
    const std::size_t count = in_blocks + (fragments.head ? 1 : 0);
    const auto summed = [&](std::size_t piece) {  // from 1
      if (piece > in_blocks) return false;
      const auto at = std::ranges::find(*at_.blocks, fragments.blocks[piece - 1].block);
      return static_cast<bool>(summed_[static_cast<std::size_t>(at - at_.blocks->begin())]);
    };
    const std::int64_t weight =
        WholeWeight(in_blocks == 0 ? fragments.head->id : fragments.blocks.front().entry.id,
                    fragments.KeptFor());
    const auto add = [&](std::size_t pieces, std::span<const RollupWindow> windows,
                         std::int64_t times) {
      if (windows.empty()) return;
      const auto read = reader_.FindInPieces(fragments, pieces, [&](const genai::Call& call) {
        if (Touches(call.end_ns, call.end_ns, windows)) result_.sums.Add(groups_.Of(call), times);
      });
      if (!read) Damaged(read.error().message);
    };
    for (std::size_t joined = 1; joined <= count; ++joined) {
      const bool adds = !summed(joined);
      const bool takes = joined < count && !summed(joined + 1);
      if (joined == count) {
        add(joined, adds ? windows_.all : windows_.rest, weight);
      } else if (adds != takes) {
        add(joined, windows_.whole, adds ? weight : -weight);
      }
    }
  }

  bool ReadHead() {
    const bool earlier =
        std::ranges::any_of(*at_.blocks, [](const auto& block) { return block->MayHoldCalls(); });
    for (auto& trace : at_.head) {
      const bool own = reader_.MayHold(*trace);
      if (!own && !earlier) continue;
      if (IsOver()) return false;
      auto fragments = EmbeddedStoreImpl::FindIn(*at_.blocks, trace->id);
      if (!fragments) {
        Damaged(fragments.error().message);
        fragments = Fragments();
      }
      if (!own && std::ranges::none_of(fragments->blocks, [](const auto& part) {
            return part.block->MayHoldCalls();
          })) {
        continue;
      }
      if (fragments->blocks.empty() && !Touches(trace->start_ns, trace->end_ns, windows_.all))
        continue;
      fragments->head = std::make_unique<TraceRows>(*trace);
      AddPieces(*fragments);
    }
    return true;
  }

  EmbeddedStoreImpl& store_;
  const CallsPlan& plan_;
  std::optional<std::uint8_t> facet_;  ///< whose sums by hour tell enough
  CallsResult result_;
  CallReader reader_;
  CallGroups groups_{store_.attribute_policy()};
  Snapshot at_;
  SumWindows windows_;
  std::vector<bool> summed_;  ///< by block; false: its spans tell
  std::unordered_set<model::TraceId> wanted_;
  std::set<std::string> named_;
};

Result<CallsResult> EmbeddedStoreImpl::Calls(const CallsPlan& plan) {
  if (plan.period_ns < 0 || plan.period_ns % rollup::kMinuteNs != 0)
    return Fail(ErrorCode::kInvalidArgument, "a period is a multiple of a minute");
  return CallsRun(*this, plan).Run();
}

}  // namespace fluoro::store
