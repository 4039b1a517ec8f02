// The embedded store's inside: who owns what, and under which lock.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "cardinality/guard.h"
#include "store/attribute_census.h"
#include "store/embedded/attribute_watch.h"
#include "store/embedded/block.h"
#include "store/embedded/block_cache.h"
#include "store/embedded/call_reader.h"
#include "store/embedded/disk_space.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/graph_reader.h"
#include "store/embedded/head.h"
#include "store/embedded/held_deletions.h"
#include "store/embedded/log.h"
#include "store/embedded/recent_traces.h"
#include "store/embedded/snapshot.h"
#include "store/embedded/thinning.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {

/// Names inside the data folder.
struct Layout {
  explicit Layout(const std::string& folder)
      : root(folder),
        wal(folder + "/wal"),
        blocks(folder + "/blocks"),
        tmp(folder + "/tmp"),
        quarantine(folder + "/quarantine"),
        rollup(folder + "/rollup"),
        locked(folder + "/locked"),
        lock(folder + "/LOCK"),
        format(folder + "/FORMAT") {}
  std::string root, wal, blocks, tmp, quarantine, rollup, locked, lock, format;
};

/// Versions of a folder: with the second there may be encrypted files in it.
inline constexpr std::uint64_t kPlainFormat = 1;
inline constexpr std::uint64_t kEncryptedFormat = 2;
/// Content of the FORMAT file: "fluoro-store <version> <sum>\n".
std::string EncodeFormat(std::uint64_t version);
/// The version. Errors: kUnsupported (a newer program's folder), kCorruption.
Result<std::uint64_t> DecodeFormat(std::string_view content);

/// Writes a small file so that after a crash it is there whole or not at all.
Result<void> WriteWhole(Fs& fs, const Layout& layout, const std::string& folder,
                        const std::string& name, std::string_view content);

/// Of what the cardinality guard remembers.
std::string AttributeFilePath(const std::string& folder);

class BlockWriter;

class EmbeddedStoreImpl final : public EmbeddedStore, public AttributeCensus, private LogOwner {
 public:
  EmbeddedStoreImpl(Fs& fs, const Clock& clock, Metrics& metrics, EmbeddedOptions options);
  ~EmbeddedStoreImpl() override;

  /// recovery.cc: what is on disk becomes this store; starts the threads.
  Result<void> Open();

  // embedded_store.cc
  Result<void> Append(model::SpanBatch batch, Durability durability) override;
  void SetCommitListener(CommitListener listener) override;
  Usage GetUsage() override;
  Result<void> Close() override;

  // read.cc
  Result<std::shared_ptr<const model::Trace>> ReadTrace(const model::TraceId& id,
                                                        std::uint64_t first_span) override;
  Result<std::vector<bool>> Exist(std::span<const model::TraceId> ids) override;
  Result<std::vector<std::string>> Services(std::size_t limit) override;
  Result<std::vector<Operation>> Operations(std::string_view service, std::size_t limit) override;

  // search.cc
  Result<SearchResult> Search(const query::Plan& plan, const Visitor& visitor) override;
  Result<SearchResult> List(const query::Plan& plan, const OutlineVisitor& visitor) override;

  // graph.cc
  Result<GraphResult> Graph(const GraphPlan& plan) override;

  // calls.cc
  Result<CallsResult> Calls(const CallsPlan& plan) override;

  // maintain.cc
  Result<std::uint64_t> Delete(std::span<const model::TraceId> ids) override;
  Result<void> DropBefore(std::int64_t arrival_ns) override;
  Result<void> RunMaintenance() override;
  Result<void> SealAll() override;

  // rewrap.cc
  Result<void> SetWrappingKey(std::string_view name) override;
  std::string wrapping_key() override;
  // attributes.cc
  void SetAttributeSettings(cardinality::Settings settings) override;
  Result<cardinality::Census> Attributes() override;
  Result<cardinality::KeyDetail> Attribute(std::string_view key) override;
  // thin.cc
  void SetTailPolicies(std::shared_ptr<const query::TailFilters> policies) override;
  Result<void> VisitDropped(std::int64_t from_ns, std::int64_t until_ns,
                            const std::function<bool(const DroppedTrace&)>& visit) override;

  /// Pieces of a trace in these blocks alone.
  /// @param tables  whether the pieces come with the tables of their blocks even where these have
  ///                to be read for it.
  enum class Tables : std::uint8_t { kRead, kIfAtHand };
  static Result<Fragments> FindIn(const BlockList& list, const model::TraceId& id,
                                  Tables tables = Tables::kRead);

 private:
  friend class SearchRun;
  friend class CallsRun;
  friend class GraphRun;

