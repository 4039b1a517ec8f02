#include "store/embedded/block.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/log.h"
#include "base/path.h"
#include "store/embedded/fuse_filter.h"
#include "store/embedded/skeleton.h"

namespace fluoro::store {
namespace {

constexpr std::uint64_t kTailBytes = std::uint64_t{64} << 10;
// Of sections that are read one after the other.
constexpr std::uint64_t kReadBytes = std::uint64_t{1} << 20;

Result<std::string> Inflate(std::string_view stored, const Section& section) {
  if (section.codec == SectionCodec::kNone) {
    if (section.raw != stored.size()) return Fail(ErrorCode::kCorruption, "section length differs");
    return std::string(stored);
  }
  if (section.codec != SectionCodec::kZstd) {
    return Fail(ErrorCode::kUnsupported, "section codec is unknown");
  }
  // The frame says its size itself; both must agree before memory is taken.
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != section.raw ||
      section.raw > kSectionRawBytesMax) {
    return Fail(ErrorCode::kCorruption, "section length differs");
  }
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  std::string raw;
  std::size_t got = 0;
  raw.resize_and_overwrite(section.raw, [&](char* to, std::size_t bytes) {
    got = ZSTD_decompressDCtx(context.get(), to, bytes, stored.data(), stored.size());
    return ZSTD_isError(got) != 0 ? 0 : std::min(got, bytes);
  });
  if (ZSTD_isError(got) != 0 || got != section.raw) {
    return Fail(ErrorCode::kCorruption, "section does not decompress");
  }
  return raw;
}

// So many looks at single traces of one row group, and it is decoded whole.
constexpr std::uint64_t kPartReadsMax = 4;

}  // namespace

Error Block::Named(Error error) const {
  // A file that vanished under a reader is an I/O error, not an unknown trace.
  if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kIo;
  return std::move(error).With(path());
}

Result<std::shared_ptr<Block>> Block::Open(Fs& fs, BlockCache& cache, std::string path,
                                           std::uint64_t id, const crypto::Keyring* keys) {
  FLUORO_TRY(const auto file, fs.Open(path, Fs::OpenMode::kRead));
  std::shared_ptr<Block> block(new Block(fs, cache, std::move(path)));
  const auto load = [&]() -> Result<void> {
    FLUORO_TRY(block->file_bytes_, file->Size());
    const std::uint64_t bytes = block->file_bytes_;
    if (bytes < kBlockHeaderBytes + kBlockTrailerBytes) {
      return Fail(ErrorCode::kCorruption, "the file is too short for a block");
    }
    const std::uint64_t tail_bytes = std::min(bytes, kTailBytes);
    FLUORO_TRY(std::string tail, file->ReadAt(bytes - tail_bytes, tail_bytes));
    FLUORO_TRY(
        const Trailer trailer,
        DecodeTrailer(std::string_view(tail).substr(tail.size() - kBlockTrailerBytes), bytes));
    std::string footer;
    if (trailer.bytes + kBlockTrailerBytes <= tail_bytes) {
      footer = tail.substr(tail.size() - kBlockTrailerBytes - trailer.bytes, trailer.bytes);
    } else {
      FLUORO_TRY(footer, file->ReadAt(trailer.offset, trailer.bytes));
    }
    if (FooterSum(footer, trailer) != trailer.sum) {
      return Fail(ErrorCode::kCorruption, "the footer's sum is wrong");
    }
    block->minor_ = trailer.minor;
    if (trailer.major == kEncryptedBlockMajor) {
      FLUORO_CHECK_OK(block->FindKey(*file, keys));
      if (auto opened =
              block->cipher_->Open(trailer.offset, WhatFooterIs(block->header_, trailer), footer);
          !opened)
        return std::unexpected(std::move(opened).error().With("the footer"));
    }
    FLUORO_TRY(block->meta_, DecodeFooter(footer, trailer.offset));
    if (block->meta_.id != id) return Fail(ErrorCode::kCorruption, "it is another block's file");
    std::uint64_t rows = 0;
    for (const std::uint64_t spans : block->meta_.row_groups) {
      block->group_ends_.push_back(rows += spans);
    }
    block->IndexGroups();
    FLUORO_TRY(std::string filter, block->ReadOnly(*file, SectionType::kTraceFilter));
    FLUORO_TRY(block->filter_, TraceFilter::Decode(std::move(filter)));
    return {};
  };
  if (auto loaded = load(); !loaded)
    return std::unexpected(block->Named(std::move(loaded).error()));
  return block;
}

