// Opening a folder: lock, format, blocks, replay of the log. docs/formats/wal.md says what is
// believed.
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/log.h"
#include "base/path.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/read_again.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr std::string_view kFormatWord = "fluoro-store ";

std::string SumText(std::string_view text) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return digits;
}

}  // namespace

std::string EncodeFormat(std::uint64_t version) {
  const std::string text = std::string(kFormatWord) + std::to_string(version);
  return text + " " + SumText(text) + "\n";
}

Result<std::uint64_t> DecodeFormat(std::string_view content) {
  const std::size_t last = content.rfind(' ');
  if (last == std::string_view::npos || !content.starts_with(kFormatWord) ||
      content.substr(last + 1) != SumText(content.substr(0, last)) + "\n") {
    return Fail(ErrorCode::kCorruption, "FORMAT: its words and its sum do not agree");
  }
  const std::string version(content.substr(kFormatWord.size(), last - kFormatWord.size()));
  for (const std::uint64_t known : {kPlainFormat, kEncryptedFormat}) {
    if (version == std::to_string(known)) return known;
  }
  return Fail(ErrorCode::kUnsupported,
              "FORMAT: version " + version +
                  " was written by a newer program, this one reads version " +
                  std::to_string(kEncryptedFormat));
}

Result<void> WriteWhole(Fs& fs, const Layout& layout, const std::string& folder,
                        const std::string& name, std::string_view content) {
  const std::string tmp = layout.tmp + "/" + name;
  if (fs.Exists(tmp)) FLUORO_CHECK_OK(fs.Remove(tmp));
  {
    FLUORO_TRY(const auto file, fs.Open(tmp, Fs::OpenMode::kCreate));
    FLUORO_CHECK_OK(file->WriteAt(0, content));
    FLUORO_CHECK_OK(file->Sync());
  }
  FLUORO_CHECK_OK(fs.Rename(tmp, folder + "/" + name));
  return fs.SyncDir(folder);
}

/// What replay has learnt so far.
struct EmbeddedStoreImpl::Replay {
  std::unordered_set<std::uint64_t> seen;  ///< LSNs applied
  std::uint64_t max_lsn = 0;
  std::uint64_t max_synced_lsn = 0;
  std::uint64_t first_lsn = UINT64_MAX;  ///< of the first file: older records are freed
  /// LSNs in (first, second) were given to records that failed and were never acknowledged.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> voids;
  [[nodiscard]] bool IsVoid(std::uint64_t lsn) const {
    return std::any_of(voids.begin(), voids.end(), [lsn](const auto& range) {
      return lsn > range.first && lsn < range.second;
    });
  }
  /// Rows with LSNs up to this are gone, though no block is to forget them: known beforehand, so
  /// that none of them is sealed on the way.
  std::unordered_map<model::TraceId, std::uint64_t> dropped_upto;
  [[nodiscard]] bool IsDropped(const model::TraceId& id, std::uint64_t lsn) const {
    const auto at = dropped_upto.find(id);
    return at != dropped_upto.end() && lsn <= at->second;
  }
  /// Records that no frame seen so far calls synced.
  struct Tail {
    std::uint64_t file_number = 0;
    std::string path;
    std::uint64_t end_offset = 0;  ///< behind the file's last record
    std::vector<std::pair<std::uint64_t, std::uint64_t>> records;  ///< LSN, offset
  };
  std::vector<Tail> tails;
  /// Records may come that are older than what was applied: copies of others, or those of a file
  /// that could not be looked at.
  bool may_come_older = false;
  bool gaps_unknown = false;            ///< a whole file is unreadable
  std::vector<std::string> unreadable;  ///< files that the disk does not give, or not to their end
  std::map<std::uint64_t, FrameType> locked;  ///< records in files without a key, by LSN
  std::vector<std::string> locked_files;      ///< of them those that are still in wal/
  bool has_logs_aside = false;
};

/// A file of the log, in wal/ or, put there for want of a key, in locked/.
struct EmbeddedStoreImpl::LogFile {
  std::uint64_t number = 0;
  std::string path;
  std::string shown;
  bool is_aside = false;
  std::shared_ptr<const FileCipher> cipher;
  std::optional<Error> no_key;
  [[nodiscard]] FrameReading Reading(const WalHeader& header) const {
    return {FrameSeed(header), cipher.get(), no_key.has_value()};
  }
};

