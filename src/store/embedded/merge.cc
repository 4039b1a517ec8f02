#include "store/embedded/merge.h"

#include <algorithm>
#include <tuple>

#include "store/embedded/block_writer.h"
#include "store/embedded/merge_summaries.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {
namespace {

// Rows handed to the writer at once: at least a row group, so that parents are found within it.
constexpr std::size_t kRunRows = 8'192;

std::int64_t WindowOf(const Block& block, std::int64_t window_ns) {
  return block.meta().arrival_ns_max / window_ns;
}

// What may be planned with which blocks.
struct Planning {
  const BlockList& blocks;
  std::int64_t now_ns;
  const MergePolicy& policy;
  const std::set<std::uint64_t>& leave_alone;
  const LsnRanges& in_log;
  std::optional<std::int64_t> live_window_ns;

  // A run that begins at `first`, of blocks that `may_join` it and arrived in the same window.
  template <class MayJoin>
  [[nodiscard]] MergePlan LongestRun(std::size_t first, std::int64_t window_ns,
                                     const MayJoin& may_join) const {
    MergePlan run{.first = first, .count = 0, .level = 0};
    std::uint64_t traces = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = first; i < blocks.size() && run.count < policy.fan_in; ++i) {
      const Block& block = *blocks[i];
      traces += block.meta().traces;
      bytes += block.file_bytes();
      const bool is_too_much = traces > policy.traces_max || bytes > policy.bytes_max;
      if (!may_join(block) || WindowOf(block, window_ns) != WindowOf(*blocks[first], window_ns) ||
          leave_alone.contains(block.meta().id) ||
          block.meta().left_out.And(in_log) != blocks[first]->meta().left_out.And(in_log) ||
          (is_too_much && i > first)) {
        break;
      }
      run.level = std::max(run.level, block.meta().level);
      ++run.count;
      if (is_too_much) break;  // alone
    }
    return run;
  }

  [[nodiscard]] bool TakesJudged(std::uint32_t level) const {
    return live_window_ns && policy.window_ns[level - 1] > *live_window_ns;
  }

  [[nodiscard]] MergePlan RunOfLevel(std::size_t first, std::uint32_t level) const {
    MergePlan run = LongestRun(first, policy.window_ns[level - 1], [&](const Block& block) {
      return block.meta().level < level && (!TakesJudged(level) || block.meta().judged_ns != 0);
    });
    run.level = level;
    return run;
  }

  [[nodiscard]] bool IsDue(const MergePlan& run) const {
    // What was sealed is not compressed yet.
    const bool is_sealed = run.count == 1 && blocks[run.first]->meta().level == 0;
    if (run.count < 2 && !is_sealed) return false;
    const std::int64_t window_ns = policy.window_ns[run.level - 1];
    // Only then all of the window has been judged.
    const std::int64_t over_ns =
        TakesJudged(run.level) ? now_ns - *live_window_ns - JudgingWindow(policy, *live_window_ns)
                               : now_ns;
    return run.count >= policy.fan_in ||
           WindowOf(*blocks[run.first], window_ns) < over_ns / window_ns;
  }

  [[nodiscard]] MergePlan RunToJudge(std::size_t first) const {
    return LongestRun(first, JudgingWindow(policy, *live_window_ns),
                      [](const Block& block) { return block.meta().judged_ns == 0; });
  }

  [[nodiscard]] bool HasLeftLiveWindow(const MergePlan& run) const {
    const std::int64_t window_ns = JudgingWindow(policy, *live_window_ns);
    return run.count > 0 &&
           (WindowOf(*blocks[run.first], window_ns) + 1) * window_ns <= now_ns - *live_window_ns;
  }
};

