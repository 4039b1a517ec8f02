// Sealing, retention, deletion: what moves data on or away. All of it under maintenance_mutex_.
#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_set>

#include "base/log.h"
#include "base/thread_name.h"
#include "model/assembly.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/seal_rollup.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

// A block holds at most about this many spans, so that the writer's memory stays bounded.
constexpr std::uint64_t kBlockSpansMax = 1'000'000;
// The background thread waits for a worthwhile block, but not longer than this.
constexpr std::uint64_t kBlockSpansWorthwhile = 65'536;
constexpr std::int64_t kSealEveryNs = 60 * kNsPerSecond;
// What arrived since then stays however low the disk is.
constexpr std::int64_t kKeptOnLowDiskNs = 2 * 3'600 * kNsPerSecond;

// A deletion that comes to light late: whether a block that was sealed without knowing of it may
// hold rows from before it. Only those of older programs may: then the trace goes, with what came
// behind it too.
bool MayHoldOlder(const BlockMeta& meta, std::uint64_t lsn) {
  return meta.left_out.Contains(lsn) && !meta.left_out.ContainsAllUpTo(lsn);
}

// Applies the replacement rules. @param keys  room that is used again.
void DeduplicateRows(TraceRows& trace, std::vector<model::SpanKey>& keys) {
  keys.clear();
  for (const auto& [batch, row] : trace.rows) {
    keys.push_back({batch->span_ids[row], batch->parent_ids[row], batch->flags[row]});
  }
  if (model::FewAndDifferent(keys)) return;
  const std::vector<std::uint32_t> standing = model::StandingSpans(keys);
  if (standing.size() == trace.rows.size() || standing.empty()) return;
  std::vector<RowRef> rows;
  rows.reserve(standing.size());
  trace.start_ns = INT64_MAX;
  trace.end_ns = INT64_MIN;
  for (const std::uint32_t place : standing) {
    const RowRef& row = rows.emplace_back(trace.rows[place]);
    trace.start_ns = std::min(trace.start_ns, row.batch->start_ns[row.row]);
    trace.end_ns = std::max(trace.end_ns, row.batch->end_ns[row.row]);
  }
  trace.rows = std::move(rows);
}

}  // namespace

// No block holds rows from before and from behind a deletion that stands in a log file without a
// key: once the key returns it will apply to the ones and not to the others.
Result<void> EmbeddedStoreImpl::Seal(std::span<const model::TraceId> ids) {
  if (ids.empty()) return {};
  std::uint64_t behind_lsn = 0;
  for (const std::uint64_t deletion_lsn : locked_deletions_) {
    bool has_rows = false;
    {
      MutexLock lock(state_mutex_);
      if (deletion_lsn > applied_lsn_) break;
      has_rows = head_.HasBetween(behind_lsn, deletion_lsn);
    }
    if (has_rows) FLUORO_CHECK_OK(SealUpTo(ids, behind_lsn, deletion_lsn - 1));
    behind_lsn = deletion_lsn;
  }
  FLUORO_CHECK_OK(SealUpTo(ids, behind_lsn, UINT64_MAX));
  FreeLog();
  return {};
}

// The head holds none of their rows up to `behind_lsn` any more.
Result<void> EmbeddedStoreImpl::SealUpTo(std::span<const model::TraceId> ids,
                                         std::uint64_t behind_lsn, std::uint64_t upto_lsn) {
  std::vector<TraceRows> traces;
  std::uint64_t sealed_lsn = 0;
  {
    MutexLock lock(state_mutex_);
    sealed_lsn = std::min(applied_lsn_, upto_lsn);
    traces.reserve(ids.size());
    for (const model::TraceId& id : ids) {
      if (auto rows = head_.Find(id, sealed_lsn)) traces.push_back(std::move(*rows));
    }
  }
  const LsnRanges left_out =
      left_out_.And(LsnRanges::UpTo(sealed_lsn)).Or(LsnRanges::UpTo(behind_lsn));
  std::vector<model::SpanKey> keys;
  for (TraceRows& trace : traces) DeduplicateRows(trace, keys);
  std::sort(traces.begin(), traces.end(), [](const TraceRows& a, const TraceRows& b) {
    return std::tie(a.start_ns, a.id) < std::tie(b.start_ns, b.id);
  });
  std::vector<TraceRows> chunk;
  std::uint64_t spans = 0;
  for (TraceRows& trace : traces) {
    if (spans > 0 && spans + trace.rows.size() > kBlockSpansMax) {
      FLUORO_CHECK_OK(SealChunk(chunk, sealed_lsn, left_out));
      chunk.clear();
      spans = 0;
    }
    spans += trace.rows.size();
    chunk.push_back(std::move(trace));
  }
  return chunk.empty() ? Result<void>() : SealChunk(chunk, sealed_lsn, left_out);
}