Result<void> EmbeddedStoreImpl::PrepareFolder() {
  if (options_.read_only) {
    if (!fs_.Exists(layout_.format)) {
      return Fail(ErrorCode::kNotFound, layout_.root + ": no store is in this folder");
    }
  } else {
    for (const std::string& folder : {layout_.root, layout_.wal, layout_.blocks, layout_.tmp,
                                      layout_.quarantine, layout_.rollup}) {
      FLUORO_CHECK_OK(fs_.MakeDirs(folder));
    }
    FLUORO_TRY(lock_, fs_.Lock(layout_.lock));
    FLUORO_CHECK_OK(fs_.SyncDir(layout_.root));
    FLUORO_CHECK_OK(fs_.SyncDir(ParentPath(layout_.root)));
  }
  bool write_format = !fs_.Exists(layout_.format);
  if (!write_format) {
    const auto content = ReadAgain([this] { return ReadFile(fs_, layout_.format); });
    const auto version = content ? DecodeFormat(*content) : std::unexpected(content.error());
    if (!version && version.error().code == ErrorCode::kUnsupported)
      return std::unexpected(version.error());
    if (!version) {
      AddDamage(version.error().message);
      write_format = version.error().code == ErrorCode::kCorruption;
    }
    // Unreadable it stays as it is.
    format_version_ = version ? *version : write_format ? kPlainFormat : kEncryptedFormat;
  }
  if (options_.read_only) return {};
  FLUORO_TRY(const auto leftovers, ReadAgain([this] { return fs_.List(layout_.tmp); }));
  for (const std::string& name : leftovers)
    log::WarnIfFailed("store: removing a leftover of tmp/", fs_.Remove(layout_.tmp + "/" + name));
  // Moves into tmp/ are moves out of blocks/: they must be final before what belonged to those
  // blocks goes.
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.tmp));
  if (write_format) {
    format_version_ = std::max(format_version_, kPlainFormat);
    FLUORO_CHECK_OK(
        WriteWhole(fs_, layout_, layout_.root, "FORMAT", EncodeFormat(format_version_)));
  }
  if (keys() != nullptr && keys()->used()) return RaiseFormat();
  if (format_version_ == kEncryptedFormat)
    log::Warn("store: files of this folder are encrypted, new ones will not be: no key is in use");
  return {};
}

// Before the first encrypted file: programs that do not know of them must not write here.
Result<void> EmbeddedStoreImpl::RaiseFormat() {
  if (format_version_ >= kEncryptedFormat) return {};
  FLUORO_CHECK_OK(WriteWhole(fs_, layout_, layout_.root, "FORMAT", EncodeFormat(kEncryptedFormat)));
  format_version_ = kEncryptedFormat;
  return {};
}

// Moves a damaged file out of the way.
Result<void> EmbeddedStoreImpl::SetAside(const std::string& path) {
  std::uint64_t id = 0;
  if (ParseBlockFileName(BaseName(path), id)) {
    const std::string key = ParentPath(path) + "/" + RewrapFileName(id);
    if (fs_.Exists(key)) FLUORO_CHECK_OK(fs_.Rename(key, layout_.quarantine + "/" + BaseName(key)));
  }
  FLUORO_CHECK_OK(fs_.Rename(path, layout_.quarantine + "/" + BaseName(path)));
  FLUORO_CHECK_OK(fs_.SyncDir(layout_.quarantine));
  return fs_.SyncDir(ParentPath(path));
}

Result<void> EmbeddedStoreImpl::NameQuarantined() {
  const auto names = ReadAgain([this] { return fs_.List(layout_.quarantine); });
  if (!names) {
    // Numbers of files there must not be given again.
    return options_.read_only ? Result<void>() : std::unexpected(names.error());
  }
  for (const std::string& name : *names) {
    std::uint64_t id = 0;
    if (ParseBlockFileName(name, id)) next_block_id_ = std::max(next_block_id_, id + 1);
    if (name.ends_with(".key")) continue;  // belongs to a block
    AddDamage("quarantine/" + name + ": set aside earlier");
  }
  return {};
}