// Row groups that are about full are copied as they are stored, with what deletions left in them;
// the traces of all others are written anew, their parts joined. A part in a row group that is
// copied stays apart from the others of its trace: reading a trace joins them.
class Merge {
 public:
  Merge(std::span<const MergeInput> inputs, File& out, BlockMeta meta, std::uint64_t copy_spans,
        BlockCache& cache, const crypto::Keyring* keys)
      : inputs_(inputs),
        copy_spans_(copy_spans),
        cache_(cache),
        writer_(out, std::move(meta), keys),
        summaries_(writer_.summaries()) {
    writer_.SetUseRowGroup([this](std::span<const TraceRun> runs, const ColumnReader& column) {
      summaries_.AddRowGroup(runs, column);
    });
  }
  void IndexBy(const AttributePolicy& policy) {
    writer_.SetWatch({.values = nullptr, .policy = policy});
  }
  void JudgeBy(Thinning& thinning, Thinned& thinned) {
    thinning_ = &thinning;
    thinned_ = &thinned;
  }

  Result<std::optional<BlockMeta>> Run(const std::stop_token& stop) {
    FLUORO_CHECK_OK(ReadTables());
    if (entries_.empty() && !HasSkeletons()) return std::nullopt;
    // Skeletons stand in the file before the rows, since traces are judged first.
    FLUORO_CHECK_OK(CopySkeletons());
    if (thinning_ != nullptr) {
      FLUORO_CHECK_OK(Thin(stop));
      if (stop.stop_requested()) return std::nullopt;
    }
    ChooseCopies();
    FLUORO_CHECK_OK(Copy(stop));
    Order();
    for (std::size_t begin = 0; begin < entries_.size();) {
      if (stop.stop_requested()) return std::nullopt;
      const std::size_t end = EndOfTrace(begin);
      FLUORO_CHECK_OK(Write(std::span(entries_).subspan(begin, end - begin)));
      begin = end;
    }
    if (stop.stop_requested()) return std::nullopt;
    FLUORO_CHECK_OK(MergeRollups(inputs_, writer_));
    FLUORO_CHECK_OK(MergeCalls(inputs_, writer_));
    FLUORO_TRY(BlockMeta meta, writer_.Finish());
    return meta;
  }

 private:
  struct Group {
    std::uint64_t rows = 0;
    std::uint64_t live_rows = 0;  // of traces that are copied with it
    bool is_copied = false;
    std::uint64_t first_row = 0;  // in the result
  };

  [[nodiscard]] const TraceEntry& TraceOf(const MergeEntry& entry) const {
    return tables_[entry.input]->traces[entry.place];
  }
  [[nodiscard]] const model::TraceId& IdOf(const MergeEntry& entry) const {
    return TraceOf(entry).id;
  }

  Result<void> ReadTables() {
    for (std::uint32_t i = 0; i < inputs_.size(); ++i) {
      const Block& block = *inputs_[i].block;
      FLUORO_TRY(auto table, block.Table());
      std::vector<std::uint32_t> codes{0};
      for (const model::Kept& kept : table->reasons) codes.push_back(writer_.KeptCode(kept));
      const auto* const deleted = inputs_[i].deleted.get();
      for (std::uint32_t place = 0; place < table->traces.size(); ++place) {
        const TraceEntry& trace = table->traces[place];
        if (deleted != nullptr && std::binary_search(deleted->begin(), deleted->end(), trace.id)) {
          continue;
        }
        entries_.push_back({.start_ns = trace.start_ns,
                            .input = i,
                            .place = place,
                            .is_apart = false,
                            .kept = codes[trace.kept]});
      }
      summaries_.AddInput(block, *table);
      tables_.push_back(std::move(table));
      auto& groups = groups_.emplace_back(block.meta().row_groups.size());
      std::vector<std::uint64_t> raw_bytes(groups.size());
      for (const Section& section : block.meta().sections) {
        if (section.type == SectionType::kColumn && section.row_group < groups.size())
          raw_bytes[section.row_group] += section.raw;
      }
      for (std::size_t group = 0; group < groups.size(); ++group) {
        groups[group].rows = block.meta().row_groups[group];
        groups[group].is_copied =
            groups[group].rows >= copy_spans_ || raw_bytes[group] >= kRowGroupTargetBytes / 2;
      }
    }
    return {};
  }

