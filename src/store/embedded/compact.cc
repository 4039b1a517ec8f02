// Merges of blocks: planned and committed under maintenance_mutex_, done beside everything else.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/thread_name.h"
#include "store/embedded/merge.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr std::chrono::seconds kAfterFailure{60};
constexpr int kNice = 10;

// Tables and summaries of inputs and output, and the order of the traces, are in memory; and what
// policies look at.
std::uint64_t TracesMax(const EmbeddedOptions& options, bool judges) {
  const std::uint64_t bytes_a_trace =
      2 * (sizeof(TraceEntry) + 12) + 24 + 3 * sizeof(model::StoredSummary) + (judges ? 128 : 0);
  return std::min(options.merge.traces_max, options.memory_bytes / 100 * 7 / bytes_a_trace);
}

}  // namespace

Result<bool> EmbeddedStoreImpl::MergeOnce(const std::stop_token& stop) {
  MutexLock merging(merge_mutex_);
  BlockList inputs;
  std::vector<std::shared_ptr<const std::vector<model::TraceId>>> deleted;
  BlockMeta meta;
  std::unique_ptr<Thinning> thinning;
  {
    MutexLock lock(maintenance_mutex_);
    FLUORO_CHECK_OK(RemoveUncertain());
    const auto list = blocks();
    const bool judges = HasTailPolicies();
    MergePolicy policy = options_.merge;
    policy.traces_max = TracesMax(options_, judges);
    const auto live_window_ns = judges ? std::optional(options_.live_window_ns) : std::nullopt;
    // What a block leaves out matters for as long as replay may find it: in a log file without a
    // key, and in one whose key is back until blocks hold its rows.
    const LsnRanges in_log = left_out_.Or(LsnRanges::From(log_->FirstLsn()));
    merge_debt_.store(
        CountDue(*list, clock_.UnixNs(), policy, unmergeable_, in_log, live_window_ns),
        std::memory_order_relaxed);
    merge_debt_gauge_.Set(static_cast<double>(merge_debt_.load(std::memory_order_relaxed)));
    const auto plan =
        PlanMerge(*list, clock_.UnixNs(), policy, unmergeable_, in_log, live_window_ns);
    if (!plan) return false;
    thinning = PrepareThinning(*list, plan->first, plan->count);
    inputs.assign(list->begin() + static_cast<std::ptrdiff_t>(plan->first),
                  list->begin() + static_cast<std::ptrdiff_t>(plan->first + plan->count));
    // For a while it takes as much again. What goes for want of space needs no merging.
    std::uint64_t bytes = 0;
    for (const auto& block : inputs) bytes += block->file_bytes();
    if (bytes > room_bytes_) return false;
    for (const auto& block : inputs) deleted.push_back(block->deleted());
    meta.id = next_block_id_++;
    meta.level = plan->level;
    meta.left_out = inputs.front()->meta().left_out;
    for (const auto& block : inputs) meta.left_out = meta.left_out.And(block->meta().left_out);
    if (meta.left_out.And(in_log).empty()) meta.left_out = {};
    meta.created_ns = clock_.UnixNs();
  }
  Thinned thinned;
  const std::string tmp = layout_.tmp + "/" + BlockFileName(meta.id);
  const auto write = [&]() -> Result<std::optional<BlockMeta>> {
    std::vector<MergeInput> from;
    from.reserve(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) from.push_back({inputs[i], deleted[i]});
    FLUORO_TRY(const auto file, fs_.Open(tmp, Fs::OpenMode::kCreate));
    return MergeBlocks(from, *file, meta, options_.merge.copy_spans, merge_cache_, stop, keys(),
                       thinning.get(), &thinned, attribute_policy());
  };
  auto merged = write();
  merge_cache_.Clear();
  const bool stopped = merged && !*merged && stop.stop_requested();
  Result<bool> done = false;
  if (!merged) {
    done = std::unexpected(std::move(merged).error());
  } else if (!stopped) {
    auto committed = CommitMerge(inputs, deleted, *merged, tmp, thinned);
    if (committed) {
      merges_.Add();
      if (*merged) merged_spans_.Add(static_cast<double>((*merged)->spans));
      return true;
    }
    done = std::unexpected(std::move(committed).error());
  }
  if (fs_.Exists(tmp)) log::WarnIfFailed("store: removing half a merge", fs_.Remove(tmp));
  if (done || done.error().code == ErrorCode::kUnavailable) return false;
  merge_failures_.Add();
  if (done.error().code == ErrorCode::kCorruption) {
    // Their sound parts answer as before; tried again after the next start.
    for (const auto& block : inputs) unmergeable_.insert(block->meta().id);
  }
  return std::unexpected(std::move(done).error().With("merging blocks"));
}