// The data key, wrapped in the file beside the block or, first, in the block.
Result<void> Block::FindKey(const File& file, const crypto::Keyring* keys) {
  FLUORO_TRY(header_, file.ReadAt(0, kEncryptedBlockHeaderBytes));
  FLUORO_TRY(const EncryptedBlockHeader header, DecodeBlockHeader(header_));
  first_nonce_ = header.envelope.nonce;
  const auto take = [&](const crypto::Envelope& envelope) -> Result<void> {
    FLUORO_TRY(cipher_, FileCipher::Of(keys, envelope, FileKind::kBlock, header.id));
    SetKeyName(envelope.key_name);
    return {};
  };
  const std::string beside = ParentPath(path()) + "/" + RewrapFileName(header.id);
  if (!fs_.Exists(beside)) return take(header.envelope);
  const auto content = ReadFile(fs_, beside);
  const auto rewrap = content ? DecodeRewrap(*content) : std::unexpected(content.error());
  if (!rewrap && rewrap.error().code == ErrorCode::kIo) return std::unexpected(rewrap.error());
  // One of another block of that number says nothing of this one.
  if (!rewrap || rewrap->first_nonce != first_nonce_) return take(header.envelope);
  auto taken = take(rewrap->envelope);
  if (!taken && take(header.envelope)) return {};
  return taken;
}

std::string Block::key_name() const {
  MutexLock lock(mutex_);
  return key_name_;
}

void Block::SetKeyName(std::string name) {
  MutexLock lock(mutex_);
  key_name_ = std::move(name);
}

Rewrap Block::WrapAgain(const crypto::Keyring::NamedKey& key) const {
  return {.first_nonce = first_nonce_, .envelope = cipher_->WrapAgain(key)};
}

Block::~Block() {
  if (!dropped_.load(std::memory_order_relaxed)) return;
  if (auto removed = fs_.Remove(path()); !removed) {
    log::Warn("store: a dropped block stays until the next start",
              {{"why", removed.error().message}});
  }
}

std::string Block::path() const {
  MutexLock lock(mutex_);
  return path_;
}

Result<void> Block::Drop(const std::string& folder, std::string_view prefix) {
  dropped_.store(true, std::memory_order_relaxed);
  const std::string from = path();
  const std::string to = folder + "/" + std::string(prefix) + std::string(BaseName(from));
  FLUORO_CHECK_OK(fs_.Rename(from, to));
  {
    MutexLock lock(mutex_);
    path_ = to;
  }
  return {};
}

// A dropped block's file may move between looking at its path and opening it.
Result<std::unique_ptr<File>> Block::OpenFile() const {
  const std::string before = path();
  auto file = fs_.Open(before, Fs::OpenMode::kRead);
  if (!file && file.error().code == ErrorCode::kNotFound && path() != before) {
    return fs_.Open(path(), Fs::OpenMode::kRead);
  }
  return file;
}

Result<std::string> Block::ReadSection(const File& file, const Section& section) const {
  FLUORO_TRY(std::string stored, file.ReadAt(section.offset, section.stored));
  return UnpackSection(section, std::move(stored));
}

Result<std::string> Block::UnpackSection(const Section& section, std::string stored) const {
  FLUORO_CHECK_OK(OpenSection(section, stored));
  if (section.codec == SectionCodec::kNone && section.raw == stored.size()) return stored;
  return Inflate(stored, section);
}

Result<void> Block::ReadSections(
    const File& file, std::span<const Section> sections,
    const std::function<Result<void>(std::size_t, std::string_view)>& use) const {
  for (std::size_t begin = 0; begin < sections.size();) {
    const std::uint64_t offset = sections[begin].offset;
    std::uint64_t bytes = 0;
    std::size_t end = begin;
    while (end < sections.size() && sections[end].offset == offset + bytes &&
           (end == begin || bytes + sections[end].stored <= kReadBytes))
      bytes += sections[end++].stored;
    FLUORO_TRY(const std::string stored, file.ReadAt(offset, bytes));
    for (; begin < end; ++begin) {
      const Section& section = sections[begin];
      FLUORO_TRY(const std::string raw,
                 UnpackSection(section, stored.substr(section.offset - offset, section.stored)));
      FLUORO_CHECK_OK(use(begin, raw));
    }
  }
  return {};
}