  // LogOwner
  void Apply(const std::vector<Commit>& commits) override;
  std::vector<Commit> Unsealed(std::uint64_t wal_file) override;
  void Moved(const std::vector<Commit>& commits, std::uint64_t wal_file) override;

  // recovery.cc
  struct Replay;
  struct LogFile;
  Result<void> PrepareFolder();
  Result<void> RaiseFormat();
  Result<void> LoadBlocks();
  Result<void> LoadBlock(const std::string& name, std::uint64_t id);
  Result<void> LoadDeletions(Block& block);
  Result<void> SetAside(const std::string& path);
  std::unordered_set<std::uint64_t> ApplyReplacements();
  void TakeDeletionsOfInputs(const BlockList& list, Block& merged);
  Result<void> NameQuarantined();
  Result<void> ReplayLog();
  Result<void> SetUnreadableAside(const Replay& replay);
  Result<std::vector<LogFile>> ListLogs();
  void FindLogKey(const WalHeader& header, LogFile& file) const;
  void LookAhead(Replay& replay, std::vector<LogFile>& files);
  void SyncTails(const Replay& replay);
  void LeaveOut(const Replay& replay);
  void ReplayFile(Replay& replay, LogFile& log_file, bool is_last);
  void ReplayRecord(Replay& replay, std::uint64_t file_number, WalRecord& record);
  void ReportGaps(const Replay& replay);
  bool IsSealed(const BlockList& blocks, const model::TraceId& id, std::uint64_t lsn);
  Result<void> RefreshReadOnly();

  // locked.cc
  void AddLocked(const std::string& shown, const Error& why, std::uint64_t bytes);
  void AddLockedBlock(const std::string& path, const std::string& shown, Error why);
  [[nodiscard]] bool HasLocked();
  Result<void> MoveLockedLogs(const std::vector<std::string>& paths);
  Result<void> LoadHeldDeletions();
  void HoldDeletions(std::span<const model::TraceId> ids, std::uint64_t lsn);
  Result<void> SaveHeldDeletions();
  Result<void> ApplyHeldDeletions(bool has_logs_aside);

  // rewrap.cc
  Result<void> Rewrap();
  void RemoveBeside(const std::string& folder, std::uint64_t id);

  // maintain.cc
  Result<void> Seal(std::span<const model::TraceId> ids);
  Result<void> SealUpTo(std::span<const model::TraceId> ids, std::uint64_t behind_lsn,
                        std::uint64_t upto_lsn);
  Result<void> SealChunk(std::vector<TraceRows>& traces, std::uint64_t sealed_lsn,
                         const LsnRanges& left_out);
  Result<void> SealWhatIsDue(bool everything_due);
  Result<void> EnforceRetention();
  void LookAtDisk();
  [[nodiscard]] std::uint64_t BytesToFree() const;
  Result<void> DropBlocks(const BlockList& blocks);
  Result<void> RemoveFiles(const BlockList& blocks);
  Result<void> DeleteFromBlocks(const std::vector<model::TraceId>& sorted_ids,
                                std::uint64_t below_lsn);
  Result<void> SaveDeletions(const Block& block);
  std::uint64_t LsnOf(const std::shared_ptr<const Tombstone>& tombstone);
  Result<void> RemoveUncertain();
  void FreeLog();
  void RunBackground(const std::stop_token& stop);
  void UpdateGauges() FLUORO_REQUIRES(state_mutex_);

  // seal_rollup.cc
  friend class SealRollup;
  void RememberTraces();

  // seal_calls.cc
  Result<rollup::CallSums> SumCalls(std::span<const TraceRows> traces,
                                    cardinality::BlockValues& values);
  Result<void> WriteCalls(std::span<const TraceRows> traces, BlockWriter& writer,
                          cardinality::BlockValues& values);

  // attributes.cc
  static cardinality::GuardLimits GuardLimitsOf(const EmbeddedOptions& options);
  void LoadAttributes();
  void SaveAttributes(bool at_once);
  AttributePolicy attribute_policy();
  void AbsorbValues(cardinality::BlockValues& values) FLUORO_REQUIRES(attributes_mutex_);
  void UseStateChanges(const std::vector<cardinality::StateChange>& changes)
      FLUORO_REQUIRES(attributes_mutex_);
  void UpdateAttributeGauges() FLUORO_REQUIRES(attributes_mutex_);
  void ForgetTextsOfValues();
  cardinality::Guard GuardOfNow(cardinality::Settings& settings);

  // embedded_store.cc
  /// Errors: kUnavailable: the disk or the merges have to catch up. Waits a little where they
  /// nearly have to.
  Result<void> PushBack();
  /// Counts a batch as in flight; waits for seals to make room for it. Errors: kTooLarge,
  /// kUnavailable: they did not in time.
  Result<void> TakeRoom(std::uint64_t bytes);
  void TellRoom();  ///< the head got smaller
  void WantSeal();

