// Sums of blocks that go: kept in files of their own, rollup/<id>.flb, blocks without traces.
//
// The file is final before its block goes; a block whose number is there (or that was merged into
// one whose number is there) counts no more at the next start. So each sum counts exactly once.
#include <algorithm>

#include "base/log.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/read_again.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

Result<std::shared_ptr<Block>> EmbeddedStoreImpl::Fold(const Block& block) {
  const std::string name = BlockFileName(block.meta().id);
  const std::string path = layout_.rollup + "/" + name;
  const std::string tmp = layout_.tmp + "/rollup-" + name;
  const auto write = [&]() -> Result<void> {
    if (fs_.Exists(tmp)) FLUORO_CHECK_OK(fs_.Remove(tmp));
    FLUORO_TRY(const auto file, fs_.Open(tmp, Fs::OpenMode::kCreate));
    BlockMeta meta = block.meta();
    meta.spans = meta.traces = meta.skeletons = 0;
    meta.judged_ns = 0;
    meta.row_groups.clear();
    meta.sections.clear();
    BlockWriter writer(*file, std::move(meta), keys());
    for (const SectionType type :
         {SectionType::kRollup, SectionType::kCalls, SectionType::kCallHours}) {
      const auto put = [&](std::uint32_t part, std::string_view bytes) {
        return writer.PutSums(type, part, bytes);
      };
      FLUORO_CHECK_OK(block.ReadSums(type, put));
    }
    FLUORO_CHECK_OK(writer.FinishWithoutTraces());
    FLUORO_CHECK_OK(fs_.Rename(tmp, path));
    return {};
  };
  if (!fs_.Exists(path)) {  // else an attempt to drop it ended behind this
    if (auto written = write(); !written) {
      if (fs_.Exists(tmp))
        log::WarnIfFailed("store: removing half a file of sums", fs_.Remove(tmp));
      return std::unexpected(std::move(written).error());
    }
  }
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.rollup));
  return Block::Open(fs_, cache_, path, block.meta().id, keys());
}

Result<BlockList> EmbeddedStoreImpl::FoldRollups(const BlockList& drop) {
  BlockList folded;
  for (const auto& block : drop) {
    const auto table = block->Rollup();
    auto kept = table && *table != nullptr ? Fold(*block)
                : table                    ? Fail(ErrorCode::kCorruption, "the block has no sums")
                                           : std::unexpected(table.error());
    if (kept) {
      folded.push_back(*std::move(kept));
      continue;
    }
    // Space comes first on a full disk; what is damaged stays so.
    if (kept.error().code == ErrorCode::kIo) return std::unexpected(std::move(kept).error());
    lost_rollups_.Add();
    log::Warn("store: a block goes without its sums being kept", {{"why", kept.error().message}});
  }
  return folded;
}

void EmbeddedStoreImpl::AddFolded(BlockList folded) {
  auto list = std::make_shared<BlockList>(*folded_);
  list->insert(list->end(), folded.begin(), folded.end());
  folded_ = std::move(list);
}

Result<void> EmbeddedStoreImpl::LoadFolded() {
  if (!fs_.Exists(layout_.rollup)) return {};
  FLUORO_TRY(const auto names, ReadAgain([this] { return fs_.List(layout_.rollup); }));
  BlockList folded;
  for (const std::string& name : names) {
    std::uint64_t id = 0;
    if (!options_.read_only && name.ends_with(".key") &&
        ParseBlockFileName(name.substr(0, 16) + ".flb", id) &&
        !fs_.Exists(layout_.rollup + "/" + BlockFileName(id)))
      RemoveBeside(layout_.rollup, id);
    if (!ParseBlockFileName(name, id)) continue;
    next_block_id_ = std::max(next_block_id_, id + 1);
    const std::string path = layout_.rollup + "/" + name;
    auto block = ReadAgain([&] { return Block::Open(fs_, cache_, path, id, keys()); });
    if (block) {
      folded_ids_.insert(id);
      folded_ids_.insert((*block)->meta().replaces.begin(), (*block)->meta().replaces.end());
      folded.push_back(*std::move(block));
      continue;
    }
    if (block.error().code == ErrorCode::kIo) return std::unexpected(std::move(block).error());
    if (block.error().code == ErrorCode::kPermissionDenied) {
      folded_ids_.insert(id);
      AddLockedBlock(path, "rollup/" + name, block.error());
      continue;
    }
    AddDamage(block.error().message);
    log::Error("store: a file of sums is damaged", {{"why", block.error().message}});
    if (block.error().code == ErrorCode::kCorruption && !options_.read_only &&
        fs_.Rename(path, layout_.quarantine + "/" + name)) {
      log::WarnIfFailed("store: syncing quarantine/", fs_.SyncDir(layout_.quarantine));
      log::WarnIfFailed("store: syncing rollup/", fs_.SyncDir(layout_.rollup));
    }
  }
  MutexLock lock(state_mutex_);
  folded_ = std::make_shared<const BlockList>(std::move(folded));
  return {};
}

Result<void> EmbeddedStoreImpl::DropOldSums() {
  std::shared_ptr<const BlockList> list;
  {
    MutexLock lock(state_mutex_);
    list = folded_;
  }
  const std::int64_t oldest_ns = WrapSub(clock_.UnixNs(), options_.rollup_retention_ns);
  // A tenth of what all may take.
  const std::uint64_t bytes_max = options_.retention_bytes / 10;
  std::uint64_t bytes = 0;
  for (const auto& block : *list) bytes += block->file_bytes();
  BlockList drop;
  auto kept = std::make_shared<BlockList>();
  for (const auto& block : *list) {  // oldest first
    const bool goes = block->meta().arrival_ns_max < oldest_ns || bytes > bytes_max;
    if (goes) bytes -= block->file_bytes();
    (goes ? drop : *kept).push_back(block);
  }
  if (drop.empty()) return {};
  {
    MutexLock lock(state_mutex_);
    folded_ = std::move(kept);
  }
  for (const auto& block : drop) FLUORO_CHECK_OK(block->Drop(layout_.tmp, "rollup-"));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.tmp));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.rollup));
  for (const auto& block : drop) RemoveBeside(layout_.rollup, block->meta().id);
  return {};
}

}  // namespace fluoro::store