  [[nodiscard]] bool HasSkeletons() const {
    return std::ranges::any_of(
        inputs_, [](const MergeInput& input) { return input.block->meta().skeletons > 0; });
  }

  Result<void> CopySkeletons() {
    const auto copy = [this](std::string_view chunk) -> Result<void> {
      std::size_t skeletons = 0;
      FLUORO_CHECK_OK(DecodeSkeletons(chunk, [&](const DroppedTrace&) { ++skeletons; }));
      return writer_.PutSkeletons(chunk, skeletons);
    };
    for (const MergeInput& input : inputs_) FLUORO_CHECK_OK(input.block->ReadSkeletons(copy));
    return {};
  }

  Result<void> Thin(const std::stop_token& stop) {
    std::vector<std::shared_ptr<Block>> blocks;
    for (const MergeInput& input : inputs_) blocks.push_back(input.block);
    SkeletonEncoder skeletons([this](std::string_view chunk, std::size_t count) {
      return writer_.PutSkeletons(chunk, count);
    });
    Thinner thinner(
        blocks, tables_, *thinning_, cache_,
        [this](const model::Kept& kept) { return writer_.KeptCode(kept); }, skeletons, *thinned_);
    FLUORO_CHECK_OK(thinner.Run(entries_, stop));
    writer_.SetJudged(thinning_->now_ns);
    return skeletons.Finish();
  }

  [[nodiscard]] bool IsCopied(const MergeEntry& entry) const {
    return std::ranges::all_of(RowsOf(entry), [&](const BlockRows& rows) {
      return groups_[entry.input][rows.group].is_copied;
    });
  }
  [[nodiscard]] std::vector<BlockRows> RowsOf(const MergeEntry& entry) const {
    return inputs_[entry.input].block->RowsOf(TraceOf(entry));
  }

  // A row group of which too little would live is written anew; so is then a trace that it shares
  // with others, which may leave too little in those.
  void ChooseCopies() {
    for (bool changed = true; changed;) {
      for (auto& groups : groups_) {
        for (Group& group : groups) group.live_rows = 0;
      }
      for (const MergeEntry& entry : entries_) {
        if (!IsCopied(entry)) continue;
        for (const BlockRows& rows : RowsOf(entry))
          groups_[entry.input][rows.group].live_rows += rows.end - rows.begin;
      }
      changed = false;
      for (auto& groups : groups_) {
        for (Group& group : groups) {
          if (!group.is_copied || group.live_rows >= group.rows / 4 * 3) continue;
          group.is_copied = false;
          changed = true;
        }
      }
    }
  }

