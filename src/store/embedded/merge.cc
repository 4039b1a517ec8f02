#include "store/embedded/merge.h"

#include <algorithm>

#include "store/embedded/block_writer.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {
namespace {

// Rows handed to the writer at once: at least a row group, so that parents are found within it.
constexpr std::size_t kRunRows = 8'192;

std::int64_t WindowOf(const Block& block, std::int64_t window_ns) {
  return block.meta().arrival_ns_max / window_ns;
}

// A run that begins at `first` and may become one block of `level`.
MergePlan LongestRun(const BlockList& blocks, std::size_t first, std::uint32_t level,
                     const MergePolicy& policy, const std::set<std::uint64_t>& leave_alone) {
  const std::int64_t window_ns = policy.window_ns[level - 1];
  MergePlan run{.first = first, .count = 0, .level = level};
  std::uint64_t traces = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = first; i < blocks.size() && run.count < policy.fan_in; ++i) {
    const Block& block = *blocks[i];
    traces += block.meta().traces;
    bytes += block.file_bytes();
    if (block.meta().level >= level ||
        WindowOf(block, window_ns) != WindowOf(*blocks[first], window_ns) ||
        traces > policy.traces_max || bytes > policy.bytes_max ||
        leave_alone.contains(block.meta().id)) {
      break;
    }
    ++run.count;
  }
  return run;
}

// A trace, or its fragment, of one input.
struct Entry {
  std::int64_t start_ns = 0;
  std::uint32_t input = 0;
  std::uint32_t place = 0;  // in the input's table
};

class Merge {
 public:
  Merge(std::span<const MergeInput> inputs, File& out, BlockMeta meta, BlockCache& cache)
      : inputs_(inputs), cache_(cache), writer_(out, std::move(meta)) {}

  Result<std::optional<BlockMeta>> Run(const std::stop_token& stop) {
    FLUORO_CHECK_OK(ReadTables());
    Order();
    if (entries_.empty()) return std::nullopt;
    for (std::size_t begin = 0; begin < entries_.size();) {
      if (stop.stop_requested()) return std::nullopt;
      std::size_t end = begin + 1;
      while (end < entries_.size() && IdOf(entries_[end]) == IdOf(entries_[begin])) ++end;
      FLUORO_CHECK_OK(Write(std::span(entries_).subspan(begin, end - begin)));
      begin = end;
    }
    FLUORO_TRY(BlockMeta meta, writer_.Finish());
    return meta;
  }

 private:
  [[nodiscard]] const TraceEntry& TraceOf(const Entry& entry) const {
    return tables_[entry.input]->traces[entry.place];
  }
  [[nodiscard]] const model::TraceId& IdOf(const Entry& entry) const { return TraceOf(entry).id; }

  Result<void> ReadTables() {
    for (std::uint32_t i = 0; i < inputs_.size(); ++i) {
      FLUORO_TRY(auto table, inputs_[i].block->Table());
      const auto* const deleted = inputs_[i].deleted.get();
      for (std::uint32_t place = 0; place < table->traces.size(); ++place) {
        const TraceEntry& trace = table->traces[place];
        if (deleted != nullptr && std::binary_search(deleted->begin(), deleted->end(), trace.id)) {
          continue;
        }
        entries_.push_back({.start_ns = trace.start_ns, .input = i, .place = place});
      }
      tables_.push_back(std::move(table));
    }
    return {};
  }

  // Fragments of one trace together, oldest first; traces in order of (earliest start, id).
  void Order() {
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      return std::tie(IdOf(a), a.input) < std::tie(IdOf(b), b.input);
    });
    for (std::size_t begin = 0; begin < entries_.size();) {
      std::size_t end = begin;
      std::int64_t start_ns = INT64_MAX;
      for (; end < entries_.size() && IdOf(entries_[end]) == IdOf(entries_[begin]); ++end) {
        start_ns = std::min(start_ns, entries_[end].start_ns);
      }
      for (; begin < end; ++begin) entries_[begin].start_ns = start_ns;
    }
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      return std::tie(a.start_ns, IdOf(a), a.input) < std::tie(b.start_ns, IdOf(b), b.input);
    });
  }

  Result<void> Write(std::span<const Entry> entries) {
    Fragments fragments;
    TraceEntry trace = TraceOf(entries.front());
    trace.appends = 0;
    for (const Entry& entry : entries) {
      const TraceEntry& part = TraceOf(entry);
      fragments.blocks.push_back(
          {.block = inputs_[entry.input].block, .table = tables_[entry.input], .entry = &part});
      trace.start_ns = std::min(trace.start_ns, part.start_ns);
      trace.end_ns = std::max(trace.end_ns, part.end_ns);
      trace.first_arrival_ns = std::min(trace.first_arrival_ns, part.first_arrival_ns);
      trace.last_arrival_ns = std::max(trace.last_arrival_ns, part.last_arrival_ns);
      trace.appends += part.appends;
      trace.sealed_lsn = std::max(trace.sealed_lsn, part.sealed_lsn);
      trace.flags |= part.flags;
    }
    FragmentReader reader(fragments, &cache_);
    if (reader.MayRepeat()) FLUORO_CHECK_OK(reader.ApplyReplacements());
    if (reader.cut_rows() > 0) trace.flags |= kTraceLimitExceeded;
    trace.rows = static_cast<std::uint32_t>(reader.spans());
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
  BlockCache& cache_;
  BlockWriter writer_;
  std::vector<std::shared_ptr<const TraceTable>> tables_;
  std::vector<Entry> entries_;
  std::vector<RowRef> rows_;
  std::vector<std::shared_ptr<const model::SpanBatch>> batches_;
};

}  // namespace

std::optional<MergePlan> PlanMerge(const BlockList& blocks, std::int64_t now_ns,
                                   const MergePolicy& policy,
                                   const std::set<std::uint64_t>& leave_alone) {
  for (const std::uint32_t level : {1U, 2U}) {
    const std::int64_t window_ns = policy.window_ns[level - 1];
    for (std::size_t first = 0; first < blocks.size();) {
      const MergePlan run = LongestRun(blocks, first, level, policy, leave_alone);
      const bool is_over =
          run.count >= 2 && WindowOf(*blocks[first], window_ns) < now_ns / window_ns;
      if (run.count >= policy.fan_in || is_over) return run;
      first += std::max<std::size_t>(run.count, 1);
    }
  }
  return std::nullopt;
}

Result<std::optional<BlockMeta>> MergeBlocks(std::span<const MergeInput> inputs, File& out,
                                             BlockMeta meta, BlockCache& cache,
                                             const std::stop_token& stop) {
  meta.order = UINT64_MAX;
  for (const MergeInput& input : inputs) {
    const BlockMeta& from = input.block->meta();
    meta.order = std::min(meta.order, from.order);
    meta.sealed_lsn = std::max(meta.sealed_lsn, from.sealed_lsn);
    meta.replaces.push_back(from.id);
    // An input's own inputs too: the file of one may still be there.
    meta.replaces.insert(meta.replaces.end(), from.replaces.begin(), from.replaces.end());
  }
  return Merge(inputs, out, std::move(meta), cache).Run(stop);
}

}  // namespace fluoro::store
