// Files in memory, for tests and tools that must leave nothing behind.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/fs.h"
#include "base/mutex.h"

namespace fluoro {

/// Everything is durable at once; for lost and torn writes see faulty_fs.h. Thread-safe.
class MemoryFs final : public Fs {
 public:
  MemoryFs();
  Result<std::unique_ptr<File>> Open(std::string_view path, OpenMode mode) override;
  Result<void> Rename(std::string_view from, std::string_view to) override;
  Result<void> Remove(std::string_view path) override;
  Result<void> MakeDirs(std::string_view path) override;
  Result<std::vector<std::string>> List(std::string_view path) override;
  Result<void> SyncDir(std::string_view path) override;
  [[nodiscard]] bool Exists(std::string_view path) override;
  Result<std::unique_ptr<FileLock>> Lock(std::string_view path) override;
  Result<Space> DiskSpace(std::string_view path) override;

 private:
  struct Node {
    Mutex mutex;
    std::string content;
  };
  class OpenFile;
  class HeldLock;
  std::shared_ptr<Mutex> mutex_;  // shared with locks that may outlive this
  std::map<std::string, std::shared_ptr<Node>, std::less<>> files_;
  std::set<std::string, std::less<>> folders_;
  std::shared_ptr<std::set<std::string>> locks_;
};

}  // namespace fluoro