// What is stored becomes what was compressed.
Result<void> Block::OpenSection(const Section& section, std::string& stored) const {
  FLUORO_CHECK_OK(CheckSum(section, stored));
  if (cipher_ == nullptr) return {};
  if (auto opened = cipher_->Open(section.offset, WhatSectionIs(section), stored); !opened) {
    return std::unexpected(std::move(opened).error().With(
        "section type " + std::to_string(static_cast<int>(section.type)) + ", row group " +
        std::to_string(section.row_group) + ", column " + std::to_string(section.column)));
  }
  return {};
}

Result<void> Block::CheckSum(const Section& section, std::string_view stored) const {
  if (SectionSum(stored, meta_.id, section.offset) == section.sum) return {};
  return Fail(ErrorCode::kCorruption,
              "section type " + std::to_string(static_cast<int>(section.type)) + ", row group " +
                  std::to_string(section.row_group) + ", column " + std::to_string(section.column) +
                  ": wrong sum");
}

bool Block::Has(SectionType type) const {
  return std::ranges::any_of(meta_.sections,
                             [type](const Section& section) { return section.type == type; });
}

void Block::IndexGroups() {
  group_sections_.resize(meta_.row_groups.size());
  group_index_.resize(meta_.row_groups.size());
  group_bytes_.resize(meta_.row_groups.size());
  for (std::uint32_t i = 0; i < meta_.sections.size(); ++i) {
    const Section& section = meta_.sections[i];
    const bool is_index =
        section.type == SectionType::kZones || section.type == SectionType::kFilter;
    if (!is_index && section.type != SectionType::kColumn && section.type != SectionType::kPack)
      continue;
    if (section.row_group >= group_sections_.size()) continue;
    model::Range& range = (is_index ? group_index_ : group_sections_)[section.row_group];
    if (range.size() == 0) range.begin = i;
    range.end = i + 1;
    group_bytes_[section.row_group] += section.stored;
    row_bytes_ += is_index ? 0 : section.stored;
  }
}

std::span<const Section> Block::SectionsOf(std::uint32_t group) const {
  const model::Range range = group_sections_[group];
  return std::span(meta_.sections).subspan(range.begin, range.size());
}

std::span<const Section> Block::IndexSectionsOf(std::uint32_t group) const {
  const model::Range range = group_index_[group];
  return std::span(meta_.sections).subspan(range.begin, range.size());
}

Result<std::string> Block::ReadOnly(const File& file, SectionType type) const {
  for (const Section& section : meta_.sections) {
    if (section.type == type) return ReadSection(file, section);
  }
  return Fail(ErrorCode::kCorruption,
              "section type " + std::to_string(static_cast<int>(type)) + " is missing");
}

Result<std::shared_ptr<const RowGroupBuilder::Operations>> Block::Services() const {
  using Operations = RowGroupBuilder::Operations;
  const BlockCache::Key key{.block = meta_.id, .part = BlockCache::kServicesPart};
  if (auto known = cache_.Get(key)) return std::static_pointer_cast<const Operations>(known);
  std::uint64_t bytes = 0;
  const auto load = [&]() -> Result<std::shared_ptr<Operations>> {
    FLUORO_TRY(const auto file, OpenFile());
    FLUORO_TRY(const std::string raw, ReadOnly(*file, SectionType::kServices));
    bytes = raw.size() * 4 + 64;
    FLUORO_TRY(auto operations, DecodeServices(raw));
    return std::make_shared<Operations>(std::move(operations));
  };
  auto operations = load();
  if (!operations) return std::unexpected(Named(std::move(operations).error()));
  cache_.Put(key, *operations, bytes);
  return std::shared_ptr<const Operations>(*std::move(operations));
}

std::size_t Block::FirstRunOf(const TraceTable& table, std::uint32_t group) const {
  const std::uint64_t first_row = RowsIn(group).first;
  const auto runs = std::views::iota(std::size_t{0}, table.traces.size());
  const auto found = std::ranges::partition_point(runs, [&](std::size_t run) {
    const TraceEntry& trace = table.AtRun(run);
    return trace.first_row + trace.rows <= first_row;
  });
  return static_cast<std::size_t>(found - runs.begin());
}