Result<void> EmbeddedStoreImpl::CommitMerge(
    const BlockList& inputs,
    const std::vector<std::shared_ptr<const std::vector<model::TraceId>>>& deleted,
    const std::optional<BlockMeta>& merged, const std::string& tmp, const Thinned& thinned) {
  MutexLock lock(maintenance_mutex_);
  const auto before = blocks();
  const auto at = std::search(before->begin(), before->end(), inputs.begin(), inputs.end());
  if (at == before->end()) {
    return Fail(ErrorCode::kUnavailable, "a block was dropped while it was merged");
  }
  FLUORO_CHECK_OK(ForgetDropped(thinned));
  std::shared_ptr<Block> block;
  if (merged) {
    std::vector<model::TraceId> gone;  // deleted since the merge began
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto now = inputs[i]->deleted();
      if (!now || now == deleted[i]) continue;
      std::ranges::copy_if(*now, std::back_inserter(gone), [&](const model::TraceId& id) {
        return !deleted[i] || !std::ranges::binary_search(*deleted[i], id);
      });
    }
    std::ranges::sort(gone);
    gone.erase(std::ranges::unique(gone).begin(), gone.end());
    // First, so that the block never shows without it; alone it means nothing.
    if (!gone.empty()) {
      FLUORO_CHECK_OK(WriteWhole(fs_, layout_, layout_.blocks, DeletionFileName(merged->id),
                                 EncodeDeletions(gone)));
    }
    const std::string path = layout_.blocks + "/" + BlockFileName(merged->id);
    const auto publish = [&]() -> Result<void> {
      FLUORO_CHECK_OK(fs_.Rename(tmp, path));
      FLUORO_CHECK_OK(fs_.SyncDir(layout_.blocks));
      FLUORO_TRY(block, Block::Open(fs_, cache_, path, merged->id, keys()));
      return {};
    };
    if (auto published = publish(); !published) {
      // The inputs still stand. Should the file stay, it replaces them at the next start.
      uncertain_.push_back(path);
      log::WarnIfFailed("store: removing a merge", RemoveUncertain());
      return published;
    }
    if (!gone.empty()) block->SetDeleted(std::move(gone));
  }
  const std::uint64_t bytes_after = block ? block->file_bytes() : 0;
  BlockList folded;
  if (!block) {
    FLUORO_TRY(folded, FoldRollups(inputs));
  }
  {
    MutexLock state(state_mutex_);
    AddFolded(std::move(folded));
    auto list = std::make_shared<BlockList>(before->begin(), at);
    if (block) list->push_back(std::move(block));
    list->insert(list->end(), at + static_cast<std::ptrdiff_t>(inputs.size()), before->end());
    double bytes = 0;
    for (const auto& one : *list) bytes += static_cast<double>(one->file_bytes());
    blocks_ = std::move(list);
    blocks_gauge_.Set(static_cast<double>(blocks_->size()));
    block_bytes_gauge_.Set(bytes);
  }
  std::uint64_t bytes_before = 0;
  for (const auto& input : inputs) bytes_before += input->file_bytes();
  CountThinned(thinned, bytes_before, bytes_after);
  DropLeftBehind(thinned);
  // The merge stands. Inputs whose files stay are removed at the next start.
  log::WarnIfFailed("store: removing merged blocks", RemoveFiles(inputs));
  return {};
}

void EmbeddedStoreImpl::RunMerges(const std::stop_token& stop) {
  NameThread("merge");
  ::setpriority(PRIO_PROCESS, 0, kNice);  // this thread alone, on Linux
  Mutex mutex;
  std::condition_variable_any wake;
  auto pause = kEvery;
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex);
      wake.wait_for(lock, stop, pause, [] { return false; });
    }
    if (stop.stop_requested()) return;
    pause = kEvery;
    const auto merged = MergeOnce(stop);
    if (merged) {
      if (*merged) pause = std::chrono::seconds{0};
      continue;
    }
    log::Error("store: a merge failed", {{"why", merged.error().message}});
    if (merged.error().code != ErrorCode::kCorruption) pause = kAfterFailure;
  }
}

}  // namespace fluoro::store
