#include "store/embedded/embedded_store.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

// For which an append is held up at most, while merges or seals catch up.
constexpr std::chrono::microseconds kDelayMax{100'000};
constexpr std::chrono::milliseconds kRoomWaitMax{1'000};

}  // namespace

EmbeddedStoreImpl::EmbeddedStoreImpl(Fs& fs, const Clock& clock, Metrics& metrics,
                                     EmbeddedOptions options)
    : fs_(fs),
      clock_(clock),
      metrics_(metrics),
      options_(std::move(options)),
      layout_(options_.folder),
      // A fifth with the graphs' cache, the recent traces and the sums of a seal.
      cache_(metrics, "questions", options_.memory_bytes / 100 * 14),
      merge_cache_(metrics, "merges", options_.memory_bytes / 100 * 8),
      graph_cache_(metrics, "graphs", options_.memory_bytes / 100 * 2),
      read_budget_(metrics, options_.memory_bytes / 5),
      seal_reader_(graph_cache_),
      call_reader_(graph_cache_),
      recent_traces_(options_.memory_bytes / 32),
      blocks_(std::make_shared<const BlockList>()),
      folded_(std::make_shared<const BlockList>()),
      tail_policies_(options_.tail_policies),
      crowded_out_(metrics.GetCounter("fluoro_store_rollup_other_total",
                                      "Samples of the service graph for which there was no "
                                      "series any more.")),
      crowded_calls_(metrics.GetCounter("fluoro_store_calls_other_total",
                                        "Calls of models and tools for which there was no series "
                                        "any more.")),
      lost_rollups_(metrics.GetCounter("fluoro_store_rollup_lost_total",
                                       "Blocks whose sums could not be kept.")),
      merges_(metrics.GetCounter("fluoro_store_merges_total", "Merges of blocks done.")),
      merged_spans_(metrics.GetCounter("fluoro_store_merged_spans_total",
                                       "Spans written by merges of blocks.")),
      merge_failures_(
          metrics.GetCounter("fluoro_store_merge_failures_total", "Merges of blocks that failed.")),
      rewraps_(metrics.GetCounter("fluoro_store_rewraps_total",
                                  "Data keys of encrypted files wrapped anew.")),
      refused_disk_(metrics.GetCounter("fluoro_store_append_refused_total", "Batches refused.",
                                       {{"reason", "disk"}})),
      refused_merges_(metrics.GetCounter("fluoro_store_append_refused_total", "Batches refused.",
                                         {{"reason", "merges"}})),
      delay_seconds_(metrics.GetCounter("fluoro_store_append_delay_seconds_total",
                                        "Time for which appends were held up for merges and "
                                        "seals to catch up.")),
      dropped_early_blocks_(metrics.GetCounter("fluoro_store_dropped_early_blocks_total",
                                               "Blocks dropped because the disk was low.")),
      disk_state_gauge_(metrics.GetGauge("fluoro_store_disk_state",
                                         "0 enough space, 1 low: old blocks go, 2 full: nothing "
                                         "is taken in.")),
      disk_free_gauge_(metrics.GetGauge("fluoro_store_disk_free_bytes", "Free space of the disk.")),
      merge_debt_gauge_(metrics.GetGauge("fluoro_store_merge_due_blocks",
                                         "Sealed blocks that are due to be merged.")),
      thinned_bytes_(metrics.GetCounter("fluoro_store_thinned_bytes_total",
                                        "Bytes on disk that tail policies gave back.")),
      thinning_waits_(metrics.GetCounter(
          "fluoro_store_thinning_waits_total",
          "Traces not judged with their block, since pieces of them are in the live window.")),
      appended_batches_(metrics.GetCounter("fluoro_store_append_batches_total", "Batches stored.")),
      appended_spans_(metrics.GetCounter("fluoro_store_append_spans_total", "Spans stored.")),
      refused_head_(metrics.GetCounter("fluoro_store_append_refused_total", "Batches refused.",
                                       {{"reason", "head_full"}})),
      dropped_spans_(metrics.GetCounter("fluoro_store_dropped_spans_total",
                                        "Spans beyond the size a trace may have.")),
      sealed_blocks_(metrics.GetCounter("fluoro_store_sealed_blocks_total", "Blocks written.")),
      sealed_spans_(
          metrics.GetCounter("fluoro_store_sealed_spans_total", "Spans moved to blocks.")),
      seal_failures_(metrics.GetCounter("fluoro_store_seal_failures_total", "Seals that failed.")),
      dropped_blocks_(
          metrics.GetCounter("fluoro_store_dropped_blocks_total", "Blocks dropped by retention.")),
      deleted_traces_(metrics.GetCounter("fluoro_store_deleted_traces_total", "Traces deleted.")),
      replayed_records_(
          metrics.GetCounter("fluoro_store_replayed_records_total", "Log records read at start.")),
      thinning_crowded_out_(metrics.GetGauge(
          "fluoro_store_thinning_crowded_out",
          "Judged traces for whose route or shape there was no room: not called slow or rare.")),
      head_bytes_gauge_(metrics.GetGauge("fluoro_store_head_bytes", "Memory of the head.")),
      head_spans_gauge_(metrics.GetGauge("fluoro_store_head_spans", "Spans in the head.")),
      head_traces_gauge_(metrics.GetGauge("fluoro_store_head_traces", "Traces in the head.")),
      blocks_gauge_(metrics.GetGauge("fluoro_store_blocks", "Blocks on disk.")),
      block_bytes_gauge_(metrics.GetGauge("fluoro_store_block_bytes", "Bytes of all blocks.")),
      damaged_gauge_(metrics.GetGauge("fluoro_store_damaged", "Damaged files and gaps known.")),
      locked_gauge_(metrics.GetGauge("fluoro_store_locked_files",
                                     "Encrypted files whose key is not available.")),
      old_keys_gauge_(metrics.GetGauge("fluoro_store_old_key_files",
                                       "Files whose data key another key wraps than that in "
                                       "use.")),
      crowded_out_keys_(metrics.GetCounter("fluoro_store_attribute_keys_crowded_out_total",
                                           "Keys of attributes, a block each, for which the "
                                           "cardinality guard had no room.")),
      guarded_keys_(metrics.GetCounter("fluoro_store_attribute_keys_guarded_total",
                                       "Times at which a key was demoted from the indexes.")),
      attribute_bytes_gauge_(
          metrics.GetGauge("fluoro_store_attribute_bytes", "Memory of the cardinality guard.")) {
  for (std::size_t state = 0; state < attribute_keys_gauges_.size(); ++state) {
    const auto name = cardinality::StateName(static_cast<cardinality::State>(state));
    attribute_keys_gauges_.at(state) =
        metrics.GetGauge("fluoro_store_attribute_keys", "Keys of attributes by their state.",
                         {{"state", std::string(name)}});
  }
}

EmbeddedStoreImpl::~EmbeddedStoreImpl() { log::WarnIfFailed("store: closing", Close()); }

Result<void> EmbeddedStoreImpl::Append(model::SpanBatch batch, Durability durability) {
  if (options_.read_only)
    return Fail(ErrorCode::kUnavailable, "the store is open for reading only");
  if (closed_.load(std::memory_order_relaxed)) {
    return Fail(ErrorCode::kUnavailable, "the store is shutting down");
  }
  if (batch.empty()) return {};
  FLUORO_CHECK_OK(PushBack());
  if (auto checked = CheckBatch(batch); !checked) {
    return Fail(ErrorCode::kInternal, "refused: " + checked.error().message);
  }
  const std::uint64_t bytes = batch.MemoryBytes();
  FLUORO_CHECK_OK(TakeRoom(bytes));
  const auto submit = [&]() -> Result<void> {
    Commit commit;
    commit.arrival_ns = clock_.UnixNs();
    commit.batch = std::make_shared<const model::SpanBatch>(std::move(batch));
    FLUORO_TRY(EncodedRecord record, EncodeCommit(commit));
    return log_->Submit(std::move(record), std::move(commit), durability == Durability::kSynced);
  };
  auto result = submit();
  {
    MutexLock lock(room_mutex_);
    in_flight_bytes_ -= bytes;
  }
  const bool wants_seal = head_bytes_.load(std::memory_order_relaxed) > HeadLimit() / 4 * 3;
  if (wants_seal) WantSeal();
  if (!wants_seal || !result) room_.notify_all();  // a seal tells of the room that it makes
  return result;
}

// Who sends more than can be sealed is held up before he is refused: what was refused is received
// and decoded once more.
Result<void> EmbeddedStoreImpl::TakeRoom(std::uint64_t bytes) {
  const std::uint64_t bound = HeadLimit() / 10 * 9;
  if (bytes > bound) {
    return Fail(ErrorCode::kTooLarge, "a batch of " + std::to_string(bytes) +
                                          " bytes does not fit the memory for unsealed spans, " +
                                          std::to_string(bound) + " bytes");
  }
  MutexLock lock(room_mutex_);
  const auto has_room = [&]() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
    return head_bytes_.load(std::memory_order_relaxed) + in_flight_bytes_ + bytes <= bound;
  };
  if (!has_room() && options_.background_thread) {
    WantSeal();
    const std::int64_t begin_ns = clock_.MonotonicNs();
    room_.wait_for(lock, kRoomWaitMax,
                   [&] { return has_room() || closed_.load(std::memory_order_relaxed); });
    delay_seconds_.Add(static_cast<double>(clock_.MonotonicNs() - begin_ns) * 1e-9);
  }
  if (!has_room()) {
    refused_head_.Add();
    return Fail(ErrorCode::kUnavailable, "the memory for unsealed spans is full: try again");
  }
  in_flight_bytes_ += bytes;
  return {};
}