std::vector<TraceRun> Block::RunsOf(const TraceTable& table, std::uint32_t group) const {
  const auto [first_row, end_row] = RowsIn(group);
  std::vector<TraceRun> runs;
  std::uint64_t row = first_row;
  const auto skip_to = [&](std::uint64_t to) {
    if (to > row) {
      runs.push_back({.id = {},
                      .start_ns = 0,
                      .rows = static_cast<std::uint32_t>(to - row),
                      .end_ns = 0,
                      .is_gap = true});
    }
    row = to;
  };
  runs.reserve(table.traces.size() * (end_row - first_row) /
                   std::max<std::uint64_t>(group_ends_.back(), 1) +
               16);
  for (std::size_t run = FirstRunOf(table, group); run < table.traces.size(); ++run) {
    const TraceEntry& trace = table.AtRun(run);
    if (trace.first_row >= end_row) break;
    const std::uint64_t begin = std::max(trace.first_row, first_row);
    skip_to(begin);
    row = std::min(trace.first_row + trace.rows, end_row);
    runs.push_back({.id = trace.id,
                    .start_ns = trace.start_ns,
                    .rows = static_cast<std::uint32_t>(row - begin),
                    .end_ns = trace.end_ns,
                    .is_gap = false});
  }
  skip_to(end_row);
  return runs;
}

std::vector<TraceRun> Block::RunsAround(const TraceEntry& trace, std::uint32_t group) const {
  const auto [first_row, end_row] = RowsIn(group);
  const std::uint64_t begin = std::clamp(trace.first_row, first_row, end_row);
  const std::uint64_t end = std::clamp(trace.first_row + trace.rows, begin, end_row);
  std::vector<TraceRun> runs(3);
  runs[0].rows = static_cast<std::uint32_t>(begin - first_row);
  runs[0].is_gap = runs[2].is_gap = true;
  runs[1] = {.id = trace.id,
             .start_ns = trace.start_ns,
             .rows = static_cast<std::uint32_t>(end - begin),
             .end_ns = trace.end_ns,
             .is_gap = false};
  runs[2].rows = static_cast<std::uint32_t>(end_row - end);
  return runs;
}

Result<Block::StoredGroup> Block::ReadStored(std::uint32_t group) const {
  const auto load = [&]() -> Result<StoredGroup> {
    FLUORO_TRY(const auto file, OpenFile());
    const model::Range columns = group_sections_[group];
    const model::Range index = group_index_[group];
    const std::size_t count =
        columns.size() + (index.size() > 0 && index.begin == columns.end ? index.size() : 0U);
    return ReadStoredOf(*file, std::span(meta_.sections).subspan(columns.begin, count));
  };
  auto stored = load();
  if (!stored) {
    return std::unexpected(
        Named(std::move(stored).error().With("row group " + std::to_string(group))));
  }
  return stored;
}

Result<Block::StoredGroup> Block::ReadStoredOf(const File& file,
                                               std::span<const Section> sections) const {
  if (sections.empty()) return Fail(ErrorCode::kCorruption, "it has no columns");
  const std::uint64_t begin = sections.front().offset;
  std::uint64_t end = begin;
  for (const Section& section : sections) {
    if (section.row_group != sections.front().row_group || section.offset != end)
      return Fail(ErrorCode::kCorruption, "its columns do not stand together");
    end += section.stored;
  }
  StoredGroup stored{.bytes = {}, .sections = {sections.begin(), sections.end()}};
  FLUORO_TRY(stored.bytes, file.ReadAt(begin, end - begin));
  std::uint64_t place = 0;
  std::string one;
  for (Section& section : stored.sections) {
    const auto bytes =
        std::string_view(stored.bytes).substr(section.offset - begin, section.stored);
    if (cipher_ == nullptr) {
      FLUORO_CHECK_OK(CheckSum(section, bytes));
    } else {
      one.assign(bytes);
      FLUORO_CHECK_OK(OpenSection(section, one));
      section.stored = one.size();
      one.copy(stored.bytes.data() + place, one.size());  // shorter: before what is still to read
    }
    section.offset = place;
    place += section.stored;
  }
  stored.bytes.resize(place);
  return stored;
}

