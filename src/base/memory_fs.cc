#include "base/memory_fs.h"

#include "base/path.h"

namespace fluoro {

class MemoryFs::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<Node> node, std::string path, bool writable)
      : node_(std::move(node)), path_(std::move(path)), writable_(writable) {}

  [[nodiscard]] Result<std::string> ReadAt(std::uint64_t offset, std::size_t bytes) const override {
    MutexLock lock(node_->mutex);
    const std::size_t size = node_->content.size();
    if (offset > size || bytes > size - offset) {
      return Fail(ErrorCode::kCorruption,
                  path_ + ": byte " + std::to_string(size) + ": more bytes wanted, file ends");
    }
    return node_->content.substr(offset, bytes);
  }
  Result<void> WriteAt(std::uint64_t offset, std::string_view data) override {
    if (!writable_) return Fail(ErrorCode::kIo, path_ + ": opened for reading");
    if (data.empty()) return {};
    MutexLock lock(node_->mutex);
    if (node_->content.size() < offset + data.size())
      node_->content.resize(offset + data.size(), '\0');
    data.copy(node_->content.data() + offset, data.size());
    return {};
  }
  Result<void> Sync() override { return {}; }
  Result<void> Truncate(std::uint64_t bytes) override {
    if (!writable_) return Fail(ErrorCode::kIo, path_ + ": opened for reading");
    MutexLock lock(node_->mutex);
    node_->content.resize(bytes, '\0');
    return {};
  }
  Result<void> Allocate(std::uint64_t bytes) override {
    if (!writable_) return Fail(ErrorCode::kIo, path_ + ": opened for reading");
    MutexLock lock(node_->mutex);
    if (node_->content.size() < bytes) node_->content.resize(bytes, '\0');
    return {};
  }
  [[nodiscard]] Result<std::uint64_t> Size() const override {
    MutexLock lock(node_->mutex);
    return node_->content.size();
  }

 private:
  std::shared_ptr<Node> node_;
  std::string path_;
  bool writable_;
};

class MemoryFs::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<Mutex> mutex, std::shared_ptr<std::set<std::string>> locks,
           std::string path)
      : mutex_(std::move(mutex)), locks_(std::move(locks)), path_(std::move(path)) {}
  ~HeldLock() override {
    MutexLock lock(*mutex_);
    locks_->erase(path_);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  std::shared_ptr<Mutex> mutex_;
  std::shared_ptr<std::set<std::string>> locks_;
  std::string path_;
};

MemoryFs::MemoryFs()
    : mutex_(std::make_shared<Mutex>()),
      folders_{"/", "."},
      locks_(std::make_shared<std::set<std::string>>()) {}

Result<std::unique_ptr<File>> MemoryFs::Open(std::string_view path, OpenMode mode) {
  MutexLock lock(*mutex_);
  const auto at = files_.find(path);
  if (mode == OpenMode::kCreate) {
    if (at != files_.end())
      return Fail(ErrorCode::kAlreadyExists, std::string(path) + ": open: exists");
    if (!folders_.contains(ParentPath(path)))
      return Fail(ErrorCode::kNotFound, std::string(path) + ": open: no such folder");
    auto node = std::make_shared<Node>();
    files_.emplace(path, node);
    return std::make_unique<OpenFile>(std::move(node), std::string(path), true);
  }
  if (at == files_.end())
    return Fail(ErrorCode::kNotFound, std::string(path) + ": open: no such file");
  return std::make_unique<OpenFile>(at->second, std::string(path), mode == OpenMode::kReadWrite);
}

Result<void> MemoryFs::Rename(std::string_view from, std::string_view to) {
  MutexLock lock(*mutex_);
  const auto at = files_.find(from);
  if (at == files_.end())
    return Fail(ErrorCode::kNotFound, std::string(from) + ": rename: no such file");
  if (!folders_.contains(ParentPath(to)))
    return Fail(ErrorCode::kNotFound, std::string(to) + ": rename: no such folder");
  auto node = at->second;
  files_.erase(at);
  files_.insert_or_assign(std::string(to), std::move(node));
  return {};
}

Result<void> MemoryFs::Remove(std::string_view path) {
  MutexLock lock(*mutex_);
  const auto at = files_.find(path);
  if (at == files_.end())
    return Fail(ErrorCode::kNotFound, std::string(path) + ": remove: no such file");
  files_.erase(at);
  return {};
}

Result<void> MemoryFs::MakeDirs(std::string_view path) {
  MutexLock lock(*mutex_);
  if (files_.contains(path))
    return Fail(ErrorCode::kIo, std::string(path) + ": make folder: a file is there");
  for (std::string folder(path); folders_.insert(folder).second;) folder = ParentPath(folder);
  return {};
}

Result<std::vector<std::string>> MemoryFs::List(std::string_view path) {
  MutexLock lock(*mutex_);
  if (!folders_.contains(path))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": list: no such folder");
  std::set<std::string> names;
  for (const auto& [name, node] : files_) {
    if (ParentPath(name) == path) names.insert(BaseName(name));
  }
  for (const std::string& name : folders_) {
    if (name != path && ParentPath(name) == path) names.insert(BaseName(name));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> MemoryFs::SyncDir(std::string_view path) {
  MutexLock lock(*mutex_);
  if (!folders_.contains(path))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": sync folder: no such folder");
  return {};
}

bool MemoryFs::Exists(std::string_view path) {
  MutexLock lock(*mutex_);
  return files_.contains(path) || folders_.contains(path);
}

Result<std::unique_ptr<FileLock>> MemoryFs::Lock(std::string_view path) {
  MutexLock lock(*mutex_);
  if (!folders_.contains(ParentPath(path)))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": no such folder");
  if (!locks_->insert(std::string(path)).second) {
    return Fail(ErrorCode::kAlreadyExists,
                std::string(path) + ": another process holds this folder");
  }
  if (!files_.contains(path)) files_.emplace(path, std::make_shared<Node>());
  return std::make_unique<HeldLock>(mutex_, locks_, std::string(path));
}

Result<Fs::Space> MemoryFs::DiskSpace(std::string_view) {
  return Space{.total_bytes = std::uint64_t{1} << 40, .free_bytes = std::uint64_t{1} << 39};
}

}  // namespace fluoro