Result<void> EmbeddedStoreImpl::SealChunk(std::vector<TraceRows>& traces, std::uint64_t sealed_lsn,
                                          const LsnRanges& left_out) {
  const std::uint64_t id = next_block_id_++;
  const std::string name = BlockFileName(id);
  const std::string tmp = layout_.tmp + "/" + name;
  const std::string path = layout_.blocks + "/" + name;
  cardinality::BlockValues values(cardinality::GuardLimits().keys_max);
  const auto write = [&]() -> Result<std::shared_ptr<Block>> {
    FLUORO_TRY(const auto file, fs_.Open(tmp, Fs::OpenMode::kCreate));
    BlockMeta meta;
    meta.id = id;
    meta.order = id;
    meta.created_ns = clock_.UnixNs();
    meta.sealed_lsn = sealed_lsn;
    meta.left_out = left_out;
    BlockWriter writer(*file, std::move(meta), keys());
    writer.SetWatch({.values = &values, .policy = attribute_policy()});
    writer.BoundRowGroups(static_cast<std::size_t>(options_.memory_bytes / 16));
    SealRollup sums(*this, traces, writer.summaries());
    writer.SetUseRowGroup([&sums](std::span<const TraceRun> runs, const ColumnReader& column) {
      sums.AddRowGroup(runs, column);
    });
    for (const TraceRows& trace : traces) FLUORO_CHECK_OK(writer.AddTrace(trace));
    FLUORO_CHECK_OK(sums.Write(writer));
    FLUORO_CHECK_OK(WriteCalls(traces, writer, values));
    FLUORO_CHECK_OK(writer.Finish());
    FLUORO_CHECK_OK(fs_.Rename(tmp, path));
    FLUORO_CHECK_OK(fs_.SyncDir(layout_.blocks));
    return Block::Open(fs_, cache_, path, id, keys());
  };
  auto block = write();
  if (!block) {
    seal_failures_.Add();
    // The rows stay in the head and the log. A file left behind would only repeat them.
    if (fs_.Exists(tmp)) log::WarnIfFailed("store: removing half a block", fs_.Remove(tmp));
    uncertain_.push_back(path);
    log::WarnIfFailed("store: removing an uncertain block", RemoveUncertain());
    return std::unexpected(std::move(block).error().With("sealing a block"));
  }
  sealed_blocks_.Add();
  sealed_spans_.Add(static_cast<double>((*block)->meta().spans));
  for (const TraceRows& trace : traces) recent_traces_.Add(trace.id);
  MutexLock attributes_lock(attributes_mutex_);
  AbsorbValues(values);
  MutexLock lock(state_mutex_);
  auto list = std::make_shared<BlockList>(*blocks_);
  list->push_back(*std::move(block));
  blocks_ = std::move(list);
  for (const TraceRows& trace : traces) head_.Remove(trace.id, sealed_lsn);
  blocks_gauge_.Set(static_cast<double>(blocks_->size()));
  block_bytes_gauge_.Add(static_cast<double>(blocks_->back()->file_bytes()));
  UpdateGauges();
  return {};
}

Result<void> EmbeddedStoreImpl::RemoveUncertain() {
  if (uncertain_.empty()) return {};
  for (const std::string& path : uncertain_) {
    if (fs_.Exists(path)) FLUORO_CHECK_OK(fs_.Remove(path));
  }
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.tmp));  // where some were moved to
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.blocks));
  uncertain_.clear();
  return {};
}