Result<void> Block::AddColumns(const Section& section, std::string raw, Columns& columns) {
  columns.held.push_back(std::make_unique<std::string>(std::move(raw)));
  if (section.type == SectionType::kColumn) {
    columns.by_id[section.column] = *columns.held.back();
    return {};
  }
  ByteReader pack(*columns.held.back());
  while (!pack.done()) {
    FLUORO_TRY(const std::uint64_t column, pack.TakeCount(UINT32_MAX));
    FLUORO_TRY(const std::string_view bytes, pack.TakeText());
    columns.by_id[static_cast<std::uint32_t>(column)] = bytes;
  }
  return {};
}

Result<Block::Columns> Block::ReadColumns(const File& file, std::uint32_t group,
                                          std::span<const RowColumn> wanted) const {
  const auto is_wanted = [&](const Section& section) {
    if (section.row_group != group) return false;
    if (section.type == SectionType::kPack) return true;  // any small column may be in it
    return std::ranges::any_of(wanted, [&](RowColumn column) {
      return static_cast<std::uint32_t>(column) == section.column;
    });
  };
  Columns columns;
  for (const Section& section : SectionsOf(group)) {
    if (!is_wanted(section)) continue;
    FLUORO_TRY(std::string raw, ReadSection(file, section));
    FLUORO_CHECK_OK(AddColumns(section, std::move(raw), columns));
  }
  return columns;
}

Result<Block::Columns> Block::ReadAllColumns(const File& file, std::uint32_t group) const {
  FLUORO_TRY(const StoredGroup stored, ReadStoredOf(file, SectionsOf(group)));
  Columns columns;
  for (const Section& section : stored.sections) {
    FLUORO_TRY(std::string raw, Inflate(stored.Of(section), section));
    FLUORO_CHECK_OK(AddColumns(section, std::move(raw), columns));
  }
  return columns;
}

Result<std::shared_ptr<const model::SpanBatch>> Block::DecodeGroup(const File& file,
                                                                   const TraceTable& table,
                                                                   std::uint32_t group) const {
  FLUORO_TRY(const Columns columns, ReadAllColumns(file, group));
  FLUORO_TRY(model::SpanBatch batch, DecodeRowGroup(columns.by_id, RunsOf(table, group)));
  return std::make_shared<const model::SpanBatch>(std::move(batch));
}

Result<std::vector<model::SpanKey>> Block::ReadKeys(const TraceEntry& trace,
                                                    std::uint32_t group) const {
  const auto load = [&]() -> Result<std::vector<model::SpanKey>> {
    FLUORO_TRY(const auto file, OpenFile());
    FLUORO_TRY(const Columns columns, ReadColumns(*file, group, kSpanKeyColumns));
    return DecodeSpanKeys(columns.by_id, RunsAround(trace, group));
  };
  auto keys = load();
  if (!keys) {
    return std::unexpected(
        Named(std::move(keys).error().With("row group " + std::to_string(group))));
  }
  return keys;
}

Result<std::uint64_t> Block::WithColumns(const TraceTable& table, std::uint32_t group,
                                         const UseColumns& use) const {
  return WithColumnReader(
      group, [&](const ColumnReader& read) { return use(RunsOf(table, group), read); });
}

Result<std::uint64_t> Block::WithColumnReader(
    std::uint32_t group, const std::function<Result<void>(const ColumnReader&)>& use) const {
  std::uint64_t bytes_read = 0;
  std::unique_ptr<File> file;
  Columns columns;
  const ColumnReader read = [&](std::uint32_t id) -> Result<std::string_view> {
    if (file == nullptr) {
      FLUORO_TRY(file, OpenFile());
      // Small columns stand in packs; a large one is read when it is asked for.
      FLUORO_TRY(columns, ReadColumns(*file, group, {}));
      for (const auto& held : columns.held) bytes_read += held->size();
    }
    if (const auto known = columns.by_id.find(id); known != columns.by_id.end())
      return known->second;
    for (const Section& section : SectionsOf(group)) {
      if (section.type != SectionType::kColumn || section.row_group != group ||
          section.column != id)
        continue;
      FLUORO_TRY(std::string raw, ReadSection(*file, section));
      bytes_read += raw.size();
      columns.held.push_back(std::make_unique<std::string>(std::move(raw)));
      return columns.by_id[id] = *columns.held.back();
    }
    return std::string_view();
  };
  if (auto used = use(read); !used) {
    return std::unexpected(
        Named(std::move(used).error().With("row group " + std::to_string(group))));
  }
  return bytes_read;
}

