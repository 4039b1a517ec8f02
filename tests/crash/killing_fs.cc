#include "killing_fs.h"

#include <unistd.h>

#include <csignal>

#include "base/path.h"

namespace fluoro::crash {
namespace {

bool IsIn(std::string_view path, std::string_view folder) {
  return BaseName(ParentPath(path)) == folder;
}

KillPoint PointOf(std::string_view path, KillPoint in_wal, KillPoint in_tmp) {
  if (IsIn(path, "wal")) return in_wal;
  return IsIn(path, "tmp") ? in_tmp : KillPoint::kOther;
}

}  // namespace

std::string_view KillPointName(KillPoint point) {
  static constexpr std::string_view kNames[kKillPoints] = {
      "timer",        "wal create",    "wal write",     "wal sync", "wal remove",
      "block create", "block write",   "block sync",    "publish",  "blocks sync",
      "drop",         "remove in tmp", "deletion list", "other",    "any"};
  return kNames[static_cast<std::size_t>(point)];
}

KillingFs::KillingFs(KillPlan plan, std::function<void()> last_words)
    : plan_(plan), last_words_(std::move(last_words)) {}

template <class Call>
auto KillingFs::At(KillPoint point, Call&& call) {
  const bool counts = plan_.point == point || plan_.point == KillPoint::kAny;
  const bool now = counts && calls_.fetch_add(1, std::memory_order_relaxed) + 1 == plan_.call;
  const auto end = [this] {
    last_words_();
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  };
  if (now && !plan_.after) end();
  auto result = call();
  if (now) end();
  return result;
}

class KillingFs::KillingFile final : public File {
 public:
  KillingFile(KillingFs& fs, std::unique_ptr<File> file, std::string_view path)
      : fs_(fs),
        file_(std::move(file)),
        write_(PointOf(path, KillPoint::kWalWrite, KillPoint::kBlockWrite)),
        sync_(PointOf(path, KillPoint::kWalSync, KillPoint::kBlockSync)) {}

  [[nodiscard]] Result<std::string> ReadAt(std::uint64_t offset, std::size_t bytes) const override {
    return file_->ReadAt(offset, bytes);
  }
  Result<void> WriteAt(std::uint64_t offset, std::string_view data) override {
    return fs_.At(write_, [&] { return file_->WriteAt(offset, data); });
  }
  Result<void> WritePieces(std::uint64_t offset,
                           std::span<const std::string_view> pieces) override {
    return fs_.At(write_, [&] { return file_->WritePieces(offset, pieces); });
  }
  Result<void> Sync() override {
    return fs_.At(sync_, [&] { return file_->Sync(); });
  }
  Result<void> Truncate(std::uint64_t bytes) override {
    return fs_.At(KillPoint::kOther, [&] { return file_->Truncate(bytes); });
  }
  Result<void> Allocate(std::uint64_t bytes) override {
    return fs_.At(KillPoint::kOther, [&] { return file_->Allocate(bytes); });
  }
  [[nodiscard]] Result<std::uint64_t> Size() const override { return file_->Size(); }

 private:
  KillingFs& fs_;
  std::unique_ptr<File> file_;
  const KillPoint write_;
  const KillPoint sync_;
};

Result<std::unique_ptr<File>> KillingFs::Open(std::string_view path, OpenMode mode) {
  const auto open = [&]() -> Result<std::unique_ptr<File>> {
    FLUORO_TRY(auto file, fs_->Open(path, mode));
    return std::make_unique<KillingFile>(*this, std::move(file), path);
  };
  if (mode != OpenMode::kCreate) return open();
  return At(PointOf(path, KillPoint::kWalCreate, KillPoint::kBlockCreate), open);
}

Result<void> KillingFs::Rename(std::string_view from, std::string_view to) {
  KillPoint point = KillPoint::kOther;
  if (to.ends_with(".del")) point = KillPoint::kDeletionPublish;
  if (to.ends_with(".flb"))
    point = IsIn(to, "blocks") ? KillPoint::kBlockPublish : KillPoint::kBlockDrop;
  return At(point, [&] { return fs_->Rename(from, to); });
}

Result<void> KillingFs::Remove(std::string_view path) {
  return At(PointOf(path, KillPoint::kWalRemove, KillPoint::kDropRemove),
            [&] { return fs_->Remove(path); });
}

Result<void> KillingFs::MakeDirs(std::string_view path) {
  return At(KillPoint::kOther, [&] { return fs_->MakeDirs(path); });
}

Result<void> KillingFs::SyncDir(std::string_view path) {
  return At(BaseName(path) == "blocks" ? KillPoint::kBlocksSync : KillPoint::kOther,
            [&] { return fs_->SyncDir(path); });
}

Result<std::vector<std::string>> KillingFs::List(std::string_view path) { return fs_->List(path); }
bool KillingFs::Exists(std::string_view path) { return fs_->Exists(path); }
Result<std::unique_ptr<FileLock>> KillingFs::Lock(std::string_view path) { return fs_->Lock(path); }
Result<Fs::Space> KillingFs::DiskSpace(std::string_view path) { return fs_->DiskSpace(path); }

}  // namespace fluoro::crash