void EmbeddedStoreImpl::FreeLog() {
  if (!log_) return;
  if (auto removed = RemoveUncertain(); !removed) {
    log::Warn("store: an uncertain block stays for now, and the log with it",
              {{"why", removed.error().message}});
    return;
  }
  // Before the head is looked at: what is written and not there yet stands in this file or later.
  const std::uint64_t last = log_->LastFile();
  std::uint64_t oldest = UINT64_MAX;
  {
    MutexLock lock(state_mutex_);
    oldest = head_.OldestWalFile();
    if (!unsaved_deletions_.empty() || held_unsaved_) {
      // The tombstones are all that keeps these deletions.
      for (const Commit& tombstone : tombstones_) oldest = std::min(oldest, tombstone.wal_file);
    }
    std::erase_if(tombstones_,
                  [&](const Commit& t) { return t.wal_file < oldest && oldest != UINT64_MAX; });
  }
  log_->FreeBefore(std::min(oldest, last));
}

Result<void> EmbeddedStoreImpl::SealWhatIsDue(bool everything_due) {
  std::vector<model::TraceId> ids;
  {
    const std::int64_t now = clock_.UnixNs();
    MutexLock lock(state_mutex_);
    ids = head_.Due(WrapSub(now, options_.seal_idle_ns), WrapSub(now, options_.seal_age_ns));
    const bool full = head_.bytes() > HeadLimit() / 4 * 3;
    if (full) {
      // Whole batches go, oldest first, until half of the limit is free again.
      const auto oldest = head_.Oldest(head_.bytes() - HeadLimit() / 2);
      std::unordered_set<model::TraceId> all(ids.begin(), ids.end());
      all.insert(oldest.begin(), oldest.end());
      ids.assign(all.begin(), all.end());
    } else if (!everything_due && head_.CountRows(ids) < kBlockSpansWorthwhile &&
               clock_.MonotonicNs() - last_seal_ns_ < kSealEveryNs) {
      return {};
    }
  }
  last_seal_ns_ = clock_.MonotonicNs();
  return Seal(ids);
}

Result<void> EmbeddedStoreImpl::RunMaintenance() {
  if (options_.read_only) return {};
  {
    MutexLock lock(maintenance_mutex_);
    FLUORO_CHECK_OK(SealWhatIsDue(true));
    FLUORO_CHECK_OK(EnforceRetention());
    FLUORO_CHECK_OK(Rewrap());
    SaveAttributes(false);
  }
  for (bool more = true; more;) {
    FLUORO_TRY(more, MergeOnce({}));
  }
  return {};
}

Result<void> EmbeddedStoreImpl::SealAll() {
  if (options_.read_only) return {};
  MutexLock lock(maintenance_mutex_);
  std::vector<model::TraceId> ids;
  {
    MutexLock state(state_mutex_);
    ids = head_.All();
  }
  return Seal(ids);
}