Result<Block::Pruned> Block::Prune(const query::Sieve& sieve, std::uint32_t group) const {
  Pruned pruned;
  const std::span<const Section> sections = IndexSectionsOf(group);
  const auto prune = [&]() -> Result<void> {
    const auto zones = std::ranges::find(sections, SectionType::kZones, &Section::type);
    if (zones == sections.end()) return {};
    FLUORO_TRY(const auto file, OpenFile());
    const auto read = [&](const Section& section) {
      pruned.bytes_read += section.raw;
      return ReadSection(*file, section);
    };
    FLUORO_TRY(const std::string bytes, read(*zones));
    std::string filter;
    const auto read_filter = [&](std::uint32_t column) -> Result<std::string_view> {
      for (const Section& section : sections) {
        if (section.type != SectionType::kFilter || section.column != column) continue;
        FLUORO_TRY(filter, read(section));
        return filter;
      }
      return Fail(ErrorCode::kCorruption, "a filter is missing");
    };
    FLUORO_TRY(pruned.pruning, PruneRowGroup(sieve, bytes, read_filter));
    return {};
  };
  if (auto done = prune(); !done) {
    return std::unexpected(
        Named(std::move(done).error().With("row group " + std::to_string(group))));
  }
  return pruned;
}

Result<Block::Sieved> Block::Sift(const query::Sieve& sieve, const TraceTable& table,
                                  std::uint32_t group) const {
  Sieved sieved;
  const auto sift = [&](const ColumnReader& read) -> Result<void> {
    std::vector<TraceRun> runs;
    const RunReader read_runs = [&] {
      runs = RunsOf(table, group);
      return std::span<const TraceRun>(runs);
    };
    FLUORO_TRY(const std::vector<bool> passes, SieveRowGroup(sieve, read_runs, read));
    if (passes.empty()) return {};
    std::uint32_t row = 0;
    for (std::size_t run = 0; run < runs.size(); ++run) {
      const model::Range rows{row, row + runs[run].rows};
      row = rows.end;
      if (runs[run].is_gap) continue;
      sieved.passes.push_back(passes[run]);
      sieved.rows.push_back(rows);
    }
    return {};
  };
  FLUORO_TRY(sieved.bytes_read, WithColumnReader(group, sift));
  if (!sieved.passes.empty()) sieved.first_run = FirstRunOf(table, group);
  return sieved;
}

Result<std::shared_ptr<const model::SpanBatch>> Block::RowGroup(const TraceTable& table,
                                                                std::uint32_t group,
                                                                BlockCache* cache) const {
  BlockCache& through = cache == nullptr ? cache_ : *cache;
  if (auto known = through.Get({.block = meta_.id, .part = group})) {
    return std::static_pointer_cast<const model::SpanBatch>(known);
  }
  return LoadGroup(table, group, through);
}

Result<std::shared_ptr<const model::SpanBatch>> Block::LoadGroup(const TraceTable& table,
                                                                 std::uint32_t group,
                                                                 BlockCache& cache) const {
  const auto load = [&]() -> Result<std::shared_ptr<const model::SpanBatch>> {
    FLUORO_TRY(const auto file, OpenFile());
    return DecodeGroup(*file, table, group);
  };
  auto batch = load();
  if (!batch) {
    return std::unexpected(
        Named(std::move(batch).error().With("row group " + std::to_string(group))));
  }
  cache.Put({.block = meta_.id, .part = group}, *batch, (*batch)->MemoryBytes());
  return batch;
}

Result<Block::ReadRows> Block::Rows(const TraceTable* table, const TraceEntry& trace,
                                    const BlockRows& rows) const {
  if (auto known = cache_.Get({.block = meta_.id, .part = rows.group})) {
    return ReadRows{.batch = std::static_pointer_cast<const model::SpanBatch>(known),
                    .begin = rows.begin};
  }
  if (table != nullptr && IsWholeWanted(rows)) {
    FLUORO_TRY(auto batch, LoadGroup(*table, rows.group, cache_));
    return ReadRows{.batch = std::move(batch), .begin = rows.begin};
  }
  const model::Range range{rows.begin, rows.end};
  FLUORO_TRY(auto batch, DecodeSomeRows(RunsAround(trace, rows.group), rows.group, {&range, 1}));
  return ReadRows{.batch = std::move(batch)};
}