  Result<void> Copy(const std::stop_token& stop) {
    std::uint64_t copied_rows = 0;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Block& block = *inputs_[i].block;
      for (std::uint32_t group = 0; group < groups_[i].size(); ++group) {
        if (!groups_[i][group].is_copied) continue;
        if (stop.stop_requested()) return {};
        FLUORO_TRY(groups_[i][group].first_row, writer_.CopyRowGroup(block, group));
        copied_rows += groups_[i][group].rows;
      }
      FLUORO_TRY(const auto operations, block.Services());
      writer_.AddOperations(*operations);
    }
    // Rows of one trace in several row groups still follow each other: all of these were copied.
    std::erase_if(entries_, [this](const MergeEntry& entry) {
      if (!IsCopied(entry)) return false;
      const BlockRows first = RowsOf(entry).front();
      TraceEntry trace = TraceOf(entry);
      trace.first_row = groups_[entry.input][first.group].first_row + first.begin;
      trace.kept = entry.kept;
      writer_.AddPlaced(trace);
      summaries_.Copy(entry.input, entry.place, trace.first_row);
      return true;
    });
    summaries_.BeginRows(copied_rows);
    return {};
  }

  // Parts of one trace together, oldest first; traces in order of (earliest start, id).
  void Order() {
    const auto age = [this](const MergeEntry& entry) {
      const TraceEntry& part = TraceOf(entry);
      return std::tuple(entry.input, part.sealed_lsn, part.first_row);
    };
    std::ranges::sort(entries_, {}, [&](const MergeEntry& entry) {
      return std::tuple_cat(std::tie(IdOf(entry)), age(entry));
    });
    for (std::size_t begin = 0; begin < entries_.size();) {
      std::size_t end = begin;
      std::int64_t start_ns = INT64_MAX;
      for (; end < entries_.size() && IdOf(entries_[end]) == IdOf(entries_[begin]); ++end)
        start_ns = std::min(start_ns, entries_[end].start_ns);
      const bool is_apart = HasCopiedPart(IdOf(entries_[begin]));
      for (; begin < end; ++begin) {
        entries_[begin].is_apart = is_apart;
        if (!is_apart) entries_[begin].start_ns = start_ns;
      }
    }
    std::ranges::sort(entries_, {}, [&](const MergeEntry& entry) {
      return std::tuple_cat(std::tie(entry.start_ns, IdOf(entry)), age(entry));
    });
  }

  // Then the parts written anew are not joined: a younger one must not come before that which was
  // copied.
  [[nodiscard]] bool HasCopiedPart(const model::TraceId& id) const {
    for (std::uint32_t input = 0; input < inputs_.size(); ++input) {
      if (!inputs_[input].block->MayContain(id)) continue;
      for (const std::uint32_t place : tables_[input]->Find(id)) {
        if (IsCopied({.start_ns = 0, .input = input, .place = place})) return true;
      }
    }
    return false;
  }

  // Behind the entries that become one with that at `begin`.
  [[nodiscard]] std::size_t EndOfTrace(std::size_t begin) const {
    std::size_t end = begin + 1;
    if (entries_[begin].is_apart) return end;
    while (end < entries_.size() && IdOf(entries_[end]) == IdOf(entries_[begin])) ++end;
    return end;
  }

  Result<void> Write(std::span<const MergeEntry> entries) {
    Fragments fragments;
    TraceEntry trace = TraceOf(entries.front());
    trace.appends = 0;
    trace.kept = 0;
    for (const MergeEntry& entry : entries) {
      const TraceEntry& part = TraceOf(entry);
      fragments.blocks.push_back(
          {.block = inputs_[entry.input].block, .entry = part, .table = tables_[entry.input]});
      trace.start_ns = std::min(trace.start_ns, part.start_ns);
      trace.end_ns = std::max(trace.end_ns, part.end_ns);
      trace.first_arrival_ns = std::min(trace.first_arrival_ns, part.first_arrival_ns);
      trace.last_arrival_ns = std::max(trace.last_arrival_ns, part.last_arrival_ns);
      trace.appends += part.appends;
      trace.sealed_lsn = std::max(trace.sealed_lsn, part.sealed_lsn);
      trace.flags |= part.flags;
      trace.kept = writer_.StrongerCode(trace.kept, entry.kept);
    }
    FragmentReader reader(fragments, &cache_);
    if (reader.MayRepeat()) FLUORO_CHECK_OK(reader.ApplyReplacements());
    if (reader.cut_rows() > 0) trace.flags |= kTraceLimitExceeded;
    trace.rows = static_cast<std::uint32_t>(reader.spans());
    summaries_.BeginTrace(trace.rows);
    FLUORO_CHECK_OK(writer_.BeginTrace(trace));
    for (std::uint64_t number = 0; number < reader.spans();) {
      rows_.clear();
      batches_.clear();
      for (; number < reader.spans() && rows_.size() < kRunRows; ++number) {
        FLUORO_TRY(const FragmentReader::Row row, reader.At(number));
        rows_.push_back(row.ref);
        if (batches_.empty() || batches_.back() != *row.holder) batches_.push_back(*row.holder);
      }
      FLUORO_CHECK_OK(writer_.AddRows(rows_, batches_));
    }
    return {};
  }

  std::span<const MergeInput> inputs_;
  std::uint64_t copy_spans_;
  BlockCache& cache_;
  BlockWriter writer_;
  MergeSummaries summaries_;
  Thinning* thinning_ = nullptr;
  Thinned* thinned_ = nullptr;
  std::vector<std::shared_ptr<const TraceTable>> tables_;
  std::vector<std::vector<Group>> groups_;  // by input
  std::vector<MergeEntry> entries_;         // in the end those not copied
  std::vector<RowRef> rows_;
  std::vector<std::shared_ptr<const model::SpanBatch>> batches_;
};

}  // namespace