void EmbeddedStoreImpl::TellRoom() {
  {
    MutexLock lock(room_mutex_);
  }  // nobody is between looking and waiting
  room_.notify_all();
}

void EmbeddedStoreImpl::WantSeal() {
  {
    MutexLock lock(wake_mutex_);
    wanted_ = true;
  }
  wake_.notify_one();
}

Result<void> EmbeddedStoreImpl::PushBack() {
  if (disk_state_.load(std::memory_order_relaxed) == DiskState::kFull) {
    refused_disk_.Add();
    return Fail(ErrorCode::kUnavailable, "the disk is almost full: try again later");
  }
  const std::size_t due = merge_debt_.load(std::memory_order_relaxed);
  const MergePolicy& policy = options_.merge;
  if (due <= policy.due_slow) return {};
  if (due > policy.due_max) {
    refused_merges_.Add();
    return Fail(ErrorCode::kUnavailable,
                std::to_string(due) + " blocks wait to be merged: try again later");
  }
  const auto delay = kDelayMax * static_cast<std::int64_t>(due - policy.due_slow) /
                     static_cast<std::int64_t>(policy.due_max - policy.due_slow + 1);
  std::this_thread::sleep_for(delay);
  delay_seconds_.Add(std::chrono::duration<double>(delay).count());
  return {};
}