Result<std::shared_ptr<const model::SpanBatch>> Block::SomeRows(
    const TraceTable& table, std::uint32_t group, std::span<const model::Range> rows) const {
  return DecodeSomeRows(RunsOf(table, group), group, rows);
}

Result<std::shared_ptr<const model::SpanBatch>> Block::DecodeSomeRows(
    std::span<const TraceRun> runs, std::uint32_t group, std::span<const model::Range> rows) const {
  const auto load = [&]() -> Result<std::shared_ptr<const model::SpanBatch>> {
    FLUORO_TRY(const auto file, OpenFile());
    FLUORO_TRY(const StoredGroup stored, ReadStoredOf(*file, SectionsOf(group)));
    // Of large columns of attributes only those are decompressed that the rows have.
    const auto is_put_off = [](const Section& section) {
      return section.type == SectionType::kColumn &&
             section.column >= static_cast<std::uint32_t>(RowColumn::kAttributes);
    };
    Columns columns;
    const auto add = [&](const Section& section) -> Result<void> {
      FLUORO_TRY(std::string raw, Inflate(stored.Of(section), section));
      return AddColumns(section, std::move(raw), columns);
    };
    for (const Section& section : stored.sections) {
      if (!is_put_off(section)) FLUORO_CHECK_OK(add(section));
    }
    const ColumnReader attributes = [&](std::uint32_t column) -> Result<std::string_view> {
      for (const Section& section : stored.sections) {
        if (is_put_off(section) && section.column == column) FLUORO_CHECK_OK(add(section));
      }
      const auto known = columns.by_id.find(column);
      return known == columns.by_id.end() ? std::string_view() : known->second;
    };
    FLUORO_TRY(model::SpanBatch batch, DecodeRows(columns.by_id, runs, rows, attributes));
    return std::make_shared<const model::SpanBatch>(std::move(batch));
  };
  auto read = load();
  if (!read) {
    return std::unexpected(
        Named(std::move(read).error().With("row group " + std::to_string(group))));
  }
  return read;
}

// A row group of which one trace after the other is wanted is decoded once.
bool Block::IsWholeWanted(const BlockRows& rows) const {
  const auto [first, end] = RowsIn(rows.group);
  if ((rows.end - rows.begin) * std::uint64_t{4} > end - first) return true;
  const std::uint64_t before = part_reads_.load(std::memory_order_relaxed);
  const std::uint64_t count = before >> 32 == rows.group ? (before & UINT32_MAX) + 1 : 1;
  part_reads_.store(std::uint64_t{rows.group} << 32 | count, std::memory_order_relaxed);
  return count > kPartReadsMax;
}

std::optional<std::uint32_t> Block::OnlyGroupOf(const TraceEntry& trace) const {
  const auto group = std::upper_bound(group_ends_.begin(), group_ends_.end(), trace.first_row);
  if (group == group_ends_.end() || trace.first_row + trace.rows > *group) return std::nullopt;
  return static_cast<std::uint32_t>(group - group_ends_.begin());
}

std::vector<BlockRows> Block::RowsOf(const TraceEntry& trace) const {
  std::vector<BlockRows> rows;
  const std::uint64_t end_row = trace.first_row + trace.rows;
  auto group = std::upper_bound(group_ends_.begin(), group_ends_.end(), trace.first_row);
  for (std::uint64_t begin = trace.first_row; begin < end_row && group != group_ends_.end();
       ++group) {
    const auto index = static_cast<std::size_t>(group - group_ends_.begin());
    const std::uint64_t first = index == 0 ? 0 : group_ends_[index - 1];
    const std::uint64_t end = std::min(end_row, *group);
    rows.push_back({.group = static_cast<std::uint32_t>(index),
                    .begin = static_cast<std::uint32_t>(begin - first),
                    .end = static_cast<std::uint32_t>(end - first)});
    begin = end;
  }
  return rows;
}

std::uint64_t Block::StoredBytesOf(const TraceEntry& trace) const {
  double bytes = 0;
  for (const BlockRows& rows : RowsOf(trace)) {
    bytes += static_cast<double>(group_bytes_[rows.group]) *
             static_cast<double>(rows.end - rows.begin) /
             static_cast<double>(meta_.row_groups[rows.group]);
  }
  return static_cast<std::uint64_t>(bytes);
}

