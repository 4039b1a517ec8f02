// Writes one block file.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "store/embedded/block.h"
#include "store/embedded/block_format.h"
#include "store/embedded/head.h"
#include "store/embedded/summary_builder.h"

namespace fluoro::store {

/// A row group ends at so many spans, or at so many bytes before compression: small enough that a
/// trace is read in milliseconds, large enough that the dictionaries pay.
inline constexpr std::size_t kRowGroupTargetSpans = 8'192;
inline constexpr std::size_t kRowGroupTargetBytes = std::size_t{8} << 20;

/// Not thread-safe. Memory: one row group and the trace table.
class BlockWriter {
 public:
  /// `file` is empty and outlives the writer; `meta` brings id, level, times of making, sealed_lsn.
  /// With a key in use among `keys` the block is encrypted under a data key of its own. A block of
  /// level 0 is not compressed, but for columns of long texts: its first merge does that.
  BlockWriter(File& file, BlockMeta meta, const crypto::Keyring* keys = nullptr);
  ~BlockWriter();
  /// The batches of the rows are held until their row group is written. Traces in order of
  /// (start, id) cost the least space.
  Result<void> AddTrace(const TraceRows& trace);
  /// The same in steps, for traces whose rows are not at hand at once: the trace (first_row is
  /// filled in here), then all its `rows` in one or more runs. A parent is found in its own run
  /// only.
  Result<void> BeginTrace(const TraceEntry& trace);
  Result<void> AddRows(std::span<const RowRef> rows,
                       std::span<const std::shared_ptr<const model::SpanBatch>> batches);
  /// Takes over a row group of another block as it is stored, or compressed by now; returns the
  /// number of its first row here. What its rows are AddPlaced says.
  Result<std::uint64_t> CopyRowGroup(const Block& from, std::uint32_t group);
  /// A trace (part) whose rows were copied, with first_row.
  void AddPlaced(const TraceEntry& trace) { traces_.push_back(trace); }
  /// Before any row: ends row groups at so many bytes, if that is less than kRowGroupTargetBytes.
  void BoundRowGroups(std::size_t bytes) { row_group_bytes_ = std::min(bytes, row_group_bytes_); }
  /// Before any row: whose filters are written, and who is told of the values of attributes.
  void SetWatch(const AttributeWatch& watch) { rows_.SetWatch(watch); }
  /// Is told of each row group while it is written: its runs, in order of rows, and its columns.
  using UseRowGroup =
      std::function<void(std::span<const TraceRun> runs, const ColumnReader& column)>;
  /// Before any row. Costs the columns of one row group in memory, before compression; of those
  /// larger than kUsedColumnBytesMax there is only kTooLarge to be had.
  static constexpr std::size_t kUsedColumnBytesMax = std::size_t{512} << 10;
  void SetUseRowGroup(UseRowGroup use) { use_row_group_ = std::move(use); }
  /// Summaries of the block's traces, by the rows that these have here; before Finish.
  [[nodiscard]] SummaryBuilder& summaries() { return summaries_; }
  void AddOperations(const RowGroupBuilder::Operations& operations);
  /// What TraceEntry::kept is in this block for a reason and probability.
  std::uint32_t KeptCode(const model::Kept& kept);
  /// Of two codes that of the higher probability; 0 is the weakest.
  [[nodiscard]] std::uint32_t StrongerCode(std::uint32_t a, std::uint32_t b) const;
  /// After all rows: none of them waits any more to be written. What is put after all rows does it,
  /// too.
  Result<void> EndRows() { return FlushRowGroup(); }
  /// After all rows, a chunk of skeletons (skeleton.h).
  Result<void> PutSkeletons(std::string_view chunk, std::size_t skeletons);
  /// The block's traces were judged by tail policies; it may have none left.
  void SetJudged(std::int64_t judged_ns) { meta_.judged_ns = judged_ns; }
  /// After all rows, a part of the block's rollup or calls: 0 the header, else a chunk
  /// (rollup_section.h, call_section.h).
  Result<void> PutSums(SectionType type, std::uint32_t part, std::string_view bytes);
  /// BlockMeta::calls_summed.
  void SetCallsSummed() { meta_.calls_summed = true; }
  /// Writes the rest and syncs the file. Without traces the times of arrival are as they were
  /// given.
  Result<BlockMeta> Finish();
  /// A block of sums alone: arrival and `replaces` as they were given.
  Result<BlockMeta> FinishWithoutTraces();
  [[nodiscard]] std::uint64_t bytes() const { return offset_; }

 private:
  struct Compressor;
  /// The columns of a row group, if someone is told of it; strings are used again.
  struct Written {
    std::vector<TraceRun> runs;
    std::vector<EncodedColumn> columns;
    std::size_t count = 0;  ///< of the columns
    std::vector<std::uint32_t> too_large;
    void Take(EncodedColumn& column);
    [[nodiscard]] Result<std::string_view> Find(std::uint32_t id) const;
  };
  Result<void> FlushRowGroup();
  void UseWritten();
  Result<void> PutTraceTable();
  Result<void> PutSummaries();
  Result<void> PutSection(SectionType type, std::uint32_t row_group, std::uint32_t column,
                          std::string_view raw);
  Result<void> PutStored(Section section, std::string_view stored);
  Result<void> WriteLarge(std::string_view bytes);
  Result<void> FlushBuffer();
  Result<BlockMeta> PutTail();

  File& file_;
  BlockMeta meta_;
  std::shared_ptr<const FileCipher> cipher_;  ///< null: not encrypted
  std::unique_ptr<Compressor> compressor_;
  RowGroupBuilder rows_;
  RowGroupBuilder::Operations operations_;
  std::size_t row_group_bytes_ = kRowGroupTargetBytes;
  UseRowGroup use_row_group_;
  Written written_;
  std::vector<TraceEntry> traces_;
  std::vector<model::Kept> reasons_;
  SummaryBuilder summaries_;
  std::uint32_t skeleton_chunks_ = 0;
  std::vector<std::shared_ptr<const model::SpanBatch>> held_;  ///< of the open row group
  std::string buffer_;
  std::uint64_t offset_ = 0;  ///< of the end of buffer_
  std::uint64_t next_row_ = 0;
};

}  // namespace fluoro::store
