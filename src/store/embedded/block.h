// One block file, read.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "base/mutex.h"
#include "model/assembly.h"
#include "query/sieve.h"
#include "store/embedded/block_cache.h"
#include "store/embedded/block_format.h"
#include "store/embedded/call_section.h"
#include "store/embedded/column_sieve.h"
#include "store/embedded/rollup_section.h"
#include "store/embedded/row_group_index.h"
#include "store/embedded/summary_pages.h"
#include "store/embedded/trace_pages.h"

namespace fluoro::store {

/// The trace table of one block.
struct TraceTable {
  std::vector<TraceEntry> traces;     ///< in order of (start, id); a merge may leave parts apart
  std::vector<std::uint32_t> by_id;   ///< places in `traces` in order of id
  std::vector<std::uint32_t> by_row;  ///< places in order of rows; empty: as they stand
  std::vector<std::uint32_t> run_of;  ///< of each place that in by_row; empty: the place itself
  std::vector<bool> is_part;          ///< by place: its trace has other entries; empty: none has
  std::vector<model::Kept> reasons;   ///< that TraceEntry::kept points to
  /// Null: not judged yet.
  [[nodiscard]] const model::Kept* KeptOf(const TraceEntry& trace) const {
    return trace.kept == 0 ? nullptr : &reasons[trace.kept - 1];
  }
  /// Places of all parts of a trace.
  [[nodiscard]] std::span<const std::uint32_t> Find(const model::TraceId& id) const;
  [[nodiscard]] bool IsPart(std::size_t place) const { return !is_part.empty() && is_part[place]; }
  [[nodiscard]] std::size_t RunOf(std::size_t place) const {
    return run_of.empty() ? place : run_of[place];
  }
  [[nodiscard]] const TraceEntry& AtRun(std::size_t run) const {
    return traces[by_row.empty() ? run : by_row[run]];
  }
  [[nodiscard]] std::uint64_t MemoryBytes() const {
    return traces.size() * sizeof(TraceEntry) + (by_id.size() + 2 * by_row.size()) * 4 + 64;
  }
};

/// Rows [begin, end) of a row group.
struct BlockRows {
  std::uint32_t group = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// Immutable but for its deletions. Thread-safe. Opens its file for each read, so that thousands of
/// blocks need no descriptors; the file lives until the last reader lets go.
class Block {
 public:
  /// Reads footer and filter. Errors: kCorruption, kUnsupported, kIo, kNotFound; kPermissionDenied:
  /// it is encrypted, and the key that it names is not among `keys` or is another.
  static Result<std::shared_ptr<Block>> Open(Fs& fs, BlockCache& cache, std::string path,
                                             std::uint64_t id,
                                             const crypto::Keyring* keys = nullptr);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  [[nodiscard]] const BlockMeta& meta() const { return meta_; }
  [[nodiscard]] std::string path() const;
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  /// Of these, what stands beside the rows.
  [[nodiscard]] std::uint64_t index_bytes() const { return file_bytes_ - row_bytes_; }
  [[nodiscard]] bool MayContain(const model::TraceId& id) const {
    return MayContain(id, TraceFilter::Hash(id));
  }
  /// @param hash  TraceFilter::Hash of the id, for those who ask many blocks.
  [[nodiscard]] bool MayContain(const model::TraceId& id, std::uint64_t hash) const {
    return !(id < meta_.id_min) && !(meta_.id_max < id) && filter_.MayContain(hash);
  }