void EmbeddedStoreImpl::Apply(const std::vector<Commit>& commits) {
  std::shared_ptr<const CommitListener> listener;
  {
    MutexLock lock(state_mutex_);
    for (const Commit& commit : commits) {
      applied_lsn_ = commit.lsn;
      if (commit.batch) {
        dropped_spans_.Add(static_cast<double>(head_.Add(commit, nullptr)));
        appended_batches_.Add();
        appended_spans_.Add(static_cast<double>(commit.batch->size()));
        continue;
      }
      const std::uint64_t upto =
          commit.tombstone->upto_lsn == 0 ? commit.lsn : commit.tombstone->upto_lsn;
      for (const model::TraceId& id : commit.tombstone->ids) head_.Remove(id, upto);
      tombstones_.push_back(commit);
    }
    UpdateGauges();
    listener = listener_;
  }
  if (!listener) return;
  for (const Commit& commit : commits) {
    if (commit.batch) (*listener)(commit.batch);
  }
}

void EmbeddedStoreImpl::UpdateGauges() {
  const std::uint64_t before = head_bytes_.exchange(head_.bytes(), std::memory_order_relaxed);
  if (head_.bytes() < before) TellRoom();
  head_bytes_gauge_.Set(static_cast<double>(head_.bytes()));
  head_spans_gauge_.Set(static_cast<double>(head_.spans()));
  head_traces_gauge_.Set(static_cast<double>(head_.traces()));
}