void EmbeddedStoreImpl::RunBackground(const std::stop_token& stop)
    FLUORO_NO_THREAD_SAFETY_ANALYSIS {
  NameThread("seal");
  while (!stop.stop_requested()) {
    {
      MutexLock lock(wake_mutex_);
      wake_.wait_for(lock, std::chrono::seconds(1),
                     [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS { return wanted_; });
      wanted_ = false;
    }
    if (stop.stop_requested()) return;
    MutexLock lock(maintenance_mutex_);
    auto done = SealWhatIsDue(false);
    if (auto kept = EnforceRetention(); done && !kept) done = kept;
    if (auto wrapped = Rewrap(); done && !wrapped) done = wrapped;
    SaveAttributes(false);
    if (!done)
      log::Error("store: maintenance failed, it will be tried again",
                 {{"why", done.error().message}});
  }
}

void EmbeddedStoreImpl::LookAtDisk() {
  const auto space = fs_.DiskSpace(layout_.root);
  if (!space) return;  // as it was
  disk_ = *space;
  const std::uint64_t full_bytes = LimitsOf(disk_).full_bytes;
  room_bytes_ = disk_.free_bytes - std::min(disk_.free_bytes, full_bytes);
  const DiskState before = disk_state_.load(std::memory_order_relaxed);
  const DiskState now = JudgeDisk(disk_, before);
  disk_free_gauge_.Set(static_cast<double>(disk_.free_bytes));
  if (now == before) return;
  disk_state_.store(now, std::memory_order_relaxed);
  disk_state_gauge_.Set(static_cast<double>(now));
  const std::string free = std::to_string(disk_.free_bytes);
  if (now == DiskState::kEnough) {
    log::Info("store: there is enough free space again", {{"free_bytes", free}});
  } else {
    log::Error(now == DiskState::kFull
                   ? "store: the disk is almost full, nothing is taken in until space returns"
                   : "store: the disk is low, old traces go before their time",
               {{"free_bytes", free}});
  }
}

// For the disk not to be low any more.
std::uint64_t EmbeddedStoreImpl::BytesToFree() const {
  if (disk_state_.load(std::memory_order_relaxed) == DiskState::kEnough) return 0;
  std::uint64_t free = disk_.free_bytes;
  for (const auto& dropped : dropped_early_) {
    if (const auto block = dropped.lock()) free += block->file_bytes();
  }
  const std::uint64_t wanted = EnoughBytes(LimitsOf(disk_).low_bytes);
  return wanted - std::min(wanted, free);
}

Result<void> EmbeddedStoreImpl::EnforceRetention() {
  // What cannot be written stays in the list, so that the log keeps its tombstones; space is freed
  // all the same, since a full disk may be the cause.
  Result<void> saved = SaveHeldDeletions();
  std::erase_if(unsaved_deletions_, [&](const std::shared_ptr<Block>& block) {
    auto result = SaveDeletions(*block);
    const bool done = result.has_value();
    if (!done) saved = std::move(result);
    return done;
  });
  const auto list = blocks();
  const std::int64_t oldest_ns = WrapSub(clock_.UnixNs(), options_.retention_ns);
  std::uint64_t bytes = log_->DiskBytes();
  for (const auto& block : *list) bytes += block->file_bytes();
  const bool too_many = bytes > options_.retention_bytes;
  const std::uint64_t wanted_bytes = options_.retention_bytes / 100 * 95;
  LookAtDisk();
  std::erase_if(dropped_early_, [](const auto& block) { return block.expired(); });
  std::uint64_t to_free = BytesToFree();
  const std::int64_t current_ns = WrapSub(clock_.UnixNs(), kKeptOnLowDiskNs);
  BlockList drop;
  BlockList early;
  // By arrival, oldest first. The newest block and the head are the current data: they stay.
  BlockList by_arrival(*list);
  std::stable_sort(by_arrival.begin(), by_arrival.end(), [](const auto& a, const auto& b) {
    return a->meta().arrival_ns_max < b->meta().arrival_ns_max;
  });
  for (const auto& block : by_arrival) {
    const bool expired = block->meta().arrival_ns_max < oldest_ns;
    const bool surplus = too_many && bytes > wanted_bytes && block != by_arrival.back();
    const bool is_early = to_free > 0 && block->meta().arrival_ns_max < current_ns;
    if (!expired && !surplus && !is_early) break;
    bytes -= block->file_bytes();
    to_free -= std::min(to_free, block->file_bytes());
    if (is_early && !expired && !surplus) early.push_back(block);
    drop.push_back(block);
  }
  if (!early.empty()) {
    dropped_early_.insert(dropped_early_.end(), early.begin(), early.end());
    dropped_early_blocks_.Add(static_cast<double>(early.size()));
    log::Warn("store: blocks go before their time, the disk is low",
              {{"blocks", std::to_string(early.size())}});
  }
  FLUORO_CHECK_OK(DropBlocks(drop));
  FLUORO_CHECK_OK(DropOldSums());
  return saved;
}

Result<void> EmbeddedStoreImpl::DropBlocks(const BlockList& drop) {
  if (drop.empty()) return {};
  FLUORO_CHECK_OK(RemoveUncertain());
  Result<void> told;
  for (const auto& block : drop) {
    // Replay must not bring back what the log still holds of it.
    if (block->meta().sealed_lsn < log_->FirstLsn()) continue;
    const auto table = block->Table();
    if (!table && table.error().code == ErrorCode::kIo) return std::unexpected(table.error());
    if (!table) continue;
    std::map<std::uint64_t, std::vector<model::TraceId>> by_lsn;
    for (const TraceEntry& trace : (*table)->traces) {
      by_lsn[trace.sealed_lsn].push_back(trace.id);
    }
    for (auto& [upto_lsn, ids] : by_lsn) {
      auto tombstone = std::make_shared<Tombstone>();
      tombstone->upto_lsn = upto_lsn;
      tombstone->head_only = true;
      tombstone->ids = std::move(ids);
      // On a full disk space comes first, but the caller is told: what was dropped may return after
      // a crash, and expire again.
      if (auto written = Record(std::move(tombstone)); !written) {
        if (written.error().code != ErrorCode::kNoSpace) return written;
        told = std::move(written);
        unlogged_drop_lsn_ = std::max(unlogged_drop_lsn_, upto_lsn);
      }
    }
  }
  FLUORO_TRY(BlockList folded, FoldRollups(drop));
  {
    MutexLock lock(state_mutex_);
    AddFolded(std::move(folded));
    auto list = std::make_shared<BlockList>();
    double bytes = 0;
    for (const auto& block : *blocks_) {
      if (std::find(drop.begin(), drop.end(), block) != drop.end()) continue;
      list->push_back(block);
      bytes += static_cast<double>(block->file_bytes());
    }
    blocks_ = std::move(list);
    blocks_gauge_.Set(static_cast<double>(blocks_->size()));
    block_bytes_gauge_.Set(bytes);
  }
  dropped_blocks_.Add(static_cast<double>(drop.size()));
  FLUORO_CHECK_OK(RemoveFiles(drop));
  return told;
}

// Of blocks that are in no list any more. One that stays must go before what replaced it does.
Result<void> EmbeddedStoreImpl::RemoveFiles(const BlockList& drop) {
  const auto remove = [&]() -> Result<void> {
    for (const auto& block : drop) FLUORO_CHECK_OK(block->Drop(layout_.tmp));
    FLUORO_CHECK_OK(fs_.SyncDir(layout_.tmp));
    return fs_.SyncDir(layout_.blocks);
  };
  if (auto removed = remove(); !removed) {
    for (const auto& block : drop)
      uncertain_.push_back(layout_.blocks + "/" + BlockFileName(block->meta().id));
    return removed;
  }
  std::erase_if(unsaved_deletions_, [&](const std::shared_ptr<Block>& block) {
    return std::find(drop.begin(), drop.end(), block) != drop.end();
  });
  // Only now: a block that came back without its list would show deleted traces.
  for (const auto& block : drop) RemoveBeside(layout_.blocks, block->meta().id);
  return {};
}

Result<void> EmbeddedStoreImpl::DropBefore(std::int64_t arrival_ns) {
  if (options_.read_only)
    return Fail(ErrorCode::kUnavailable, "the store is open for reading only");
  MutexLock lock(maintenance_mutex_);
  BlockList drop;
  for (const auto& block : *blocks()) {
    if (block->meta().arrival_ns_max < arrival_ns) drop.push_back(block);
  }
  FLUORO_CHECK_OK(DropBlocks(drop));
  auto tombstone = std::make_shared<Tombstone>();
  tombstone->head_only = true;
  {
    MutexLock state(state_mutex_);
    tombstone->upto_lsn = applied_lsn_;
    tombstone->ids = head_.Due(WrapSub(arrival_ns, 1), INT64_MIN);
  }
  if (tombstone->ids.empty()) return {};
  FLUORO_CHECK_OK(Record(std::move(tombstone)));
  FreeLog();
  return {};
}

// Returns when it is durable.
Result<void> EmbeddedStoreImpl::Record(std::shared_ptr<const Tombstone> tombstone) {
  Commit commit;
  commit.arrival_ns = clock_.UnixNs();
  commit.tombstone = std::move(tombstone);
  FLUORO_TRY(EncodedRecord record, EncodeCommit(commit));
  return log_->Submit(std::move(record), std::move(commit), true);
}

Result<std::uint64_t> EmbeddedStoreImpl::Delete(std::span<const model::TraceId> ids) {
  if (options_.read_only)
    return Fail(ErrorCode::kUnavailable, "the store is open for reading only");
  MutexLock lock(maintenance_mutex_);
  FLUORO_CHECK_OK(RemoveUncertain());  // they are not looked at
  auto tombstone = std::make_shared<Tombstone>();
  std::vector<model::TraceId> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const bool has_locked = HasLocked();
  // What was dropped while the disk was full is gone, but a replay would bring it back.
  const bool may_return = has_locked || unlogged_drop_lsn_ >= log_->FirstLsn();
  std::uint64_t found = 0;
  for (const model::TraceId& id : sorted) {
    const auto fragments = Find(id);  // unreadable: it may be there, so it is named
    const bool is_there = !fragments || !fragments->empty();
    if (is_there || may_return) tombstone->ids.push_back(id);
    if (is_there) ++found;
  }
  if (tombstone->ids.empty()) return 0;
  const std::shared_ptr<const Tombstone> said = std::move(tombstone);
  FLUORO_CHECK_OK(Record(said));
  deleted_traces_.Add(static_cast<double>(found));
  ForgetTextsOfValues();
  // Durable from here on. A .del file that cannot be written now is written by a later maintenance;
  // until then the log keeps the tombstone.
  auto saved = DeleteFromBlocks(said->ids, UINT64_MAX);
  if (has_locked) {
    HoldDeletions(said->ids, LsnOf(said));
    if (auto held = SaveHeldDeletions(); saved) saved = std::move(held);
  }
  if (!saved)
    log::Warn("store: deletions are kept in the log for now", {{"why", saved.error().message}});
  FreeLog();
  return found;
}

// Of a tombstone that was committed and whose log file was not freed since.
std::uint64_t EmbeddedStoreImpl::LsnOf(const std::shared_ptr<const Tombstone>& tombstone) {
  MutexLock lock(state_mutex_);
  const auto at = std::ranges::find(tombstones_, tombstone, &Commit::tombstone);
  return at == tombstones_.end() ? applied_lsn_ : at->lsn;
}

Result<void> EmbeddedStoreImpl::DeleteFromBlocks(const std::vector<model::TraceId>& sorted_ids,
                                                 std::uint64_t below_lsn) {
  Result<void> result;
  for (const auto& block : *blocks()) {
    std::vector<model::TraceId> gone;
    for (const model::TraceId& id : sorted_ids) {
      if (!block->MayContain(id) || block->IsDeleted(id)) continue;
      const auto table = block->Table();
      if (!table) {
        // The name is kept all the same, in case the block becomes readable again.
        if (block->meta().sealed_lsn < below_lsn) gone.push_back(id);
        continue;
      }
      if (std::ranges::any_of((*table)->Find(id), [&](std::uint32_t place) {
            return (*table)->traces[place].sealed_lsn < below_lsn ||
                   MayHoldOlder(block->meta(), below_lsn);
          }))
        gone.push_back(id);
    }
    if (gone.empty()) continue;
    if (const auto before = block->deleted())
      gone.insert(gone.end(), before->begin(), before->end());
    std::sort(gone.begin(), gone.end());
    block->SetDeleted(std::move(gone));
    if (options_.read_only) continue;
    if (auto saved = SaveDeletions(*block); !saved) {
      unsaved_deletions_.push_back(block);
      result = std::move(saved);
    }
  }
  return result;
}

// All of the block's deletions as they are now: a later delete may have added to a file that lags.
Result<void> EmbeddedStoreImpl::SaveDeletions(const Block& block) {
  const auto sorted_ids = block.deleted();
  if (!sorted_ids) return {};
  return WriteWhole(fs_, layout_, layout_.blocks, DeletionFileName(block.meta().id),
                    EncodeDeletions(*sorted_ids));
}

}  // namespace fluoro::store
