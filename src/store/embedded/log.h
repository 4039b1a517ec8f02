// The log thread: everything queued becomes one write and one fdatasync (group commit).
#pragma once

#include <semaphore.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "model/span_batch.h"
#include "store/embedded/wal_format.h"

namespace fluoro::store {

/// What one committed record means to the head.
struct Commit {
  std::uint64_t lsn = 0;
  std::uint64_t wal_file = 0;
  std::int64_t arrival_ns = 0;
  std::shared_ptr<const model::SpanBatch> batch;  ///< kSpans
  std::shared_ptr<const Tombstone> tombstone;     ///< kTombstone
};

/// A record's bytes. Errors: kTooLarge.
Result<EncodedRecord> EncodeCommit(const Commit& commit);

/// The log's way back to the store. Called on the log thread, never under a lock of the log.
class LogOwner {
 public:
  virtual ~LogOwner() = default;
  /// Makes the records visible, in this order. Their LSNs rise from call to call.
  virtual void Apply(const std::vector<Commit>& commits) = 0;
  /// The applied records of this WAL file that no block holds yet, in order of LSN.
  virtual std::vector<Commit> Unsealed(std::uint64_t wal_file) = 0;
  /// They stand in another file now.
  virtual void Moved(const std::vector<Commit>& commits, std::uint64_t wal_file) = 0;
};

struct LogOptions {
  std::string folder;                           ///< data/wal
  std::shared_ptr<const crypto::Keyring> keys;  ///< null: files are not encrypted
  bool sync_each = true;                        ///< acknowledge after fdatasync
  bool sync_ever = true;                        ///< false: leave it to the operating system
  std::uint64_t file_bytes = std::uint64_t{64} << 20;
  std::uint64_t allocate_bytes = std::uint64_t{4} << 20;  ///< reserved ahead of the frames
  std::uint64_t queue_bytes_max = std::uint64_t{76} << 20;
  std::int64_t sync_delay_ns = 100 * kNsPerMs;  ///< of records that did not wait for their sync
};

/// Thread-safe.
class Log {
 public:
  Log(Fs& fs, const Clock& clock, Metrics& metrics, LogOptions options, LogOwner& owner);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Before Start: an LSN and a file number that nothing on disk uses.
  void Continue(std::uint64_t next_lsn, std::uint64_t next_file);
  /// Before Start: a file whose bytes may not last. Its records that no block holds yet are written
  /// anew before the next record, as after a failed sync.
  void Distrust(std::uint64_t wal_file) { poisoned_.push_back(wal_file); }
  /// Creates the first file and starts the thread. A full disk is no reason not to start: the next
  /// record tries again.
  void Start();
  /// Commits what is queued, syncs, ends the thread. Later Submits fail.
  Result<void> Stop();

  /// Returns when the record is durable (or written, without `sync`) and applied.
  /// Errors: kUnavailable (queue full, stopped, log unusable), kNoSpace, kIo.
  Result<void> Submit(EncodedRecord record, Commit commit, bool sync);

  /// The newest file: records that are not applied yet are in it or in later ones. 0: none.
  [[nodiscard]] std::uint64_t LastFile() const;
  /// Removes files below this number, but never the one in use, in their order: it stops at one
  /// that cannot be removed, and the next call tries it again. One caller at a time.
  void FreeBefore(std::uint64_t wal_file);
  /// A file found at start that replay still needs. In order of their numbers.
  struct KnownFile {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_lsn = 0;
    std::string path;
    std::string key_name;  ///< that wraps its data key; empty: not encrypted
  };
  void AdoptFile(KnownFile file);
  /// Of the keys that wrap the files' data keys, in order of files; empty: not encrypted.
  [[nodiscard]] std::vector<std::string> KeyNames() const;
  /// No file holds a record below this.
  [[nodiscard]] std::uint64_t FirstLsn() const;
  [[nodiscard]] std::uint64_t DiskBytes() const;

 private:
  // As std::binary_semaphore, which spins and yields before it sleeps: a sync of the disk is
  // longer.
  class Event {
   public:
    Event() { ::sem_init(&semaphore_, 0, 0); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { ::sem_destroy(&semaphore_); }
    /// The waiting thread may destroy it from here on.
    void Set() { ::sem_post(&semaphore_); }
    void Wait() {
      while (::sem_wait(&semaphore_) != 0) {
      }
    }

   private:
    sem_t semaphore_{};
  };
  struct Request {
    EncodedRecord record;
    Commit commit;
    bool sync = true;
    Result<void> result;
    Event done;
  };
  struct OpenFile {
    std::unique_ptr<File> file;
    WalHeader header;
    std::uint64_t seed = 0;
    std::shared_ptr<const FileCipher> cipher;
    std::uint64_t offset = 0;
    std::uint64_t allocated = 0;
    std::uint64_t forgotten = 0;  ///< by the system's page cache, up to here
    [[nodiscard]] std::string_view key_name() const {
      return cipher ? std::string_view(cipher->envelope().key_name) : std::string_view();
    }
  };

  void Run();
  void CommitGroup(std::vector<Request*>& group);
  Result<void> WriteGroup(std::vector<Request*>& group);
  Result<void> EnsureFile();
  Result<void> Roll();
  Result<void> Rescue();
  Result<void> SyncNow();
  void ForgetSynced();
  void Poison();
  Result<void> WriteFrames();

  Fs& fs_;
  const Clock& clock_;
  const LogOptions options_;
  LogOwner& owner_;

  // Log thread only.
  OpenFile current_;
  std::uint64_t next_lsn_ = 1;
  std::uint64_t next_file_ = 1;
  std::uint64_t applied_lsn_ = 0;
  std::uint64_t written_lsn_ = 0;
  std::uint64_t synced_lsn_ = 0;
  std::vector<std::uint64_t> poisoned_;  ///< files whose unsealed records must be written anew
  Frames frames_;

  mutable Mutex mutex_;
  std::condition_variable_any ready_;
  std::vector<Request*> queue_ FLUORO_GUARDED_BY(mutex_);
  std::uint64_t queue_bytes_ FLUORO_GUARDED_BY(mutex_) = 0;
  bool stopping_ FLUORO_GUARDED_BY(mutex_) = false;
  bool stopped_ FLUORO_GUARDED_BY(mutex_) = false;
  Result<void> stop_result_ FLUORO_GUARDED_BY(mutex_);

  mutable Mutex files_mutex_;
  std::vector<KnownFile> files_ FLUORO_GUARDED_BY(files_mutex_);

  Counter groups_, bytes_written_, refused_, write_failures_, sync_failures_, rescues_;
  Gauge queue_gauge_, unusable_gauge_, files_gauge_, wal_bytes_gauge_;
  Histogram sync_seconds_;
  std::jthread thread_;
};

}  // namespace fluoro::store