Result<void> EmbeddedStoreImpl::LoadBlock(const std::string& name, std::uint64_t id) {
  const std::string path = layout_.blocks + "/" + name;
  auto block = ReadAgain([&] { return Block::Open(fs_, cache_, path, id, keys()); });
  if (!block) {
    const Error& error = block.error();
    if (error.code == ErrorCode::kPermissionDenied) {
      locked_block_id_ = std::max(locked_block_id_, id);
      AddLockedBlock(path, "blocks/" + name, error);
      return {};
    }
    AddDamage(error.message);
    log::Error("store: a block is damaged and set aside", {{"why", error.message}});
    if (options_.read_only) return {};
    // A file of a newer version is left where it is. One that the disk does not give must go:
    // deletions could not be noted in it, and would be undone once it is readable again.
    if (error.code == ErrorCode::kIo) return SetAside(path);
    if (error.code == ErrorCode::kCorruption)
      log::WarnIfFailed("store: setting a block aside", SetAside(path));
    return {};
  }
  FLUORO_CHECK_OK(LoadDeletions(**block));
  MutexLock lock(state_mutex_);
  auto list = std::make_shared<BlockList>(*blocks_);
  list->push_back(*std::move(block));
  blocks_ = std::move(list);
  return {};
}

Result<void> EmbeddedStoreImpl::LoadDeletions(Block& block) {
  const std::string path = layout_.blocks + "/" + DeletionFileName(block.meta().id);
  if (!fs_.Exists(path)) return {};
  const auto content = ReadAgain([&] { return ReadFile(fs_, path); });
  auto ids = content ? DecodeDeletions(*content) : std::unexpected(content.error());
  if (ids) {
    block.SetDeleted(*std::move(ids));
    return {};
  }
  AddDamage(path + ": deleted traces may show again: " + ids.error().message);
  log::Error("store: a list of deleted traces is damaged",
             {{"file", path}, {"why", ids.error().message}});
  if (options_.read_only) return {};
  // Unread it would be replaced by the next deletion.
  if (ids.error().code == ErrorCode::kIo) return SetAside(path);
  if (ids.error().code == ErrorCode::kCorruption)
    log::WarnIfFailed("store: setting a list of deleted traces aside", SetAside(path));
  return {};
}

// A complete block makes those it was merged from superfluous. Returns the ids of these. A merge
// whose commit failed, or whose key was missing, may stand here beside its inputs, to which
// deletions were added since, or beside a later merge of some of them: it goes, and those of its
// inputs that the later one did not take stay.
std::unordered_set<std::uint64_t> EmbeddedStoreImpl::ApplyReplacements() {
  const auto list = blocks();
  std::vector<std::shared_ptr<Block>> newest_first(list->begin(), list->end());
  std::ranges::sort(newest_first, std::ranges::greater(),
                    [](const std::shared_ptr<Block>& block) { return block->meta().id; });
  std::unordered_set<std::uint64_t> present;
  for (const auto& block : *list) present.insert(block->meta().id);
  std::unordered_set<std::uint64_t> taken;  // by merges that count
  std::unordered_set<std::uint64_t> replaced;
  for (const auto& block : newest_first) {
    const auto& inputs = block->meta().replaces;
    const auto is_taken = [&](std::uint64_t input) { return taken.contains(input); };
    const auto is_held = [&](std::uint64_t input) {
      return taken.contains(input) || present.contains(input);
    };
    if (std::ranges::any_of(inputs, is_taken) && std::ranges::all_of(inputs, is_held)) {
      replaced.insert(block->meta().id);
    } else {
      taken.insert(inputs.begin(), inputs.end());
      replaced.insert(inputs.begin(), inputs.end());
    }
  }
  for (const auto& block : *list) {
    if (!replaced.contains(block->meta().id)) TakeDeletionsOfInputs(*list, *block);
  }
  return replaced;
}

// Deletions that were added to a merged block's inputs because the merge did not count. If one of
// them is gone, it did count, and deletions went to the merged block itself.
void EmbeddedStoreImpl::TakeDeletionsOfInputs(const BlockList& list, Block& merged) {
  std::set<model::TraceId> deleted;
  std::set<model::TraceId> kept;  // in an input that still shows it
  const auto& inputs = merged.meta().replaces;
  for (const std::uint64_t id : inputs) {
    const auto input = std::ranges::find_if(
        list, [id](const std::shared_ptr<Block>& block) { return block->meta().id == id; });
    if (input == list.end()) {
      // Unless it was merged into another input before.
      const bool is_inside = std::ranges::any_of(list, [&](const std::shared_ptr<Block>& block) {
        return std::ranges::find(inputs, block->meta().id) != inputs.end() &&
               std::ranges::find(block->meta().replaces, id) != block->meta().replaces.end();
      });
      if (!is_inside) return;
      continue;
    }
    const auto gone = (*input)->deleted();
    const auto table = ReadAgain([&] { return (*input)->Table(); });
    if (!table) continue;
    for (const TraceEntry& trace : (*table)->traces) {
      const bool is_gone = gone && std::ranges::binary_search(*gone, trace.id);
      (is_gone ? deleted : kept).insert(trace.id);
    }
  }
  const auto table = ReadAgain([&] { return merged.Table(); });
  std::erase_if(deleted, [&](const model::TraceId& id) {
    return kept.contains(id) || (table && (*table)->Find(id).empty());
  });
  if (deleted.empty()) return;
  if (const auto before = merged.deleted()) deleted.insert(before->begin(), before->end());
  merged.SetDeleted({deleted.begin(), deleted.end()});
  if (!options_.read_only) {
    log::WarnIfFailed("store: keeping a list of deleted traces", SaveDeletions(merged));
  }
}