  /// Every error below names the block. Errors: kCorruption, kIo.
  Result<std::shared_ptr<const TraceTable>> Table() const;
  /// All parts of one trace.
  struct FoundTrace {
    std::vector<TraceEntry> parts;                      ///< in the table's order
    std::shared_ptr<const TraceTable> table = nullptr;  ///< null: only the parts were read
    std::shared_ptr<const std::vector<model::Kept>> reasons = nullptr;  ///< then, if any was judged
  };
  /// Reads a page or two, unless the whole table is at hand, or the block has no pages.
  Result<FoundTrace> Find(const model::TraceId& id) const;
  Result<std::shared_ptr<const RowGroupBuilder::Operations>> Services() const;
  /// Where the rows of a trace of this block are, in order.
  [[nodiscard]] std::vector<BlockRows> RowsOf(const TraceEntry& trace) const;
  /// The row group that holds the whole trace; nullopt: it stands in several.
  [[nodiscard]] std::optional<std::uint32_t> OnlyGroupOf(const TraceEntry& trace) const;
  /// Through the cache given at Open, unless another is named.
  Result<std::shared_ptr<const model::SpanBatch>> RowGroup(const TraceTable& table,
                                                           std::uint32_t group,
                                                           BlockCache* cache = nullptr) const;
  /// Rows that follow each other in a batch.
  struct ReadRows {
    std::shared_ptr<const model::SpanBatch> batch = nullptr;
    std::uint32_t begin = 0;
  };
  /// The rows of one trace: of the row group if that is in the cache, or the table is at hand and
  /// it is read again and again; else they alone, which are not cached.
  /// @param table  null: not at hand.
  Result<ReadRows> Rows(const TraceTable* table, const TraceEntry& trace,
                        const BlockRows& rows) const;
  /// These rows alone: whole traces, in order. Not cached.
  Result<std::shared_ptr<const model::SpanBatch>> SomeRows(
      const TraceTable& table, std::uint32_t group, std::span<const model::Range> rows) const;
  /// The keys of a row group's spans, without the rest of them: right for the rows of `trace`. Not
  /// cached.
  Result<std::vector<model::SpanKey>> ReadKeys(const TraceEntry& trace, std::uint32_t group) const;

  /// What is known of its traces without their spans, by place in the table. Null: nothing is.
  /// Read whole, and kept in the cache.
  Result<std::shared_ptr<const SummaryTable>> Summaries(const TraceTable& table) const;

  /// What its traces add to the service graph, summed when they were sealed. Null: the block was
  /// written before there were such sums.
  Result<std::shared_ptr<const RollupTable>> Rollup() const;
  /// Its rows of these minutes, by `period_ns`. Not cached.
  Result<rollup::Rollup> RollupOf(const RollupTable& table, const rollup::RollupWindow& minutes,
                                  std::int64_t period_ns) const;

  /// Calls `use` with each part of its rollup or of its calls, as BlockWriter::PutSums takes it.
  Result<void> ReadSums(
      SectionType type,
      const std::function<Result<void>(std::uint32_t, std::string_view)>& use) const;

  /// The calls of its traces, summed when they were sealed. Null: none, if meta().calls_summed;
  /// else nobody has looked.
  Result<std::shared_ptr<const CallTable>> Calls() const;
  /// Adds those of these minutes. Not cached.
  Result<void> AddCalls(const CallTable& table, const rollup::RollupWindow& minutes,
                        rollup::CallSums& to) const;
  /// Of merged blocks, the same by hour and the dimensions of one of rollup::kCallFacets. Null: it
  /// has none.
  Result<std::shared_ptr<const CallTable>> CallHours(std::uint8_t facet) const;
  Result<void> AddCallHours(std::uint8_t facet, const CallTable& table,
                            const rollup::RollupWindow& hours, rollup::CallSums& to) const;
  /// False: none of its spans is a call.
  [[nodiscard]] bool MayHoldCalls() const {
    return !meta_.calls_summed || Has(SectionType::kCalls);
  }
  /// Likewise of a row group, by the keys of its spans' attributes. Not cached.
  Result<bool> GroupMayHoldCalls(const TraceTable& table, std::uint32_t group) const;

  /// Calls `use` with each chunk of skeletons (skeleton.h).
  Result<void> ReadSkeletons(const std::function<Result<void>(std::string_view)>& use) const;
  /// Bytes on disk of a trace's rows: their part of their row groups.
  [[nodiscard]] std::uint64_t StoredBytesOf(const TraceEntry& trace) const;

  /// Calls `use` with what the rows of a row group are, and a reader of its columns, which reads
  /// what it is asked for. Not cached. Returns the bytes that were read.
  using UseColumns = std::function<Result<void>(std::span<const TraceRun>, const ColumnReader&)>;
  Result<std::uint64_t> WithColumns(const TraceTable& table, std::uint32_t group,
                                    const UseColumns& use) const;
  /// Number, in order of rows, of the first trace with rows in a row group or behind it.
  [[nodiscard]] std::size_t FirstRunOf(const TraceTable& table, std::uint32_t group) const;
  [[nodiscard]] std::vector<TraceRun> RunsOf(const TraceTable& table, std::uint32_t group) const;
  /// As RunsOf where one trace is known: all other rows are a gap.
  [[nodiscard]] std::vector<TraceRun> RunsAround(const TraceEntry& trace,
                                                 std::uint32_t group) const;

  /// Whether the row group can be left out, without reading its columns. Not cached.
  struct Pruned {
    Pruning pruning = Pruning::kNone;
    std::uint64_t bytes_read = 0;
  };
  Result<Pruned> Prune(const query::Sieve& sieve, std::uint32_t group) const;

