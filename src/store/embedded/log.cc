#include "store/embedded/log.h"

#include <algorithm>
#include <chrono>
#include <deque>

#include "base/log.h"
#include "base/path.h"
#include "base/rng.h"
#include "base/thread_name.h"
#include "store/embedded/batch_codec.h"

namespace fluoro::store {
namespace {

std::string PathOf(const std::string& folder, std::uint64_t file_number) {
  return folder + "/" + WalFileName(file_number);
}

// Spans of fewer bytes are mostly ids, numbers and short texts: compressing them costs more time
// than writing what it saves (docs/decisions/036-log-not-compressed.md).
constexpr std::size_t kLongSpanBytes = 1'024;

}  // namespace

Result<EncodedRecord> EncodeCommit(const Commit& commit) {
  if (commit.tombstone)
    return EncodeRecord(FrameType::kTombstone, EncodeTombstone(*commit.tombstone));
  std::string raw;
  EncodeBatch(*commit.batch, commit.arrival_ns, raw);
  const bool is_long = raw.size() / kLongSpanBytes > commit.batch->size();
  return EncodeRecord(FrameType::kSpans, std::move(raw),
                      is_long ? FrameCodec::kLz4 : FrameCodec::kNone);
}

Log::Log(Fs& fs, const Clock& clock, Metrics& metrics, LogOptions options, LogOwner& owner)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      owner_(owner),
      groups_(metrics.GetCounter("fluoro_store_wal_groups_total", "Group commits.")),
      bytes_written_(
          metrics.GetCounter("fluoro_store_wal_bytes_total", "Bytes written to the log.")),
      refused_(metrics.GetCounter("fluoro_store_append_refused_total", "Batches refused.",
                                  {{"reason", "wal_queue"}})),
      write_failures_(
          metrics.GetCounter("fluoro_store_wal_write_failures_total", "Failed writes of the log.")),
      sync_failures_(metrics.GetCounter("fluoro_store_fsync_failures_total",
                                        "Failed syncs of the log: the file is given up.")),
      rescues_(metrics.GetCounter("fluoro_store_wal_rescues_total",
                                  "Log files replaced after a failed sync.")),
      queue_gauge_(metrics.GetGauge("fluoro_store_wal_queue_bytes", "Bytes waiting for the log.")),
      unusable_gauge_(metrics.GetGauge("fluoro_store_read_only",
                                       "1 while the log cannot be written: appends are refused.")),
      files_gauge_(metrics.GetGauge("fluoro_store_wal_files", "Files of the log.")),
      wal_bytes_gauge_(
          metrics.GetGauge("fluoro_store_wal_disk_bytes", "Bytes of the log's files.")),
      sync_seconds_(metrics.GetHistogram("fluoro_store_fsync_seconds", "Time of one log sync.")) {}

Log::~Log() { log::WarnIfFailed("store: stopping the log", Stop()); }

void Log::Continue(std::uint64_t next_lsn, std::uint64_t next_file) {
  next_lsn_ = next_lsn;
  next_file_ = next_file;
  applied_lsn_ = written_lsn_ = synced_lsn_ = next_lsn - 1;
}

void Log::Start() {
  if (auto rolled = Roll(); !rolled) {
    log::Error("store: the log cannot be opened, appends are refused",
               {{"why", rolled.error().message}});
    unusable_gauge_.Set(1);
  }
  thread_ = std::jthread([this] {
    NameThread("log");
    Run();
  });
}

Result<void> Log::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  stopped_ = true;
  return stop_result_;
}