std::vector<Commit> EmbeddedStoreImpl::Unsealed(std::uint64_t wal_file) {
  MutexLock lock(state_mutex_);
  std::vector<Commit> commits = head_.BatchesIn(wal_file);
  for (const Commit& tombstone : tombstones_) {
    if (tombstone.wal_file == wal_file) commits.push_back(tombstone);
  }
  std::sort(commits.begin(), commits.end(),
            [](const Commit& a, const Commit& b) { return a.lsn < b.lsn; });
  return commits;
}

void EmbeddedStoreImpl::Moved(const std::vector<Commit>& commits, std::uint64_t wal_file) {
  MutexLock lock(state_mutex_);
  for (const Commit& commit : commits) head_.Move(commit.lsn, wal_file);
  for (Commit& tombstone : tombstones_) {
    for (const Commit& commit : commits) {
      if (commit.lsn == tombstone.lsn) tombstone.wal_file = wal_file;
    }
  }
}

void EmbeddedStoreImpl::SetCommitListener(CommitListener listener) {
  auto shared = listener ? std::make_shared<const CommitListener>(std::move(listener)) : nullptr;
  MutexLock lock(state_mutex_);
  listener_ = std::move(shared);
}

void EmbeddedStoreImpl::AddDamage(std::string what) {
  MutexLock lock(state_mutex_);
  damaged_.push_back(std::move(what));
  UpdateDamageGauges();
}

void EmbeddedStoreImpl::UpdateDamageGauges() {
  damaged_gauge_.Set(static_cast<double>(damaged_.size() - locked_.size()));
  locked_gauge_.Set(static_cast<double>(locked_.size()));
}

Usage EmbeddedStoreImpl::GetUsage() {
  Usage usage;
  std::shared_ptr<const BlockList> list;
  std::shared_ptr<const BlockList> folded;
  std::int64_t oldest = INT64_MAX;
  {
    MutexLock lock(state_mutex_);
    list = blocks_;
    folded = folded_;
    usage.traces = head_.traces();
    usage.spans = head_.spans();
    usage.head_bytes = head_.bytes();
    usage.disk_bytes = locked_bytes_;
    oldest = head_.OldestStart();
  }
  for (const auto& block : *list) {
    const BlockMeta& meta = block->meta();
    usage.traces += meta.traces;
    usage.spans += meta.spans;
    usage.disk_bytes += block->file_bytes();
    usage.index_bytes += block->index_bytes();
    oldest = std::min(oldest, meta.start_ns_min);
    const auto deleted = block->deleted();
    if (!deleted) continue;
    usage.traces -= std::min<std::uint64_t>(meta.traces, deleted->size());
    const auto table = block->Table();
    if (!table) continue;
    for (const model::TraceId& id : *deleted) {
      for (const std::uint32_t place : (*table)->Find(id))
        usage.spans -= (*table)->traces[place].rows;
    }
  }
  if (log_) usage.disk_bytes += log_->DiskBytes();
  for (const auto& block : *folded) usage.disk_bytes += block->file_bytes();
  usage.oldest_ns = oldest == INT64_MAX ? 0 : oldest;
  return usage;
}

Result<void> EmbeddedStoreImpl::Close() {
  if (closed_.exchange(true) || !log_) return {};
  TellRoom();
  if (background_.joinable()) {
    background_.request_stop();
    WantSeal();
    background_.join();
  }
  if (merger_.joinable()) {
    merger_.request_stop();
    merger_.join();
  }
  // The log first: what it still holds must be in the head before the head is sealed. Its files go
  // with the next start, which finds every batch in a block.
  auto stopped = log_->Stop();
  auto sealed = SealAll();
  {
    MutexLock lock(maintenance_mutex_);
    SaveAttributes(true);
  }
  if (!stopped) return stopped;
  return sealed;
}

Result<std::unique_ptr<EmbeddedStore>> OpenEmbeddedStore(Fs& fs, const Clock& clock,
                                                         Metrics& metrics,
                                                         const EmbeddedOptions& options) {
  auto store = std::make_unique<EmbeddedStoreImpl>(fs, clock, metrics, options);
  FLUORO_CHECK_OK(store->Open());
  return store;
}

}  // namespace fluoro::store