  // fold_rollup.cc
  Result<std::shared_ptr<Block>> Fold(const Block& block);
  /// Keeps the sums of blocks that go. They count from AddFolded on.
  Result<BlockList> FoldRollups(const BlockList& drop);
  void AddFolded(BlockList folded) FLUORO_REQUIRES(state_mutex_);
  Result<void> LoadFolded();
  Result<void> DropOldSums();

  // compact.cc
  /// Does the merge that is due most; false if none is, or if it was given up for `stop` or because
  /// a block went meanwhile.
  Result<bool> MergeOnce(const std::stop_token& stop);
  Result<void> CommitMerge(
      const BlockList& inputs,
      const std::vector<std::shared_ptr<const std::vector<model::TraceId>>>& deleted,
      const std::optional<BlockMeta>& merged, const std::string& tmp, const Thinned& thinned);
  void RunMerges(const std::stop_token& stop);

  // thin.cc
  bool HasTailPolicies();
  /// What judging the blocks [first, first + count) of a list takes; null: no policies, or they are
  /// not all out of the live window.
  std::unique_ptr<Thinning> PrepareThinning(const BlockList& list, std::size_t first,
                                            std::size_t count);
  void SeedTraffic(const BlockList& list, std::int64_t before_ns);
  Result<void> Record(std::shared_ptr<const Tombstone> tombstone);
  Result<void> ForgetDropped(const Thinned& thinned);
  void DropLeftBehind(const Thinned& thinned);
  void CountThinned(const Thinned& thinned, std::uint64_t bytes_before, std::uint64_t bytes_after);

  // snapshot.cc
  Snapshot TakeSnapshot();

  // read.cc
  /// With Tables::kIfAtHand.
  Result<Fragments> Find(const model::TraceId& id);

  std::shared_ptr<const BlockList> blocks() {
    MutexLock lock(state_mutex_);
    return blocks_;
  }
  void AddDamage(std::string what);
  void UpdateDamageGauges() FLUORO_REQUIRES(state_mutex_);
  [[nodiscard]] const crypto::Keyring* keys() const { return options_.keys.get(); }
  [[nodiscard]] std::uint64_t HeadLimit() const { return options_.memory_bytes / 4; }

  Fs& fs_;
  const Clock& clock_;
  Metrics& metrics_;
  const EmbeddedOptions options_;
  const Layout layout_;
  std::unique_ptr<FileLock> lock_;
  BlockCache cache_;
  BlockCache merge_cache_;
  BlockCache graph_cache_;
  ReadBudget read_budget_;

  Mutex graph_mutex_;
  /// Between questions: they remember what spans mean.
  std::vector<std::unique_ptr<GraphReader>> graph_readers_ FLUORO_GUARDED_BY(graph_mutex_);

  /// Before state_mutex_: rows leave the head and their values are counted under both.
  Mutex attributes_mutex_;
  cardinality::Guard guard_ FLUORO_GUARDED_BY(attributes_mutex_){GuardLimitsOf(options_)};
  cardinality::Settings attribute_settings_ FLUORO_GUARDED_BY(attributes_mutex_);
  AttributePolicy attribute_policy_ FLUORO_GUARDED_BY(attributes_mutex_);
  bool attributes_dirty_ FLUORO_GUARDED_BY(attributes_mutex_) = false;   ///< the file lags behind
  bool attributes_urgent_ FLUORO_GUARDED_BY(attributes_mutex_) = false;  ///< it is written soon
  std::int64_t attributes_saved_ns_ FLUORO_GUARDED_BY(attributes_mutex_) = INT64_MIN;

  /// Order of locks: merge_mutex_, maintenance_mutex_, then the log's own, then state_mutex_. The
  /// first serialises merges, which may take minutes; the second seals, retention and deletes,
  /// which do I/O; the last is held for memory work only.
  Mutex merge_mutex_;
  std::set<std::uint64_t> unmergeable_;  ///< until the next start; under merge_mutex_
  sampling::TailTraffic traffic_;        ///< that was judged lately; under merge_mutex_
  bool traffic_is_seeded_ = false;       ///< under merge_mutex_
  Mutex maintenance_mutex_;
  std::uint64_t next_block_id_ = 1;  ///< under maintenance_mutex_
  std::int64_t last_seal_ns_ = 0;    ///< under maintenance_mutex_
  GraphReader seal_reader_;          ///< under maintenance_mutex_
  CallReader call_reader_;           ///< under maintenance_mutex_
  RecentTraces recent_traces_;       ///< under maintenance_mutex_
  /// Whose .del file lags behind; under maintenance_mutex_.
  std::vector<std::shared_ptr<Block>> unsaved_deletions_;