Result<void> Log::Submit(EncodedRecord record, Commit commit, bool sync) {
  Request request{.record = std::move(record),
                  .commit = std::move(commit),
                  .sync = sync,
                  .result = {},
                  .done = {}};
  const std::uint64_t bytes = request.record.body.size();
  {
    MutexLock lock(mutex_);
    if (stopping_) return Fail(ErrorCode::kUnavailable, "the store is shutting down");
    // One record is always let in, whatever its size.
    if (queue_bytes_ > 0 && queue_bytes_ + bytes > options_.queue_bytes_max) {
      refused_.Add();
      return Fail(ErrorCode::kUnavailable, "the log's queue is full: try again");
    }
    queue_bytes_ += bytes;
    queue_gauge_.Set(static_cast<double>(queue_bytes_));
    queue_.push_back(&request);
  }
  ready_.notify_one();
  request.done.Wait();
  return std::move(request.result);
}

void Log::Run() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
  std::vector<Request*> group;
  for (;;) {
    bool stop = false;
    {
      MutexLock lock(mutex_);
      const auto wanted = [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || !queue_.empty();
      };
      if (written_lsn_ > synced_lsn_ && options_.sync_ever) {
        ready_.wait_for(lock, std::chrono::nanoseconds(options_.sync_delay_ns), wanted);
      } else {
        ready_.wait(lock, wanted);
      }
      group.swap(queue_);
      queue_bytes_ = 0;
      queue_gauge_.Set(0);
      stop = stopping_ && group.empty();
    }
    if (!group.empty()) {
      CommitGroup(group);
      group.clear();
      continue;
    }
    Result<void> synced;
    if (written_lsn_ > synced_lsn_ && (options_.sync_ever || stop)) synced = SyncNow();
    if (stop) {
      MutexLock lock(mutex_);
      stop_result_ = synced;
      return;
    }
  }
}

void Log::CommitGroup(std::vector<Request*>& group) {
  groups_.Add();
  auto written = WriteGroup(group);
  unusable_gauge_.Set(written ? 0 : 1);
  if (written) {
    std::vector<Commit> commits;
    commits.reserve(group.size());
    for (const Request* request : group) commits.push_back(request->commit);
    applied_lsn_ = commits.back().lsn;
    owner_.Apply(commits);
  }
  for (Request* request : group) {
    request->result = written;
    request->done.Set();  // the request is gone after this
  }
}

Result<void> Log::WriteGroup(std::vector<Request*>& group) {
  FLUORO_CHECK_OK(EnsureFile());
  frames_.Clear();
  bool sync = false;
  for (Request* request : group) {
    request->commit.lsn = next_lsn_++;
    request->commit.wal_file = current_.header.file_number;
    sync = sync || request->sync;
    frames_.Add(request->record, request->commit.lsn, synced_lsn_, 0, current_.seed,
                current_.cipher.get(), current_.offset + frames_.bytes());
  }
  FLUORO_CHECK_OK(WriteFrames());
  written_lsn_ = next_lsn_ - 1;
  if (sync && options_.sync_each && options_.sync_ever) FLUORO_CHECK_OK(SyncNow());
  return {};
}

// Writes at the end of the current file. After a failure the file is left: what was acknowledged in
// it is synced once more or, where even that fails, written anew elsewhere.
Result<void> Log::WriteFrames() {
  if (const std::uint64_t end = current_.offset + frames_.bytes(); end > current_.allocated) {
    const std::uint64_t wanted = end + options_.allocate_bytes;
    if (current_.file->Allocate(wanted)) current_.allocated = wanted;  // only saves metadata writes
  }
  auto written = current_.file->WritePieces(current_.offset, frames_.pieces());
  if (written) {
    current_.offset += frames_.bytes();
    bytes_written_.Add(static_cast<double>(frames_.bytes()));
    MutexLock lock(files_mutex_);
    files_.back().bytes = std::max(current_.offset, current_.allocated);
    return {};
  }
  write_failures_.Add();
  log::Error("store: a write to the log failed", {{"why", written.error().message}});
  if (written_lsn_ > synced_lsn_ && options_.sync_ever && !current_.file->Sync()) {
    Poison();
  } else {
    synced_lsn_ = std::max(synced_lsn_, written_lsn_);
    current_ = {};
  }
  return written;
}

