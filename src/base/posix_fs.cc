#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/fs.h"

namespace fluoro {
namespace {

std::unexpected<Error> Errno(std::string_view what, std::string_view path) {
  const int code = errno;
  ErrorCode kind = ErrorCode::kIo;
  if (code == ENOENT) kind = ErrorCode::kNotFound;
  if (code == ENOSPC || code == EDQUOT) kind = ErrorCode::kNoSpace;
  if (code == EEXIST) kind = ErrorCode::kAlreadyExists;
  return Fail(kind, std::string(path) + ": " + std::string(what) + ": " + std::strerror(code));
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  [[nodiscard]] Result<std::string> ReadAt(std::uint64_t offset, std::size_t bytes) const override {
    std::string out;
    std::size_t done = 0;
    int error = 0;
    // Not zeroed first: it can be a row group.
    out.resize_and_overwrite(bytes, [&](char* to, std::size_t) {
      while (done < bytes) {
        const ssize_t n = ::pread(fd_, to + done, bytes - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) error = errno;
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
      }
      return done;
    });
    if (error != 0) {
      errno = error;
      return Errno("read", path_);
    }
    if (done < bytes) {
      return Fail(ErrorCode::kCorruption, path_ + ": byte " + std::to_string(offset + done) + ": " +
                                              std::to_string(bytes - done) +
                                              " more bytes wanted, file ends");
    }
    return out;
  }

  void Forget(std::uint64_t offset, std::uint64_t bytes) override {
    (void)::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                          POSIX_FADV_DONTNEED);
  }

  Result<void> WriteAt(std::uint64_t offset, std::string_view data) override {
    std::size_t done = 0;
    while (done < data.size()) {
      const ssize_t n =
          ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Errno("write", path_);
      done += static_cast<std::size_t>(n);
    }
    return {};
  }

  Result<void> WritePieces(std::uint64_t offset,
                           std::span<const std::string_view> pieces) override {
    std::array<iovec, 64> some{};
    std::size_t taken = 0;  // of the first piece
    while (!pieces.empty()) {
      const std::size_t count = std::min(pieces.size(), some.size());
      for (std::size_t i = 0; i < count; ++i) {
        const std::string_view left = pieces[i].substr(i == 0 ? taken : 0);
        some[i] = {.iov_base = const_cast<char*>(left.data()), .iov_len = left.size()};
      }
      const ssize_t n =
          ::pwritev(fd_, some.data(), static_cast<int>(count), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Errno("write", path_);
      offset += static_cast<std::uint64_t>(n);
      taken += static_cast<std::size_t>(n);
      while (!pieces.empty() && taken >= pieces.front().size()) {
        taken -= pieces.front().size();
        pieces = pieces.subspan(1);
      }
    }
    return {};
  }

  Result<void> Sync() override {
    if (::fdatasync(fd_) != 0) return Errno("fdatasync", path_);
    return {};
  }

  Result<void> Truncate(std::uint64_t bytes) override {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return Errno("truncate", path_);
    return {};
  }

  Result<void> Allocate(std::uint64_t bytes) override {
    if (const int code = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes)); code != 0) {
      errno = code;
      return Errno("allocate", path_);
    }
    return {};
  }

  [[nodiscard]] Result<std::uint64_t> Size() const override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return Errno("stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  int fd_;
  std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { ::close(fd_); }
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;

 private:
  int fd_;
};

class PosixFs final : public Fs {
 public:
  Result<std::unique_ptr<File>> Open(std::string_view path, OpenMode mode) override {
    std::string name(path);
    int flags = O_CLOEXEC;
    if (mode == OpenMode::kRead) flags |= O_RDONLY;
    if (mode == OpenMode::kReadWrite) flags |= O_RDWR;
    if (mode == OpenMode::kCreate) flags |= O_RDWR | O_CREAT | O_EXCL;
    const int fd = ::open(name.c_str(), flags, 0640);
    if (fd < 0) return Errno("open", path);
    return std::make_unique<PosixFile>(fd, std::move(name));
  }

  Result<void> Rename(std::string_view from, std::string_view to) override {
    if (::rename(std::string(from).c_str(), std::string(to).c_str()) != 0)
      return Errno("rename", from);
    return {};
  }

  Result<void> Remove(std::string_view path) override {
    if (::unlink(std::string(path).c_str()) != 0) return Errno("remove", path);
    return {};
  }

  Result<void> MakeDirs(std::string_view path) override {
    std::error_code code;
    std::filesystem::create_directories(std::filesystem::path(path), code);
    if (code) {
      errno = code.value();
      return Errno("make folder", path);
    }
    return {};
  }

  Result<std::vector<std::string>> List(std::string_view path) override {
    std::error_code code;
    std::filesystem::directory_iterator it(std::filesystem::path(path), code);
    if (code) {
      errno = code.value();
      return Errno("list", path);
    }
    std::vector<std::string> names;
    for (const auto end = std::filesystem::directory_iterator(); it != end; it.increment(code)) {
      if (code) {
        errno = code.value();
        return Errno("list", path);
      }
      names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> SyncDir(std::string_view path) override {
    const int fd = ::open(std::string(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return Errno("open folder", path);
    const int result = ::fsync(fd);
    const int saved = errno;
    ::close(fd);
    errno = saved;
    if (result != 0) return Errno("sync folder", path);
    return {};
  }

  bool Exists(std::string_view path) override {
    return ::access(std::string(path).c_str(), F_OK) == 0;
  }

  Result<std::unique_ptr<FileLock>> Lock(std::string_view path) override {
    const int fd = ::open(std::string(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return Errno("open", path);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      return Fail(ErrorCode::kAlreadyExists,
                  std::string(path) + ": another process holds this folder");
    }
    return std::make_unique<PosixLock>(fd);
  }

  Result<Space> DiskSpace(std::string_view path) override {
    struct statvfs status{};
    if (::statvfs(std::string(path).c_str(), &status) != 0) return Errno("disk space", path);
    return Space{.total_bytes = status.f_blocks * status.f_frsize,
                 .free_bytes = status.f_bavail * status.f_frsize};
  }
};

}  // namespace

std::unique_ptr<Fs> MakePosixFs() { return std::make_unique<PosixFs>(); }

Result<std::string> ReadFile(Fs& fs, std::string_view path) {
  FLUORO_TRY(const auto file, fs.Open(path, Fs::OpenMode::kRead));
  FLUORO_TRY(const auto bytes, file->Size());
  return file->ReadAt(0, bytes);
}

}  // namespace fluoro