std::int64_t JudgingWindow(const MergePolicy& policy, std::int64_t live_window_ns) {
  std::int64_t window_ns = 0;
  for (const std::int64_t merged_ns : policy.window_ns) {
    if (merged_ns <= live_window_ns) window_ns = std::max(window_ns, merged_ns);
  }
  return window_ns > 0 ? window_ns : std::max(live_window_ns, kNsPerSecond);
}

std::optional<MergePlan> PlanMerge(const BlockList& blocks, std::int64_t now_ns,
                                   const MergePolicy& policy,
                                   const std::set<std::uint64_t>& leave_alone,
                                   const LsnRanges& in_log,
                                   std::optional<std::int64_t> live_window_ns) {
  const Planning planning{blocks, now_ns, policy, leave_alone, in_log, live_window_ns};
  for (const std::uint32_t level : {1U, 2U}) {
    for (std::size_t first = 0; first < blocks.size();) {
      const MergePlan run = planning.RunOfLevel(first, level);
      if (planning.IsDue(run)) return run;
      first += std::max<std::size_t>(run.count, 1);
    }
  }
  if (!live_window_ns) return std::nullopt;
  for (std::size_t first = 0; first < blocks.size();) {
    const MergePlan run = planning.RunToJudge(first);
    if (planning.HasLeftLiveWindow(run)) return run;
    first += std::max<std::size_t>(run.count, 1);
  }
  return std::nullopt;
}

std::size_t CountDue(const BlockList& blocks, std::int64_t now_ns, const MergePolicy& policy,
                     const std::set<std::uint64_t>& leave_alone, const LsnRanges& in_log,
                     std::optional<std::int64_t> live_window_ns) {
  const Planning planning{blocks, now_ns, policy, leave_alone, in_log, live_window_ns};
  std::size_t due = 0;
  for (std::size_t first = 0; first < blocks.size();) {
    const MergePlan run = planning.RunOfLevel(first, 1);
    if (planning.IsDue(run)) due += run.count;
    first += std::max<std::size_t>(run.count, 1);
  }
  return due;
}

Result<std::optional<BlockMeta>> MergeBlocks(std::span<const MergeInput> inputs, File& out,
                                             BlockMeta meta, std::uint64_t copy_spans,
                                             BlockCache& cache, const std::stop_token& stop,
                                             const crypto::Keyring* keys, Thinning* thinning,
                                             Thinned* thinned, const AttributePolicy& policy) {
  meta.order = UINT64_MAX;
  meta.judged_ns = INT64_MAX;
  meta.arrival_ns_min = INT64_MAX;
  meta.arrival_ns_max = INT64_MIN;
  for (const MergeInput& input : inputs) {
    const BlockMeta& from = input.block->meta();
    meta.judged_ns = std::min(meta.judged_ns, from.judged_ns);  // 0: some were not
    meta.arrival_ns_min = std::min(meta.arrival_ns_min, from.arrival_ns_min);
    meta.arrival_ns_max = std::max(meta.arrival_ns_max, from.arrival_ns_max);
    meta.order = std::min(meta.order, from.order);
    meta.sealed_lsn = std::max(meta.sealed_lsn, from.sealed_lsn);
    meta.replaces.push_back(from.id);
    // An input's own inputs too: the file of one may still be there.
    meta.replaces.insert(meta.replaces.end(), from.replaces.begin(), from.replaces.end());
  }
  Merge merge(inputs, out, std::move(meta), copy_spans, cache, keys);
  merge.IndexBy(policy);
  if (thinning != nullptr) merge.JudgeBy(*thinning, *thinned);
  return merge.Run(stop);
}

}  // namespace fluoro::store