Result<void> Block::ReadSkeletons(const std::function<Result<void>(std::string_view)>& use) const {
  const auto read = [&]() -> Result<void> {
    if (!Has(SectionType::kSkeletons)) return {};
    FLUORO_TRY(const auto file, OpenFile());
    for (const Section& section : meta_.sections) {
      if (section.type != SectionType::kSkeletons) continue;
      FLUORO_TRY(const std::string chunk, ReadSection(*file, section));
      FLUORO_CHECK_OK(use(chunk));
    }
    return {};
  };
  auto done = read();
  if (!done) return std::unexpected(Named(std::move(done).error().With("skeletons")));
  return {};
}

std::shared_ptr<const std::vector<model::TraceId>> Block::deleted() const {
  MutexLock lock(mutex_);
  return deleted_;
}

void Block::SetDeleted(std::vector<model::TraceId> sorted_ids) {
  auto list = std::make_shared<const std::vector<model::TraceId>>(std::move(sorted_ids));
  MutexLock lock(mutex_);
  deleted_ = std::move(list);
}

bool Block::IsDeleted(const model::TraceId& id) const {
  const auto list = deleted();
  return list && std::binary_search(list->begin(), list->end(), id);
}

Result<void> Block::Verify(const std::function<void(std::string)>& problem) const {
  FLUORO_TRY(const auto file, OpenFile());
  std::uint64_t end = kBlockHeaderBytes;
  if (cipher_ == nullptr) {
    FLUORO_TRY(const std::string header, file->ReadAt(0, kBlockHeaderBytes));
    if (auto checked = CheckBlockHeader(header, meta_.id, minor_); !checked)
      problem(checked.error().message);
  } else {
    end = kEncryptedBlockHeaderBytes;  // the footer is bound to the header, which has sums
  }
  for (const Section& section : meta_.sections) {
    const auto raw = ReadSection(*file, section);
    if (!raw) problem(raw.error().message);
    if (raw && section.type == SectionType::kZones) {
      if (const auto zones = DecodeZones(*raw); !zones) problem(zones.error().message);
    }
    if (raw && section.type == SectionType::kFilter) {
      if (const auto filter = FuseFilter::Decode(*raw); !filter) problem(filter.error().message);
    }
    if (section.offset != end) problem("bytes between sections belong to nothing");
    end = section.offset + section.stored;
  }
  if (const auto sums = Rollup(); !sums) {
    problem(sums.error().message);
  } else if (*sums != nullptr) {
    if (const auto rows = RollupOf(**sums, {}, rollup::kMinuteNs); !rows)
      problem(rows.error().message);
  }
  if (const auto calls = Calls(); !calls) {
    problem(calls.error().message);
  } else if (*calls != nullptr) {
    rollup::CallSums sums(rollup::kMinuteNs);
    if (const auto added = AddCalls(**calls, {}, sums); !added) problem(added.error().message);
  }
  for (std::uint8_t facet = 0; facet < rollup::kCallFacets.size(); ++facet) {
    const auto hours = CallHours(facet);
    if (!hours) {
      problem(hours.error().message);
    } else if (*hours != nullptr) {
      rollup::CallSums sums(rollup::kHourNs);
      if (const auto added = AddCallHours(facet, **hours, {}, sums); !added)
        problem(added.error().message);
    }
  }
  std::uint64_t skeletons = 0;
  const auto dropped = ReadSkeletons([&](std::string_view chunk) {
    return DecodeSkeletons(chunk, [&](const DroppedTrace&) { ++skeletons; });
  });
  if (!dropped) problem(dropped.error().message);
  if (dropped && skeletons != meta_.skeletons)
    problem("it holds other skeletons than its footer says");
  auto table = DecodeTable(*file);
  if (!table) {
    problem(table.error().message);
    return {};
  }
  if (const auto summaries = DecodeSummaries(**table); !summaries)
    problem(summaries.error().message);
  for (std::uint32_t group = 0; group < meta_.row_groups.size(); ++group) {
    if (auto batch = DecodeGroup(*file, **table, group); !batch) {
      problem("row group " + std::to_string(group) + ": " + batch.error().message);
    }
  }
  return {};
}

}  // namespace fluoro::store