Result<void> Log::SyncNow() {
  if (!current_.file) {
    synced_lsn_ = written_lsn_;
    return {};
  }
  const std::int64_t begin = clock_.MonotonicNs();
  auto synced = current_.file->Sync();
  sync_seconds_.Observe(static_cast<double>(clock_.MonotonicNs() - begin) * 1e-9);
  if (synced) {
    synced_lsn_ = written_lsn_;
    ForgetSynced();
    return {};
  }
  // The kernel may have dropped the dirty pages and called them clean: this file is not believed
  // again.
  Poison();
  if (auto rescued = Rescue(); !rescued) {
    log::Error("store: no new log file after a failed sync, appends are refused",
               {{"why", rescued.error().message}});
    unusable_gauge_.Set(1);
  }
  return synced;
}

// Nobody reads a log while the store runs: its pages serve again at once for what comes next, and
// what is read stays in memory instead.
void Log::ForgetSynced() {
  constexpr std::uint64_t kAtOnce = std::uint64_t{256} << 10;
  const std::uint64_t end = current_.offset / kAtOnce * kAtOnce;
  if (end <= current_.forgotten) return;
  current_.file->Forget(current_.forgotten, end - current_.forgotten);
  current_.forgotten = end;
}

void Log::Poison() {
  sync_failures_.Add();
  log::Error("store: a sync of the log failed, its file is replaced",
             {{"file", WalFileName(current_.header.file_number)}});
  poisoned_.push_back(current_.header.file_number);
  current_ = {};
}

Result<void> Log::EnsureFile() {
  if (!poisoned_.empty()) FLUORO_CHECK_OK(Rescue());
  if (!current_.file) return Roll();
  const bool other_key = options_.keys && options_.keys->used_name() != current_.key_name();
  if (current_.offset < options_.file_bytes && !other_key) return {};
  if (written_lsn_ > synced_lsn_ && options_.sync_ever) FLUORO_CHECK_OK(SyncNow());
  if (!poisoned_.empty()) return Fail(ErrorCode::kUnavailable, "the log cannot be written");
  // Even if there is no new file, and the key that this one has is in use again by then: files
  // before the newest that was tried may go at any time.
  current_ = {};
  return Roll();
}

Result<void> Log::Roll() {
  WalHeader header;
  header.file_number = next_file_++;
  for (std::size_t half = 0; half < 16; half += 8) {
    const std::uint64_t random = RandomSeed();
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&random), 8, header.salt.data() + half);
  }
  header.first_lsn = next_lsn_;
  header.last_good_lsn = applied_lsn_;
  header.created_ns = clock_.UnixNs();
  const auto cipher = FileCipher::Make(options_.keys.get(), FileKind::kLog, header.file_number);
  if (cipher) header.envelope = cipher->envelope();
  const std::string path = PathOf(options_.folder, header.file_number);
  const auto create = [&]() -> Result<std::unique_ptr<File>> {
    FLUORO_TRY(auto file, fs_.Open(path, Fs::OpenMode::kCreate));
    FLUORO_CHECK_OK(file->WriteAt(0, EncodeWalHeader(header)));
    FLUORO_CHECK_OK(file->Sync());
    FLUORO_CHECK_OK(fs_.SyncDir(options_.folder));
    return file;
  };
  auto file = create();
  if (!file) {
    // It may stay or come back, empty: its turn to go is when the files before it have gone, or
    // recovery would miss the records between it and the next.
    if (fs_.Exists(path)) log::WarnIfFailed("store: removing half a log file", fs_.Remove(path));
    MutexLock lock(files_mutex_);
    files_.push_back({.number = header.file_number,
                      .bytes = 0,
                      .first_lsn = header.first_lsn,
                      .path = path,
                      .key_name = {}});
    return std::unexpected(std::move(file).error().With("opening a log file"));
  }
  current_ = {.file = *std::move(file),
              .header = header,
              .seed = FrameSeed(header),
              .cipher = cipher,
              .offset = kWalHeaderBytes,
              .allocated = kWalHeaderBytes,
              .forgotten = 0};
  MutexLock lock(files_mutex_);
  files_.push_back({.number = header.file_number,
                    .bytes = kWalHeaderBytes,
                    .first_lsn = header.first_lsn,
                    .path = path,
                    .key_name = std::string(current_.key_name())});
  files_gauge_.Set(static_cast<double>(files_.size()));
  return {};
}