Result<void> EmbeddedStoreImpl::LoadBlocks() {
  // Without the names that are in use nothing can be written here.
  FLUORO_TRY(const auto names, ReadAgain([this] { return fs_.List(layout_.blocks); }));
  std::unordered_set<std::uint64_t> known;
  for (const auto& block : *blocks()) known.insert(block->meta().id);
  for (const std::string& name : names) {
    std::uint64_t id = 0;
    if (!ParseBlockFileName(name, id)) continue;
    next_block_id_ = std::max(next_block_id_, id + 1);
    if (!known.contains(id)) FLUORO_CHECK_OK(LoadBlock(name, id));
  }
  const std::unordered_set<std::uint64_t> replaced = ApplyReplacements();
  // One without a key may have been merged from any block before it: these are not merged again.
  for (const auto& block : *blocks()) {
    if (block->meta().id < locked_block_id_) unmergeable_.insert(block->meta().id);
  }
  std::unordered_set<std::uint64_t> kept;
  MutexLock lock(state_mutex_);
  auto list = std::make_shared<BlockList>();
  double bytes = 0;
  for (const auto& block : *blocks_) {
    if (replaced.contains(block->meta().id) || folded_ids_.contains(block->meta().id)) {
      if (options_.read_only) continue;
      if (auto dropped = block->Drop(layout_.tmp); !dropped) {
        log::Warn("store: a replaced block stays for now", {{"why", dropped.error().message}});
        uncertain_.push_back(layout_.blocks + "/" + BlockFileName(block->meta().id));
      }
      continue;
    }
    kept.insert(block->meta().id);
    bytes += static_cast<double>(block->file_bytes());
    list->push_back(block);
  }
  std::sort(list->begin(), list->end(),
            [](const auto& a, const auto& b) { return a->meta().order < b->meta().order; });
  blocks_ = std::move(list);
  blocks_gauge_.Set(static_cast<double>(blocks_->size()));
  block_bytes_gauge_.Set(bytes);
  if (options_.read_only) return {};
  for (const std::string& name : names) {
    std::uint64_t id = 0;
    if ((name.ends_with(".del") || name.ends_with(".key")) &&
        ParseBlockFileName(name.substr(0, 16) + ".flb", id) && !kept.contains(id) &&
        !fs_.Exists(layout_.blocks + "/" + BlockFileName(id)))
      RemoveBeside(layout_.blocks, id);
  }
  return {};
}

// A trace moves into a block with all rows the head has of it: those up to sealed_lsn.
bool EmbeddedStoreImpl::IsSealed(const BlockList& blocks, const model::TraceId& id,
                                 std::uint64_t lsn) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if ((*block)->meta().sealed_lsn < lsn || !(*block)->MayContain(id) ||
        (*block)->meta().left_out.Contains(lsn))
      continue;
    // Unreadable: its rows count as missing, and those of the log come back.
    const auto table = (*block)->Table();
    if (!table) continue;
    for (const std::uint32_t place : (*table)->Find(id)) {
      if ((*table)->traces[place].sealed_lsn >= lsn) return true;
    }
  }
  return false;
}

