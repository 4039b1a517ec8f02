// All file access of the store goes through this seam, so that a faulty file system can be put
// underneath.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro {

/// One open file. Not thread-safe for writes; ReadAt may run from many threads.
class File {
 public:
  virtual ~File() = default;
  /// Reads exactly `bytes` at `offset` or fails (kCorruption on a short file, kIo on an error).
  [[nodiscard]] virtual Result<std::string> ReadAt(std::uint64_t offset,
                                                   std::size_t bytes) const = 0;
  /// Writes all of `data` at `offset`; a partial write is an error (kIo or kNoSpace).
  virtual Result<void> WriteAt(std::uint64_t offset, std::string_view data) = 0;
  /// Likewise of pieces, one behind the other, which need not be put together first.
  virtual Result<void> WritePieces(std::uint64_t offset, std::span<const std::string_view> pieces) {
    std::string data;
    for (const std::string_view piece : pieces) data += piece;
    return WriteAt(offset, data);
  }
  /// fdatasync. After a failure the file must not be trusted again: its unsynced bytes may be gone.
  virtual Result<void> Sync() = 0;
  virtual Result<void> Truncate(std::uint64_t bytes) = 0;
  /// Reserves space so that later writes do not change the size. Best effort.
  virtual Result<void> Allocate(std::uint64_t bytes) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> Size() const = 0;
  /// Bytes that were synced will not be read soon: the system need not keep them in memory. A hint.
  virtual void Forget(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {}
};

/// Held while alive; released by destruction or by the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Paths are '/'-separated. A created, renamed or removed name is durable only after SyncDir of its
/// folder. Thread-safe.
class Fs {
 public:
  enum class OpenMode : std::uint8_t { kRead, kReadWrite, kCreate /* must not exist */ };

  virtual ~Fs() = default;
  virtual Result<std::unique_ptr<File>> Open(std::string_view path, OpenMode mode) = 0;
  virtual Result<void> Rename(std::string_view from, std::string_view to) = 0;
  virtual Result<void> Remove(std::string_view path) = 0;
  /// Creates the folder and its parents; fine if they exist.
  virtual Result<void> MakeDirs(std::string_view path) = 0;
  /// Names (not paths) of files and folders inside, sorted. kNotFound if there is no such folder.
  virtual Result<std::vector<std::string>> List(std::string_view path) = 0;
  virtual Result<void> SyncDir(std::string_view path) = 0;
  [[nodiscard]] virtual bool Exists(std::string_view path) = 0;
  /// Exclusive lock on a file that is created if absent; kAlreadyExists when another process holds
  /// it.
  virtual Result<std::unique_ptr<FileLock>> Lock(std::string_view path) = 0;
  struct Space {
    std::uint64_t total_bytes = 0;
    std::uint64_t free_bytes = 0;
  };
  virtual Result<Space> DiskSpace(std::string_view path) = 0;
};

/// The operating system's files.
std::unique_ptr<Fs> MakePosixFs();

/// Whole file at once.
Result<std::string> ReadFile(Fs& fs, std::string_view path);

}  // namespace fluoro