  /// What a sieve says of the traces of a row group.
  struct Sieved {
    std::size_t first_run = 0;  ///< in order of rows
    /// Of the trace at first_run and those behind it; empty: none passes.
    std::vector<bool> passes;
    std::vector<model::Range> rows = {};  ///< of the row group, of each
    std::uint64_t bytes_read = 0;
  };
  /// Reads the columns that the sieve needs. Not cached.
  Result<Sieved> Sift(const query::Sieve& sieve, const TraceTable& table,
                      std::uint32_t group) const;

  /// A row group as it was compressed, its sums checked; with what stands behind its columns.
  struct StoredGroup {
    std::string bytes;
    std::vector<Section> sections;  ///< their offsets are places in `bytes`
    [[nodiscard]] std::string_view Of(const Section& section) const {
      return std::string_view(bytes).substr(section.offset, section.stored);
    }
  };
  Result<StoredGroup> ReadStored(std::uint32_t group) const;
  /// Rows [first, second) of the block that a row group holds.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> RowsIn(std::uint32_t group) const {
    return {group == 0 ? 0 : group_ends_[group - 1], group_ends_[group]};
  }

  /// Traces that were deleted from it, sorted by id.
  [[nodiscard]] std::shared_ptr<const std::vector<model::TraceId>> deleted() const;
  void SetDeleted(std::vector<model::TraceId> sorted_ids);
  [[nodiscard]] bool IsDeleted(const model::TraceId& id) const;

  /// Moves the file into `folder`, which is emptied at the next start; it is removed when the last
  /// reader lets go. The caller syncs both folders. `prefix` goes before its name there.
  Result<void> Drop(const std::string& folder, std::string_view prefix = {});

  /// What an encrypted block is sealed with; null: it is not encrypted.
  [[nodiscard]] const std::shared_ptr<const FileCipher>& cipher() const { return cipher_; }
  /// Of the key that wraps its data key, here or in the file beside it; empty: not encrypted.
  [[nodiscard]] std::string key_name() const;
  /// What is to stand in the file beside it for its data key to be wrapped by `key`.
  [[nodiscard]] Rewrap WrapAgain(const crypto::Keyring::NamedKey& key) const;
  void SetKeyName(std::string name);

  /// Reads and checks every byte. `problem` gets one line each.
  Result<void> Verify(const std::function<void(std::string)>& problem) const;

