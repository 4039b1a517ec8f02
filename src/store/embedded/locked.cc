// Files whose keys are not available: named, kept, and right again when the keys return.
//
// A locked block stays where it is. A locked log file moves to locked/, so that the log goes on
// without it; blocks that are sealed meanwhile say which LSNs they leave out (BlockMeta::left_out).
// Deletions that either has to learn of stand in locked/DELETIONS.
#include <algorithm>

#include "base/log.h"
#include "base/path.h"
#include "store/embedded/read_again.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr const char* kHeldName = "DELETIONS";

}  // namespace

void EmbeddedStoreImpl::AddLocked(const std::string& shown, const Error& why, std::uint64_t bytes) {
  MutexLock lock(state_mutex_);
  if (!locked_.insert(shown).second) return;  // a reader looks twice
  locked_bytes_ += bytes;
  damaged_.push_back(shown + ": " + why.message);
  UpdateDamageGauges();
  log::Error("store: a file is kept aside until its key is available",
             {{"file", shown}, {"why", why.message}});
}

bool EmbeddedStoreImpl::HasLocked() {
  MutexLock lock(state_mutex_);
  return !locked_.empty();
}

void EmbeddedStoreImpl::AddLockedBlock(const std::string& path, const std::string& shown,
                                       Error why) {
  std::uint64_t bytes = 0;
  if (const auto file = fs_.Open(path, Fs::OpenMode::kRead)) {
    if (const auto size = (*file)->Size()) bytes = *size;
    // Its LSNs must not be given again.
    if (const auto start = (*file)->ReadAt(0, kEncryptedBlockHeaderBytes)) {
      if (const auto header = DecodeBlockHeader(*start))
        locked_lsn_ = std::max(locked_lsn_, header->sealed_lsn);
    }
  }
  // The path stands before it.
  if (why.message.starts_with(path + ": ")) why.message.erase(0, path.size() + 2);
  AddLocked(shown, why, bytes);
}

Result<void> EmbeddedStoreImpl::MoveLockedLogs(const std::vector<std::string>& paths) {
  if (paths.empty()) return {};
  FLUORO_CHECK_OK(fs_.MakeDirs(layout_.locked));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.root));
  for (const std::string& path : paths)
    FLUORO_CHECK_OK(fs_.Rename(path, layout_.locked + "/" + BaseName(path)));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.locked));
  return fs_.SyncDir(layout_.wal);
}

Result<void> EmbeddedStoreImpl::LoadHeldDeletions() {
  const std::string path = layout_.locked + "/" + kHeldName;
  if (!fs_.Exists(path)) return {};
  const auto content = ReadAgain([&] { return ReadFile(fs_, path); });
  auto held = content ? DecodeHeldDeletions(*content) : std::unexpected(content.error());
  if (held) {
    held_deletions_ = *std::move(held);
    return {};
  }
  // Unread it would be replaced by the next deletion.
  if (held.error().code == ErrorCode::kIo) return std::unexpected(std::move(held).error());
  AddDamage("locked/" + std::string(kHeldName) +
            ": deleted traces may show again: " + held.error().message);
  if (!options_.read_only && held.error().code == ErrorCode::kCorruption)
    log::WarnIfFailed("store: setting a list of deletions aside", SetAside(path));
  return {};
}

void EmbeddedStoreImpl::HoldDeletions(std::span<const model::TraceId> ids, std::uint64_t lsn) {
  for (const model::TraceId& id : ids) {
    std::uint64_t& upto = held_deletions_[id];
    upto = std::max(upto, lsn);
  }
  held_unsaved_ = true;
}

Result<void> EmbeddedStoreImpl::SaveHeldDeletions() {
  if (!held_unsaved_ || options_.read_only) return {};
  FLUORO_CHECK_OK(fs_.MakeDirs(layout_.locked));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.root));
  FLUORO_CHECK_OK(
      WriteWhole(fs_, layout_, layout_.locked, kHeldName, EncodeHeldDeletions(held_deletions_)));
  held_unsaved_ = false;
  return {};
}

// To blocks whose keys have returned. The list goes once nothing is left that could need it.
Result<void> EmbeddedStoreImpl::ApplyHeldDeletions(bool has_logs_aside) {
  if (held_deletions_.empty()) return {};
  std::map<std::uint64_t, std::vector<model::TraceId>> by_lsn;
  for (const auto& [id, lsn] : held_deletions_) by_lsn[lsn].push_back(id);
  for (const auto& [lsn, ids] : by_lsn) FLUORO_CHECK_OK(DeleteFromBlocks(ids, lsn));
  FLUORO_CHECK_OK(SaveHeldDeletions());
  if (options_.read_only || has_logs_aside || HasLocked()) return {};
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.blocks));
  FLUORO_CHECK_OK(fs_.Remove(layout_.locked + "/" + kHeldName));
  held_deletions_.clear();
  return fs_.SyncDir(layout_.locked);
}

}  // namespace fluoro::store
