// The operating system's files, under a process that ends itself with SIGKILL at a chosen call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/fs.h"

namespace fluoro::crash {

/// Calls of the store that change something, by what they mean to it.
enum class KillPoint : std::uint8_t {
  kNone,
  kWalCreate,
  kWalWrite,
  kWalSync,
  kWalRemove,
  kBlockCreate,  ///< in tmp/, by a seal or a merge
  kBlockWrite,
  kBlockSync,
  kBlockPublish,     ///< rename from tmp/ to blocks/
  kBlocksSync,       ///< of the folder
  kBlockDrop,        ///< rename from blocks/ to tmp/: merged, or expired
  kDropRemove,       ///< in tmp/
  kDeletionPublish,  ///< of a list of deleted traces
  kOther,
  kAny,  ///< whichever comes
};
inline constexpr std::size_t kKillPoints = static_cast<std::size_t>(KillPoint::kAny) + 1;
std::string_view KillPointName(KillPoint point);

struct KillPlan {
  KillPoint point = KillPoint::kNone;
  std::uint64_t call = 1;  ///< the n-th of them
  bool after = false;      ///< it is done first
};

/// Thread-safe.
class KillingFs final : public Fs {
 public:
  /// `last_words` runs before the end.
  KillingFs(KillPlan plan, std::function<void()> last_words);

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
  class KillingFile;
  template <class Call>
  auto At(KillPoint point, Call&& call);

  std::unique_ptr<Fs> fs_ = MakePosixFs();
  const KillPlan plan_;
  const std::function<void()> last_words_;
  std::atomic<std::uint64_t> calls_ = 0;
};

}  // namespace fluoro::crash