void EmbeddedStoreImpl::ReplayRecord(Replay& replay, std::uint64_t file_number, WalRecord& record) {
  const std::uint64_t lsn = record.header.lsn;
  if (!replay.seen.insert(lsn).second) return;  // rewritten, and the first copy was good
  const auto bad = [&](const Error& error) {
    AddDamage("wal/" + WalFileName(file_number) + ": record " + std::to_string(lsn) + ": " +
              error.message);
  };
  replayed_records_.Add();
  replay.max_lsn = std::max(replay.max_lsn, lsn);
  Commit commit;
  commit.lsn = lsn;
  commit.wal_file = file_number;
  if (record.header.type == FrameType::kSpans) {
    auto decoded = DecodeBatch(record.body);
    if (!decoded) return bad(decoded.error());
    commit.arrival_ns = decoded->arrival_ns;
    commit.batch = std::make_shared<const model::SpanBatch>(std::move(decoded->batch));
    const auto list = blocks();
    std::unordered_set<model::TraceId> deleted;
    MutexLock lock(state_mutex_);
    for (const Commit& tombstone : tombstones_) {
      const std::uint64_t upto =
          tombstone.tombstone->upto_lsn == 0 ? tombstone.lsn : tombstone.tombstone->upto_lsn;
      if (upto >= lsn)
        deleted.insert(tombstone.tombstone->ids.begin(), tombstone.tombstone->ids.end());
    }
    dropped_spans_.Add(static_cast<double>(head_.Add(commit, [&](const model::TraceId& id) {
      return deleted.contains(id) || replay.IsDropped(id, lsn) || IsSealed(*list, id, lsn);
    })));
    applied_lsn_ = std::max(applied_lsn_, lsn);
    return;
  }
  if (record.header.type != FrameType::kTombstone) return;  // of a later minor version
  auto decoded = DecodeTombstone(record.body);
  if (!decoded) return bad(decoded.error());
  commit.tombstone = std::make_shared<const Tombstone>(*std::move(decoded));
  const Tombstone& tombstone = *commit.tombstone;
  {
    MutexLock lock(state_mutex_);
    for (const model::TraceId& id : tombstone.ids) {
      head_.Remove(id, tombstone.upto_lsn == 0 ? lsn : tombstone.upto_lsn);
    }
    tombstones_.push_back(commit);
    applied_lsn_ = std::max(applied_lsn_, lsn);
  }
  if (tombstone.head_only) return;
  if (!replay.locked.empty() || HasLocked()) HoldDeletions(tombstone.ids, lsn);
  if (auto saved = DeleteFromBlocks(tombstone.ids, lsn); !saved) {
    log::Warn("store: deletions are kept in the log for now", {{"why", saved.error().message}});
  }
}

// What only files without a key hold, as far as it is known by now.
void EmbeddedStoreImpl::LeaveOut(const Replay& replay) {
  std::vector<std::uint64_t> lsns;
  locked_deletions_.clear();
  for (const auto& [lsn, type] : replay.locked) {
    if (replay.IsVoid(lsn) || replay.seen.contains(lsn)) continue;
    lsns.push_back(lsn);
    if (type == FrameType::kTombstone) locked_deletions_.push_back(lsn);
  }
  left_out_ = LsnRanges::Of(lsns);
}

