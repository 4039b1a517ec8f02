// Which key wraps data keys: for new files at once, for those that are there a few at a time. No
// data is written anew. Under maintenance_mutex_.
#include "base/log.h"
#include "base/path.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr std::size_t kRewrapsAtOnce = 64;

}  // namespace

Result<void> EmbeddedStoreImpl::SetWrappingKey(std::string_view name) {
  if (options_.read_only)
    return Fail(ErrorCode::kUnavailable, "the store is open for reading only");
  if (options_.keys == nullptr) return Fail(ErrorCode::kNotFound, "there are no keys");
  MutexLock lock(maintenance_mutex_);
  if (!name.empty()) {
    if (!options_.keys->Find(name))
      return Fail(ErrorCode::kNotFound, "there is no key " + std::string(name));
    FLUORO_CHECK_OK(RaiseFormat());
  }
  FLUORO_CHECK_OK(options_.keys->Use(name));
  // Written whole from time to time, so that it needs no wrapping anew.
  MutexLock attributes(attributes_mutex_);
  attributes_dirty_ = true;
  attributes_urgent_ = true;
  return {};
}

std::string EmbeddedStoreImpl::wrapping_key() {
  return options_.keys == nullptr ? std::string() : options_.keys->used_name();
}

Result<void> EmbeddedStoreImpl::Rewrap() {
  if (options_.keys == nullptr) return {};
  const auto used = options_.keys->used();
  const std::string name = used ? used->name : std::string();
  const std::vector<std::string> log_keys = log_->KeyNames();
  if (!log_keys.empty() && log_keys.back() != name) {
    // Nothing is deleted: a record alone, which makes the log begin a file under the key in use.
    FLUORO_CHECK_OK(Record(std::make_shared<const Tombstone>()));
    FreeLog();
  }
  if (!used) return {};
  std::size_t done = 0;
  std::size_t left = 0;
  Result<void> result;
  const auto rewrap = [&](const BlockList& list) {
    for (const auto& block : list) {
      if (block->cipher() == nullptr || block->key_name() == name) continue;
      ++left;
      if (!result || done == kRewrapsAtOnce) continue;
      result = WriteWhole(fs_, layout_, ParentPath(block->path()), RewrapFileName(block->meta().id),
                          EncodeRewrap(block->WrapAgain(*used)));
      if (!result) continue;
      block->SetKeyName(name);
      ++done;
      --left;
    }
  };
  std::shared_ptr<const BlockList> folded;
  {
    MutexLock lock(state_mutex_);
    folded = folded_;
  }
  rewrap(*blocks());
  rewrap(*folded);
  for (const std::string& key : log_->KeyNames()) left += !key.empty() && key != name ? 1U : 0U;
  rewraps_.Add(static_cast<double>(done));
  old_keys_gauge_.Set(static_cast<double>(left));
  if (!result) return std::unexpected(std::move(result).error().With("wrapping a data key anew"));
  return {};
}

// A list of deletions and a wrapped key beside a block that is gone.
void EmbeddedStoreImpl::RemoveBeside(const std::string& folder, std::uint64_t id) {
  for (const std::string& name : {DeletionFileName(id), RewrapFileName(id)}) {
    const std::string path = folder + "/" + name;
    // If it stays, the next start removes it.
    if (fs_.Exists(path))
      log::WarnIfFailed("store: removing what stood beside a block", fs_.Remove(path));
  }
}

}  // namespace fluoro::store