// Writes the records of untrusted files into a new one.
Result<void> Log::Rescue() {
  if (!current_.file) FLUORO_CHECK_OK(Roll());
  std::vector<Commit> moved;
  std::deque<EncodedRecord> records;
  Frames frames;
  for (const std::uint64_t wal_file : poisoned_) {
    for (Commit& commit : owner_.Unsealed(wal_file)) {
      FLUORO_TRY(EncodedRecord record, EncodeCommit(commit));
      frames.Add(records.emplace_back(std::move(record)), commit.lsn, 0, kFrameRewritten,
                 current_.seed, current_.cipher.get(), current_.offset + frames.bytes());
      moved.push_back(std::move(commit));
    }
  }
  const auto give_up = [&](Result<void> result) {
    // What stands in this file is copies only: it is left, and the sources stay marked.
    current_ = {};
    return result;
  };
  if (auto written = current_.file->WritePieces(current_.offset, frames.pieces()); !written) {
    write_failures_.Add();
    return give_up(std::move(written));
  }
  if (auto synced = current_.file->Sync(); !synced) {
    sync_failures_.Add();
    return give_up(std::move(synced));
  }
  current_.offset += frames.bytes();
  synced_lsn_ = written_lsn_;
  owner_.Moved(moved, current_.header.file_number);
  if (!moved.empty()) {
    MutexLock lock(files_mutex_);
    for (const Commit& commit : moved) {
      files_.back().first_lsn = std::min(files_.back().first_lsn, commit.lsn);
    }
  }
  poisoned_.clear();
  rescues_.Add();
  return {};
}

std::uint64_t Log::LastFile() const {
  MutexLock lock(files_mutex_);
  return files_.empty() ? 0 : files_.back().number;
}

void Log::FreeBefore(std::uint64_t wal_file) {
  for (;;) {
    std::string path;
    {
      MutexLock lock(files_mutex_);
      if (files_.size() <= 1 || files_.front().number >= wal_file) return;
      path = files_.front().path;
    }
    // A later file may hold the deletions of rows in this one, and a gap between files is damage:
    // a file that stays for now keeps all later ones.
    auto removed = fs_.Remove(path);
    if (!removed && removed.error().code == ErrorCode::kNotFound) removed = {};
    if (removed) removed = fs_.SyncDir(ParentPath(path));
    if (!removed) {
      log::Warn("store: a log file that is not needed any more stays for now",
                {{"file", path}, {"why", removed.error().message}});
      return;
    }
    MutexLock lock(files_mutex_);
    files_.erase(files_.begin());
    double bytes = 0;
    for (const KnownFile& file : files_) bytes += static_cast<double>(file.bytes);
    files_gauge_.Set(static_cast<double>(files_.size()));
    wal_bytes_gauge_.Set(bytes);
  }
}

void Log::AdoptFile(KnownFile file) {
  MutexLock lock(files_mutex_);
  files_.push_back(std::move(file));
}

std::vector<std::string> Log::KeyNames() const {
  MutexLock lock(files_mutex_);
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const KnownFile& file : files_) names.push_back(file.key_name);
  return names;
}

std::uint64_t Log::FirstLsn() const {
  MutexLock lock(files_mutex_);
  std::uint64_t first = UINT64_MAX;
  for (const KnownFile& file : files_) first = std::min(first, file.first_lsn);
  return first;
}

std::uint64_t Log::DiskBytes() const {
  MutexLock lock(files_mutex_);
  std::uint64_t bytes = 0;
  for (const KnownFile& file : files_) bytes += file.bytes;
  return bytes;
}

}  // namespace fluoro::store