void EmbeddedStoreImpl::ReplayFile(Replay& replay, LogFile& log_file, bool is_last) {
  const std::uint64_t file_number = log_file.number;
  const std::string& path = log_file.path;
  const auto give_up = [&](const Error& why) {
    AddDamage(log_file.shown + ": " + why.message);
    log::Error("store: a log file is damaged", {{"file", log_file.shown}, {"why", why.message}});
    replay.gaps_unknown = true;
    if (why.code == ErrorCode::kIo) replay.unreadable.push_back(path);
  };
  const auto opened = ReadAgain([&] { return fs_.Open(path, Fs::OpenMode::kRead); });
  const auto size =
      opened ? ReadAgain([&] { return (*opened)->Size(); }) : std::unexpected(opened.error());
  if (!size) {
    // Gone between the listing and now: sealed meanwhile by the process that owns the folder.
    if (options_.read_only && size.error().code == ErrorCode::kNotFound) return;
    return give_up(size.error());
  }
  WalWindow window(**opened, *size);
  const auto start = window.At(0, kWalHeaderBytes);
  if (!start) return give_up(start.error());
  const auto header = DecodeWalHeader(*start);
  if (!header) {
    const auto content = ReadAgain([&] { return ReadFile(fs_, path); });
    if (!content) return give_up(content.error());
    const bool blank = content->size() <= kWalHeaderBytes ||
                       content->find_first_not_of('\0', kWalHeaderBytes) == std::string::npos;
    if (blank) {
      // Cut off while it was made.
      if (!options_.read_only)
        log::WarnIfFailed("store: removing a blank log file", fs_.Remove(path));
      return;
    }
    give_up(header.error());
    if (!options_.read_only && header.error().code == ErrorCode::kCorruption)
      log::WarnIfFailed("store: setting a log file aside", SetAside(path));
    return;
  }
  FindLogKey(*header, log_file);
  // The log went on without a file that was put aside: nothing is missing behind it.
  if (!log_file.is_aside) replay.first_lsn = std::min(replay.first_lsn, header->first_lsn);
  replay.max_lsn = std::max(replay.max_lsn, header->first_lsn - 1);
  Replay::Tail tail{.file_number = file_number, .path = path, .end_offset = 0, .records = {}};
  const FrameReading how = log_file.Reading(*header);
  const auto walk = WalkFrames(window, how, [&](WalRecord& record) -> Result<void> {
    bool full = false;
    {
      MutexLock lock(state_mutex_);
      full = head_.bytes() > 0 && head_.bytes() + record.body.size() > HeadLimit() / 2;
    }
    // A log larger than memory: blocks are written on the way. Not where records may still come
    // that are older than what was applied, since a block's sealed_lsn would cover them.
    if (full && !options_.read_only && !replay.may_come_older && replay.unreadable.empty()) {
      MutexLock lock(maintenance_mutex_);
      // On failure the rows stay in the head and the log; the next record tries again.
      log::WarnIfFailed("store: sealing during replay", SealWhatIsDue(true));
    }
    // A failed write may have reached the disk, or be seen although it did not: nobody was told
    // that it was stored, and a later file says so.
    if (replay.IsVoid(record.header.lsn)) return {};
    std::erase_if(tail.records,
                  [&](const auto& known) { return known.first <= record.header.synced_lsn; });
    tail.records.emplace_back(record.header.lsn, record.offset);
    if (how.is_locked) {
      replay.locked.emplace(record.header.lsn, record.header.type);
      replay.max_lsn = std::max(replay.max_lsn, record.header.lsn);
      return {};
    }
    ReplayRecord(replay, file_number, record);
    return {};
  });
  if (!walk) return give_up(walk.error());  // what was read before counts
  replay.max_synced_lsn = std::max(replay.max_synced_lsn, walk->max_synced_lsn);
  tail.end_offset = walk->end_offset;
  replay.tails.push_back(std::move(tail));
  if (how.is_locked && walk->max_lsn > 0) {  // else there is nothing in it
    AddLocked(log_file.shown, *log_file.no_key, *size);
    if (!log_file.is_aside) replay.locked_files.push_back(path);
  } else {
    log_->AdoptFile({.number = file_number,
                     .bytes = *size,
                     .first_lsn = std::min(header->first_lsn, walk->min_lsn),  // copies are older
                     .path = path,
                     .key_name = header->envelope ? header->envelope->key_name : std::string()});
  }
  if (walk->garbage_bytes == 0) return;
  log::Warn("store: bytes in a log file are not records",
            {{"file", log_file.shown}, {"bytes", std::to_string(walk->garbage_bytes)}});
  if (options_.read_only || !is_last) return;
  // The torn end of the last file: what was being written when the power went.
  if (const auto file = fs_.Open(path, Fs::OpenMode::kReadWrite)) {
    // Should it stay: the next file's header voids what stands here beyond its last good record.
    const auto cut = (*file)->Truncate(walk->end_offset);
    log::WarnIfFailed("store: cutting off a torn log record", cut ? (*file)->Sync() : cut);
  }
}

void EmbeddedStoreImpl::ReportGaps(const Replay& replay) {
  if (replay.gaps_unknown) return;
  std::uint64_t begin = 0;
  const auto report = [&](std::uint64_t end) {
    if (begin == 0) return;
    AddDamage("wal: records " + std::to_string(begin) + " to " + std::to_string(end) +
              " are missing");
    log::Error("store: acknowledged log records are missing",
               {{"from", std::to_string(begin)}, {"to", std::to_string(end)}});
    begin = 0;
  };
  for (std::uint64_t lsn = replay.first_lsn; lsn <= replay.max_synced_lsn; ++lsn) {
    if (replay.seen.contains(lsn) || replay.locked.contains(lsn) || replay.IsVoid(lsn)) {
      report(lsn - 1);
    } else if (begin == 0) {
      begin = lsn;
    }
  }
  report(replay.max_synced_lsn);
}