 private:
  Block(Fs& fs, BlockCache& cache, std::string path)
      : fs_(fs), cache_(cache), path_(std::move(path)) {}
  Result<std::unique_ptr<File>> OpenFile() const;
  Result<void> FindKey(const File& file, const crypto::Keyring* keys);
  Result<void> OpenSection(const Section& section, std::string& stored) const;
  Result<std::string> ReadSection(const File& file, const Section& section) const;
  Result<std::string> UnpackSection(const Section& section, std::string stored) const;
  /// Sections that stand together, read many at once.
  Result<void> ReadSections(
      const File& file, std::span<const Section> sections,
      const std::function<Result<void>(std::size_t, std::string_view)>& use) const;
  Result<void> CheckSum(const Section& section, std::string_view stored) const;
  [[nodiscard]] bool Has(SectionType type) const;
  Result<std::string> ReadOnly(const File& file, SectionType type) const;
  struct SumsKind;
  static const SumsKind kRollupSums, kCallSums;
  static SumsKind CallHourSums(std::uint8_t facet);
  /// Null: there are none, or a merge found none in one of its inputs.
  template <class Sums>
  Result<std::shared_ptr<const MinuteTable<Sums>>> ReadTable(const SumsKind& kind) const;
  template <class Sums>
  Result<void> AddMinutes(const SumsKind& kind, const MinuteTable<Sums>& table,
                          const rollup::RollupWindow& minutes, Sums& to) const;
  /// The header of sums; nullopt: a merge found none in one of its inputs.
  Result<std::optional<std::string>> ReadSumsHeader(const SumsKind& kind) const;
  /// A chunk of sums.
  Result<std::string> ReadSumsChunk(const File& file, const SumsKind& kind,
                                    std::size_t chunk) const;
  Result<std::shared_ptr<const model::SpanBatch>> DecodeGroup(const File& file,
                                                              const TraceTable& table,
                                                              std::uint32_t group) const;
  /// WithColumns without what the rows are.
  Result<std::uint64_t> WithColumnReader(
      std::uint32_t group, const std::function<Result<void>(const ColumnReader&)>& use) const;
  /// Sections of a row group and the columns in them.
  struct Columns {
    std::vector<std::unique_ptr<std::string>> held;
    std::map<std::uint32_t, std::string_view> by_id;
  };
  /// @param wanted  of the large columns.
  Result<Columns> ReadColumns(const File& file, std::uint32_t group,
                              std::span<const RowColumn> wanted) const;
  Result<Columns> ReadAllColumns(const File& file, std::uint32_t group) const;
  static Result<void> AddColumns(const Section& section, std::string raw, Columns& columns);
  Result<StoredGroup> ReadStoredOf(const File& file, std::span<const Section> sections) const;
  Result<std::shared_ptr<const model::SpanBatch>> DecodeSomeRows(
      std::span<const TraceRun> runs, std::uint32_t group,
      std::span<const model::Range> rows) const;
  Result<std::shared_ptr<const model::SpanBatch>> LoadGroup(const TraceTable& table,
                                                            std::uint32_t group,
                                                            BlockCache& cache) const;
  [[nodiscard]] bool IsWholeWanted(const BlockRows& rows) const;
  void IndexGroups();
  [[nodiscard]] std::span<const Section> SectionsOf(std::uint32_t group) const;
  [[nodiscard]] std::span<const Section> IndexSectionsOf(std::uint32_t group) const;
  // block_table.cc
  [[nodiscard]] TracePageBounds PageBounds(std::size_t reasons) const;
  [[nodiscard]] std::size_t TracesIn(std::size_t page) const;
  Result<std::span<const Section>> PagesOfType(SectionType type) const;
  Result<std::shared_ptr<TraceTable>> DecodeTable(const File& file) const;
  Result<void> DecodeSections(const File& file, TraceTable& table) const;
  Result<void> DecodePages(const File& file, TraceTable& table) const;
  Result<std::shared_ptr<const std::vector<model::Kept>>> Reasons() const;
  Result<std::shared_ptr<const IdPage>> ReadIdPage(std::uint32_t page) const;
  Result<std::shared_ptr<const std::vector<TraceEntry>>> ReadTracePage(std::uint32_t page) const;
  Result<FoundTrace> FindInPages(const model::TraceId& id) const;
  // block_summaries.cc
  Result<std::shared_ptr<SummaryTable>> DecodeSummaries(const TraceTable& table) const;
  Result<void> CheckRows(TraceTable& table) const;
  Result<void> OrderByRow(TraceTable& table) const;
  static void MarkParts(TraceTable& table);
  [[nodiscard]] Error Named(Error error) const;

  Fs& fs_;
  BlockCache& cache_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t row_bytes_ = 0;
  std::shared_ptr<const FileCipher> cipher_;
  std::string header_;           ///< of an encrypted block
  crypto::Nonce first_nonce_{};  ///< likewise, of the envelope in it
  BlockMeta meta_;
  std::uint16_t minor_ = kBlockMinor;
  std::vector<std::uint64_t> group_ends_;     ///< rows up to the end of each row group
  std::vector<model::Range> group_sections_;  ///< places in meta_.sections, by row group
  std::vector<model::Range> group_index_;     ///< likewise, of zones and filters
  std::vector<std::uint64_t> group_bytes_;    ///< stored, by row group
  TraceFilter filter_;
  std::atomic<bool> dropped_ = false;
  mutable std::atomic<std::uint64_t> part_reads_ = 0;  ///< row group << 32 | how often, of the last
  mutable Mutex mutex_;
  std::string path_ FLUORO_GUARDED_BY(mutex_);
  std::string key_name_ FLUORO_GUARDED_BY(mutex_);
  std::shared_ptr<const std::vector<model::TraceId>> deleted_ FLUORO_GUARDED_BY(mutex_);
};

using BlockList = std::vector<std::shared_ptr<Block>>;

/// Block::OnlyGroupOf of one trace of a block after the other: the next is mostly in the same.
class GroupFinder {
 public:
  std::optional<std::uint32_t> Find(const Block& block, const TraceEntry& entry) {
    if (entry.first_row < rows_.first || entry.first_row + entry.rows > rows_.second) {
      const auto other = block.OnlyGroupOf(entry);
      if (!other) return std::nullopt;
      group_ = *other;
      rows_ = block.RowsIn(group_);
    }
    return group_;
  }

 private:
  std::uint32_t group_ = 0;  ///< found last, and its rows
  std::pair<std::uint64_t, std::uint64_t> rows_ = {};
};

}  // namespace fluoro::store