  /// Files of blocks that count no more, published and given up or replaced, whose removal is not
  /// durable yet; under maintenance_mutex_. They may show again at the next start: until they are
  /// gone the log keeps what it knows of deletions, and what replaced them stays.
  std::vector<std::string> uncertain_;
  /// Rows up to this LSN were in a block that was dropped without the log being told; 0: none.
  std::uint64_t unlogged_drop_lsn_ FLUORO_GUARDED_BY(maintenance_mutex_) = 0;

  // As last looked at; under maintenance_mutex_.
  Fs::Space disk_;
  std::uint64_t room_bytes_ = UINT64_MAX;            ///< free, above what makes the disk full
  std::vector<std::weak_ptr<Block>> dropped_early_;  ///< the space of those still read is to come

  std::uint64_t format_version_ = 0;  ///< of the folder; under maintenance_mutex_
  // What files without a key are to learn of when it returns; under maintenance_mutex_.
  HeldDeletions held_deletions_;
  bool held_unsaved_ = false;  ///< their file lags behind: the log keeps the tombstones
  LsnRanges left_out_;         ///< in log files without a key and nowhere else; set by Open
  std::vector<std::uint64_t> locked_deletions_;  ///< of them those of deletions; in order
  std::uint64_t locked_block_id_ = 0;            ///< the last without a key; set by Open
  std::uint64_t locked_lsn_ = 0;  ///< no block without a key holds a higher one; set by Open

  Mutex state_mutex_;
  Head head_ FLUORO_GUARDED_BY(state_mutex_);
  std::shared_ptr<const BlockList> blocks_ FLUORO_GUARDED_BY(state_mutex_);  ///< by id
  /// Sums of blocks that are gone, oldest first.
  std::shared_ptr<const BlockList> folded_ FLUORO_GUARDED_BY(state_mutex_);
  std::uint64_t applied_lsn_ FLUORO_GUARDED_BY(state_mutex_) = 0;
  std::vector<Commit> tombstones_ FLUORO_GUARDED_BY(state_mutex_);    ///< in WAL files that remain
  std::vector<std::string> damaged_ FLUORO_GUARDED_BY(state_mutex_);  ///< and locked
  std::set<std::string> locked_ FLUORO_GUARDED_BY(state_mutex_);      ///< files without a key
  std::uint64_t locked_bytes_ FLUORO_GUARDED_BY(state_mutex_) = 0;
  std::shared_ptr<const CommitListener> listener_ FLUORO_GUARDED_BY(state_mutex_);
  std::shared_ptr<const query::TailFilters> tail_policies_ FLUORO_GUARDED_BY(state_mutex_);

  std::atomic<std::uint64_t> head_bytes_ = 0;  ///< copy of head_.bytes(), read by Append
  std::atomic<bool> closed_ = false;
  std::atomic<DiskState> disk_state_ = DiskState::kEnough;  ///< set under maintenance_mutex_
  std::atomic<std::size_t> merge_debt_ = 0;  ///< CountDue, when a merge was last planned

  // Under all other mutexes but wake_mutex_.
  Mutex room_mutex_;
  std::condition_variable_any room_;
  std::uint64_t in_flight_bytes_ FLUORO_GUARDED_BY(room_mutex_) = 0;  ///< between Append and head

  std::unique_ptr<Log> log_;
  std::condition_variable_any wake_;
  Mutex wake_mutex_;
  bool wanted_ FLUORO_GUARDED_BY(wake_mutex_) = false;

  std::unordered_set<std::uint64_t> folded_ids_;  ///< set by Open: these blocks count no more
  Counter crowded_out_, crowded_calls_, lost_rollups_;
  Counter merges_, merged_spans_, merge_failures_, rewraps_;
  Counter refused_disk_, refused_merges_, delay_seconds_, dropped_early_blocks_;
  Gauge disk_state_gauge_, disk_free_gauge_, merge_debt_gauge_;
  Counter thinned_bytes_, thinning_waits_;
  Counter appended_batches_, appended_spans_, refused_head_, dropped_spans_, sealed_blocks_,
      sealed_spans_, seal_failures_, dropped_blocks_, deleted_traces_, replayed_records_;
  Gauge thinning_crowded_out_;
  Gauge head_bytes_gauge_, head_spans_gauge_, head_traces_gauge_, blocks_gauge_, block_bytes_gauge_,
      damaged_gauge_, locked_gauge_, old_keys_gauge_;
  Counter crowded_out_keys_, guarded_keys_;
  std::array<Gauge, 3> attribute_keys_gauges_;  ///< by cardinality::State
  Gauge attribute_bytes_gauge_;
  std::jthread background_;
  std::jthread merger_;
};

}  // namespace fluoro::store