// In order of their numbers.
Result<std::vector<EmbeddedStoreImpl::LogFile>> EmbeddedStoreImpl::ListLogs() {
  std::vector<LogFile> files;
  // Without the numbers that are in use no log can be written here.
  for (const bool is_aside : {false, true}) {
    const std::string& folder = is_aside ? layout_.locked : layout_.wal;
    if (is_aside && !fs_.Exists(folder)) continue;
    FLUORO_TRY(const auto names, ReadAgain([&] { return fs_.List(folder); }));
    for (const std::string& name : names) {
      const std::uint64_t number = ParseWalFileName(name);
      if (number == 0) continue;
      files.push_back({.number = number,
                       .path = folder + "/" + name,
                       .shown = (is_aside ? "locked/" : "wal/") + name,
                       .is_aside = is_aside,
                       .cipher = nullptr,
                       .no_key = std::nullopt});
    }
  }
  std::ranges::sort(files, {}, &LogFile::number);
  return files;
}

void EmbeddedStoreImpl::FindLogKey(const WalHeader& header, LogFile& file) const {
  if (!header.envelope || file.cipher || file.no_key) return;
  auto cipher = FileCipher::Of(keys(), *header.envelope, FileKind::kLog, header.file_number);
  if (cipher) {
    file.cipher = *std::move(cipher);
  } else {
    file.no_key = std::move(cipher).error();
  }
}

Result<void> EmbeddedStoreImpl::ReplayLog() {
  FLUORO_TRY(std::vector<LogFile> files, ListLogs());
  Replay replay;
  FLUORO_CHECK_OK(LoadHeldDeletions());
  replay.dropped_upto.insert(held_deletions_.begin(), held_deletions_.end());
  LookAhead(replay, files);
  for (LogFile& file : files) {
    replay.has_logs_aside = replay.has_logs_aside || file.is_aside;
    ReplayFile(replay, file, &file == &files.back());
  }
  LeaveOut(replay);  // less what other files hold too
  if (replay.first_lsn != UINT64_MAX) ReportGaps(replay);
  std::uint64_t max_lsn = std::max({replay.max_lsn, locked_lsn_, left_out_.last()});
  for (const auto& block : *blocks()) max_lsn = std::max(max_lsn, block->meta().sealed_lsn);
  {
    MutexLock lock(state_mutex_);
    applied_lsn_ = max_lsn;
    log_->Continue(max_lsn + 1, files.empty() ? 1 : files.back().number + 1);
    UpdateGauges();
  }
  log::WarnIfFailed("store: deletions for files without a key are kept in the log for now",
                    ApplyHeldDeletions(replay.has_logs_aside));
  if (options_.read_only) return {};
  if (options_.sync != SyncPolicy::kOff) SyncTails(replay);
  FLUORO_CHECK_OK(MoveLockedLogs(replay.locked_files));
  if (replay.unreadable.empty()) return {};
  return SetUnreadableAside(replay);
}

// What later files and records say of records before them. A file that cannot be read is reported
// when it is replayed.
void EmbeddedStoreImpl::LookAhead(Replay& replay, std::vector<LogFile>& files) {
  std::vector<std::pair<std::uint64_t, Tombstone>> tombstones;  // LSN, what it says
  const auto note = [&](WalRecord& record) -> Result<void> {
    auto tombstone = DecodeTombstone(record.body);
    if (tombstone && tombstone->head_only)
      tombstones.emplace_back(record.header.lsn, *std::move(tombstone));
    return {};
  };
  const auto note_lsn = [&](WalRecord& record) -> Result<void> {
    replay.locked.emplace(record.header.lsn, record.header.type);
    return {};
  };
  const auto look = [&](LogFile& log_file) -> Result<void> {
    FLUORO_TRY(const auto file,
               ReadAgain([&] { return fs_.Open(log_file.path, Fs::OpenMode::kRead); }));
    FLUORO_TRY(const std::uint64_t size, ReadAgain([&] { return file->Size(); }));
    WalWindow window(*file, size);
    FLUORO_TRY(const std::string_view start, window.At(0, kWalHeaderBytes));
    FLUORO_TRY(const WalHeader header, DecodeWalHeader(start));
    replay.voids.emplace_back(header.last_good_lsn, header.first_lsn);
    FindLogKey(header, log_file);
    FLUORO_TRY(const WalWalk walk,
               log_file.no_key
                   ? WalkFrames(window, log_file.Reading(header), note_lsn)
                   : WalkFrames(window, log_file.Reading(header), note, FrameType::kTombstone));
    replay.may_come_older = replay.may_come_older || walk.has_rewritten;
    return {};
  };
  for (LogFile& file : files) {
    const auto looked = look(file);
    if (!looked && looked.error().code == ErrorCode::kIo) replay.may_come_older = true;
  }
  LeaveOut(replay);
  for (const auto& [lsn, tombstone] : tombstones) {
    if (replay.IsVoid(lsn)) continue;
    const std::uint64_t upto = tombstone.upto_lsn == 0 ? lsn : tombstone.upto_lsn;
    for (const model::TraceId& id : tombstone.ids) {
      std::uint64_t& known = replay.dropped_upto[id];
      known = std::max(known, upto);
    }
  }
}

// After the end of the process alone the last records may stand in the system's memory only. They
// count from here on, so they must be on the disk; after a failed sync that takes writing them
// again, since their pages are called clean.
void EmbeddedStoreImpl::SyncTails(const Replay& replay) {
  for (const Replay::Tail& tail : replay.tails) {
    std::uint64_t begin = tail.end_offset;
    for (const auto& [lsn, offset] : tail.records) {
      if (lsn > replay.max_synced_lsn) begin = std::min(begin, offset);
    }
    if (begin == tail.end_offset) continue;
    const auto write = [&]() -> Result<void> {
      FLUORO_TRY(const auto file, fs_.Open(tail.path, Fs::OpenMode::kReadWrite));
      FLUORO_TRY(const std::string bytes, ReadAgain([&] {
                   return file->ReadAt(begin, static_cast<std::size_t>(tail.end_offset - begin));
                 }));
      FLUORO_CHECK_OK(file->WriteAt(begin, bytes));
      return file->Sync();
    };
    if (auto written = write(); !written) {
      log::Error("store: the end of a log file cannot be synced, it is replaced",
                 {{"file", WalFileName(tail.file_number)}, {"why", written.error().message}});
      log_->Distrust(tail.file_number);
    }
  }
}

// A file that the disk does not give must not come back later: its LSNs are given again, and blocks
// that are sealed from now on would seem to hold its rows. What was read of it goes into blocks.
Result<void> EmbeddedStoreImpl::SetUnreadableAside(const Replay& replay) {
  for (const std::string& path : replay.unreadable) FLUORO_CHECK_OK(SetAside(path));
  return SealAll();
}

// For readers beside a running server: what it sealed while we read the log.
Result<void> EmbeddedStoreImpl::RefreshReadOnly() {
  const auto before = blocks();  // replay heeded these
  FLUORO_CHECK_OK(LoadBlocks());
  const auto list = blocks();
  MutexLock lock(state_mutex_);
  for (const auto& block : *list) {
    if (std::ranges::find(*before, block) != before->end()) continue;
    const auto table = block->Table();
    if (!table) continue;
    for (const TraceEntry& trace : (*table)->traces) head_.Remove(trace.id, trace.sealed_lsn);
  }
  return {};
}

Result<void> EmbeddedStoreImpl::Open() {
  FLUORO_CHECK_OK(PrepareFolder());
  LogOptions log_options;
  log_options.folder = layout_.wal;
  log_options.keys = options_.keys;
  log_options.sync_each = options_.sync == SyncPolicy::kAlways;
  log_options.sync_ever = options_.sync != SyncPolicy::kOff;
  log_options.file_bytes = options_.wal_file_bytes;
  log_options.allocate_bytes = options_.wal_allocate_bytes;
  log_options.queue_bytes_max = options_.memory_bytes / 100 * 15;
  log_ = std::make_unique<Log>(fs_, clock_, metrics_, std::move(log_options),
                               static_cast<LogOwner&>(*this));
  FLUORO_CHECK_OK(NameQuarantined());
  // A file whose name never reached the disk may be listed all the same, if only the process ended:
  // it counts from here on, and what it replaces goes: the log that holds a block's rows, the block
  // whose sums were kept.
  if (!options_.read_only) {
    FLUORO_CHECK_OK(fs_.SyncDir(layout_.blocks));
    FLUORO_CHECK_OK(fs_.SyncDir(layout_.rollup));
  }
  LoadAttributes();
  FLUORO_CHECK_OK(LoadFolded());
  FLUORO_CHECK_OK(LoadBlocks());
  if (!options_.read_only) RememberTraces();
  FLUORO_CHECK_OK(ReplayLog());
  if (options_.read_only) return RefreshReadOnly();
  log_->Start();
  {
    MutexLock lock(maintenance_mutex_);
    FreeLog();
  }
  if (options_.background_thread) {
    background_ = std::jthread([this](const std::stop_token& stop) { RunBackground(stop); });
    merger_ = std::jthread([this](const std::stop_token& stop) { RunMerges(stop); });
  }
  return {};
}

}  // namespace fluoro::store
