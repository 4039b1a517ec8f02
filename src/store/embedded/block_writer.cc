#include "store/embedded/block_writer.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "store/embedded/trace_pages.h"

namespace fluoro::store {
namespace {

// Columns below this share a section.
constexpr std::size_t kPackedColumnBytes = 4'096;
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr int kZstdLevel = 1;
constexpr std::size_t kCompressedBytesMin = 64;
// A column of a row group that is longer holds 256 bytes a span and more.
constexpr std::size_t kLongColumnBytes = std::size_t{2} << 20;
// Of a large section a piece of the middle is tried first: ids and packed integers do not shrink.
constexpr std::size_t kTriedSectionBytes = std::size_t{32} << 10;
constexpr std::size_t kTrialBytes = std::size_t{4} << 10;

}  // namespace

struct BlockWriter::Compressor {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::string out;
  ~Compressor() { ZSTD_freeCCtx(context); }

  // Empty: less than a tenth is saved, and the reader's time is worth more. Valid until the next.
  std::string_view Compress(std::string_view raw) {
    out.resize(ZSTD_compressBound(raw.size()));
    const std::size_t got =
        ZSTD_compressCCtx(context, out.data(), out.size(), raw.data(), raw.size(), kZstdLevel);
    if (ZSTD_isError(got) != 0 || got >= raw.size() - raw.size() / 10) return {};
    return std::string_view(out).substr(0, got);
  }
};

BlockWriter::BlockWriter(File& file, BlockMeta meta, const crypto::Keyring* keys)
    : file_(file),
      meta_(std::move(meta)),
      cipher_(FileCipher::Make(keys, FileKind::kBlock, meta_.id)),
      compressor_(std::make_unique<Compressor>()) {
  buffer_ =
      cipher_ == nullptr
          ? EncodeBlockHeader(meta_.id)
          : EncodeBlockHeader(
                {.id = meta_.id, .sealed_lsn = meta_.sealed_lsn, .envelope = cipher_->envelope()});
  offset_ = buffer_.size();
}

BlockWriter::~BlockWriter() = default;

Result<void> BlockWriter::FlushBuffer() {
  if (buffer_.empty()) return {};
  FLUORO_CHECK_OK(file_.WriteAt(offset_ - buffer_.size(), buffer_));
  buffer_.clear();
  return {};
}

Result<void> BlockWriter::PutSection(SectionType type, std::uint32_t row_group,
                                     std::uint32_t column, std::string_view raw) {
  Section section{.type = type,
                  .codec = SectionCodec::kNone,
                  .row_group = row_group,
                  .column = column,
                  .offset = 0,
                  .stored = raw.size(),
                  .raw = raw.size(),
                  .sum = 0};
  std::string_view stored = raw;
  // Prompts repeat inside longer texts, which no dictionary of a column sees: by 98 % on calls of
  // models that share one of 20 KB (decision 061).
  const bool is_long = type == SectionType::kColumn && raw.size() >= kLongColumnBytes;
  if ((meta_.level > 0 || is_long) && raw.size() >= kCompressedBytesMin &&
      (raw.size() < kTriedSectionBytes ||
       !compressor_->Compress(raw.substr(raw.size() / 2, kTrialBytes)).empty())) {
    if (const std::string_view compressed = compressor_->Compress(raw); !compressed.empty()) {
      section.codec = SectionCodec::kZstd;
      section.stored = compressed.size();
      stored = compressed;
    }
  }
  FLUORO_CHECK_OK(PutStored(section, stored));
  if (compressor_->out.capacity() > kWriteBytes) compressor_->out = std::string();
  return {};
}

Result<void> BlockWriter::PutStored(Section section, std::string_view stored) {
  section.offset = offset_;
  std::string sealed;
  if (cipher_ != nullptr) {
    cipher_->Seal(section.offset, WhatSectionIs(section), stored, sealed);
    stored = sealed;
    section.stored = sealed.size();
  }
  section.sum = SectionSum(stored, meta_.id, section.offset);
  meta_.sections.push_back(section);
  // From where it lies: a column can be a whole row group's text.
  if (stored.size() >= kWriteBytes) return WriteLarge(stored);
  buffer_.append(stored);
  offset_ += stored.size();
  if (buffer_.size() >= kWriteBytes) return FlushBuffer();
  return {};
}

Result<void> BlockWriter::WriteLarge(std::string_view bytes) {
  FLUORO_CHECK_OK(FlushBuffer());
  FLUORO_CHECK_OK(file_.WriteAt(offset_, bytes));
  offset_ += bytes.size();
  return {};
}

Result<std::uint64_t> BlockWriter::CopyRowGroup(const Block& from, std::uint32_t group) {
  FLUORO_CHECK_OK(FlushRowGroup());
  FLUORO_TRY(const Block::StoredGroup stored, from.ReadStored(group));
  const auto number = static_cast<std::uint32_t>(meta_.row_groups.size());
  meta_.row_groups.push_back(from.meta().row_groups[group]);
  for (Section section : stored.sections) {
    const std::string_view bytes = stored.Of(section);
    if (from.meta().level == 0 && section.codec == SectionCodec::kNone) {
      FLUORO_CHECK_OK(PutSection(section.type, number, section.column, bytes));
      continue;
    }
    section.row_group = number;
    FLUORO_CHECK_OK(PutStored(section, bytes));
  }
  const std::uint64_t first_row = next_row_;
  next_row_ += meta_.row_groups.back();
  return first_row;
}

void BlockWriter::AddOperations(const RowGroupBuilder::Operations& operations) {
  for (const auto& [service, names] : operations) {
    operations_[service].insert(names.begin(), names.end());
  }
}

Result<void> BlockWriter::FlushRowGroup() {
  if (rows_.spans() == 0) return {};
  const auto group = static_cast<std::uint32_t>(meta_.row_groups.size());
  meta_.row_groups.push_back(rows_.spans());
  std::string pack;
  std::vector<EncodedColumn> index;
  const auto put = [&](EncodedColumn& column) -> Result<void> {
    if (column.id >= static_cast<std::uint32_t>(RowColumn::kZones)) {
      index.push_back(std::exchange(column, {}));
      return {};
    }
    if (column.bytes.size() >= kPackedColumnBytes) {
      FLUORO_CHECK_OK(PutSection(SectionType::kColumn, group, column.id, column.bytes));
    } else {
      ByteWriter out(pack);
      out.PutVarint(column.id);
      out.PutText(column.bytes);
    }
    if (use_row_group_) written_.Take(column);
    return {};
  };
  FLUORO_CHECK_OK(rows_.Finish(operations_, put));
  held_.clear();
  if (use_row_group_) UseWritten();
  FLUORO_CHECK_OK(PutSection(SectionType::kPack, group, 0, pack));
  // Behind the columns: who reads rows does not read it. Filters are stored as they are, since to
  // decompress one takes longer than to ask it.
  constexpr auto kFirstFilter = static_cast<std::uint32_t>(RowColumn::kFilters);
  for (const EncodedColumn& part : index) {
    if (part.id < kFirstFilter) {
      FLUORO_CHECK_OK(PutSection(SectionType::kZones, group, 0, part.bytes));
      continue;
    }
    FLUORO_CHECK_OK(PutStored({.type = SectionType::kFilter,
                               .codec = SectionCodec::kNone,
                               .row_group = group,
                               .column = part.id - kFirstFilter,
                               .offset = 0,
                               .stored = part.bytes.size(),
                               .raw = part.bytes.size(),
                               .sum = 0},
                              part.bytes));
  }
  return {};
}

void BlockWriter::Written::Take(EncodedColumn& column) {
  if (column.bytes.size() > kUsedColumnBytesMax) return too_large.push_back(column.id);
  if (count == columns.size()) columns.emplace_back();
  std::swap(columns[count++], column);
}

// They came in order of id.
Result<std::string_view> BlockWriter::Written::Find(std::uint32_t id) const {
  const auto end = columns.begin() + static_cast<std::ptrdiff_t>(count);
  const auto at = std::ranges::lower_bound(columns.begin(), end, id, {}, &EncodedColumn::id);
  if (at != end && at->id == id) return at->bytes;
  if (std::ranges::binary_search(too_large, id))
    return Fail(ErrorCode::kTooLarge, "column " + std::to_string(id) + " is not kept");
  return std::string_view();
}

void BlockWriter::UseWritten() {
  use_row_group_(written_.runs, [this](std::uint32_t id) { return written_.Find(id); });
  written_.runs.clear();
  written_.count = 0;
  written_.too_large.clear();
  for (EncodedColumn& column : written_.columns) {
    if (column.bytes.capacity() > kUsedColumnBytesMax) column.bytes = std::string();
  }
}

Result<void> BlockWriter::AddTrace(const TraceRows& trace) {
  FLUORO_CHECK_OK(
      BeginTrace({.id = trace.id,
                  .start_ns = trace.start_ns,
                  .end_ns = trace.end_ns,
                  .first_arrival_ns = trace.first_arrival_ns,
                  .last_arrival_ns = trace.last_arrival_ns,
                  .first_row = 0,
                  .rows = static_cast<std::uint32_t>(trace.rows.size()),
                  .appends = trace.appends,
                  .flags = trace.limit_exceeded ? std::uint32_t{kTraceLimitExceeded} : 0U,
                  .sealed_lsn = meta_.sealed_lsn}));
  return AddRows(trace.rows, trace.batches);
}

Result<void> BlockWriter::BeginTrace(const TraceEntry& trace) {
  FLUORO_ASSERT(trace.rows > 0);
  traces_.push_back(trace);
  traces_.back().first_row = next_row_;
  next_row_ += trace.rows;
  if (rows_.spans() > 0 && rows_.spans() + trace.rows > kRowGroupTargetSpans)
    return FlushRowGroup();
  return {};
}

Result<void> BlockWriter::AddRows(
    std::span<const RowRef> rows,
    std::span<const std::shared_ptr<const model::SpanBatch>> batches) {
  held_.insert(held_.end(), batches.begin(), batches.end());
  std::span<const RowRef> left = rows;
  while (!left.empty()) {
    // A trace larger than a row group is chained over several; few spans can hold much text.
    std::size_t count = 0;
    std::size_t bytes = rows_.bytes();
    while (count < left.size() && rows_.spans() + count < kRowGroupTargetSpans &&
           bytes < row_group_bytes_) {
      bytes += RowGroupBuilder::RowBytes(left[count]);
      ++count;
    }
    const TraceEntry& trace = traces_.back();
    rows_.AddTrace(trace.start_ns, left.first(count));
    if (use_row_group_) {
      written_.runs.push_back({.id = trace.id,
                               .start_ns = trace.start_ns,
                               .rows = static_cast<std::uint32_t>(count),
                               .end_ns = trace.end_ns});
    }
    left = left.subspan(count);
    if (!left.empty() || rows_.bytes() >= row_group_bytes_ ||
        rows_.spans() >= kRowGroupTargetSpans) {
      FLUORO_CHECK_OK(FlushRowGroup());
      if (!left.empty()) held_.insert(held_.end(), batches.begin(), batches.end());
    }
  }
  return {};
}

Result<void> BlockWriter::PutTraceTable() {
  meta_.page_traces = kTracesPerPage;
  meta_.page_ids.clear();
  std::uint32_t page = 0;
  for (std::size_t at = 0; at < traces_.size(); at += kTracesPerPage, ++page) {
    const auto traces =
        std::span(traces_).subspan(at, std::min<std::size_t>(kTracesPerPage, traces_.size() - at));
    FLUORO_CHECK_OK(
        PutSection(SectionType::kTracePage, 0, page, EncodeTracePage(traces, meta_.sealed_lsn)));
  }
  std::vector<std::uint32_t> by_id(traces_.size());
  std::iota(by_id.begin(), by_id.end(), 0);
  std::ranges::sort(by_id, [this](std::uint32_t a, std::uint32_t b) {
    return std::tie(traces_[a].id, a) < std::tie(traces_[b].id, b);
  });
  page = 0;
  for (std::size_t at = 0; at < by_id.size(); at += kTracesPerPage, ++page) {
    IdPage ids;
    for (const std::uint32_t place :
         std::span(by_id).subspan(at, std::min<std::size_t>(kTracesPerPage, by_id.size() - at))) {
      ids.ids.push_back(traces_[place].id);
      ids.places.push_back(place);
    }
    FLUORO_CHECK_OK(PutSection(SectionType::kIdPage, 0, page, EncodeIdPage(ids)));
    meta_.page_ids.push_back(ids.ids.front());
  }
  if (!reasons_.empty())
    FLUORO_CHECK_OK(PutSection(SectionType::kKept, 0, 0, EncodeReasons(reasons_)));
  FLUORO_CHECK_OK(PutSummaries());
  return PutSection(SectionType::kTraceFilter, 0, 0, TraceFilter::Encode(traces_));
}

// Pages as those of the trace table; none where no trace has a summary.
Result<void> BlockWriter::PutSummaries() {
  if (summaries_.empty()) return {};
  FLUORO_CHECK_OK(PutSection(SectionType::kSummaries, 0, 0, summaries_.EncodeHeader()));
  const std::vector<model::StoredSummary> summaries = summaries_.Order(traces_);
  std::uint32_t page = 0;
  for (std::size_t at = 0; at < traces_.size(); at += kTracesPerPage) {
    const std::size_t count = std::min<std::size_t>(kTracesPerPage, traces_.size() - at);
    FLUORO_CHECK_OK(PutSection(SectionType::kSummaries, 0, ++page,
                               EncodeSummaryPage(std::span(summaries).subspan(at, count),
                                                 std::span(traces_).subspan(at, count))));
  }
  return {};
}

Result<void> BlockWriter::PutSums(SectionType type, std::uint32_t part, std::string_view bytes) {
  FLUORO_CHECK_OK(FlushRowGroup());
  return PutSection(type, 0, part, bytes);
}

std::uint32_t BlockWriter::KeptCode(const model::Kept& kept) {
  const auto at = std::ranges::find(reasons_, kept);
  const auto place = static_cast<std::uint32_t>(at - reasons_.begin());
  if (at == reasons_.end()) reasons_.push_back(kept);
  return place + 1;
}

std::uint32_t BlockWriter::StrongerCode(std::uint32_t a, std::uint32_t b) const {
  if (a == 0 || b == 0) return std::max(a, b);
  return reasons_[b - 1].probability > reasons_[a - 1].probability ? b : a;
}

Result<void> BlockWriter::PutSkeletons(std::string_view chunk, std::size_t skeletons) {
  FLUORO_CHECK_OK(FlushRowGroup());
  meta_.skeletons += skeletons;
  return PutSection(SectionType::kSkeletons, 0, skeleton_chunks_++, chunk);
}

Result<BlockMeta> BlockWriter::Finish() {
  FLUORO_CHECK_OK(FlushRowGroup());
  std::ranges::sort(traces_, {}, [](const TraceEntry& trace) {
    return std::tie(trace.start_ns, trace.id, trace.first_row);
  });
  meta_.traces = traces_.size();
  meta_.start_ns_min = INT64_MAX;
  meta_.start_ns_max = INT64_MIN;
  meta_.end_ns_max = INT64_MIN;
  if (!traces_.empty()) {
    meta_.start_ns_min = traces_.front().start_ns;
    meta_.start_ns_max = traces_.back().start_ns;
    meta_.arrival_ns_min = INT64_MAX;
    meta_.arrival_ns_max = INT64_MIN;
    meta_.id_min = traces_.front().id;
    meta_.id_max = traces_.front().id;
  }
  for (const TraceEntry& trace : traces_) {
    meta_.spans += trace.rows;
    meta_.end_ns_max = std::max(meta_.end_ns_max, trace.end_ns);
    meta_.arrival_ns_min = std::min(meta_.arrival_ns_min, trace.first_arrival_ns);
    meta_.arrival_ns_max = std::max(meta_.arrival_ns_max, trace.last_arrival_ns);
    meta_.id_min = std::min(meta_.id_min, trace.id);
    meta_.id_max = std::max(meta_.id_max, trace.id);
  }
  FLUORO_CHECK_OK(PutSection(SectionType::kServices, 0, 0, EncodeServices(operations_)));
  FLUORO_CHECK_OK(PutTraceTable());
  return PutTail();
}

Result<BlockMeta> BlockWriter::FinishWithoutTraces() {
  FLUORO_ASSERT(traces_.empty());
  FLUORO_CHECK_OK(PutTraceTable());
  return PutTail();
}

Result<BlockMeta> BlockWriter::PutTail() {
  std::string footer = EncodeFooter(meta_);
  Trailer trailer{.offset = offset_, .bytes = footer.size(), .sum = 0, .minor = kBlockMinor};
  if (cipher_ != nullptr) {
    trailer.major = kEncryptedBlockMajor;
    trailer.bytes += crypto::kTagBytes;
    const std::string header = EncodeBlockHeader(
        {.id = meta_.id, .sealed_lsn = meta_.sealed_lsn, .envelope = cipher_->envelope()});
    std::string sealed;
    cipher_->Seal(trailer.offset, WhatFooterIs(header, trailer), footer, sealed);
    footer = std::move(sealed);
  }
  trailer.sum = FooterSum(footer, trailer);
  buffer_ += footer;
  buffer_ += EncodeTrailer(trailer);
  offset_ += footer.size() + kBlockTrailerBytes;
  FLUORO_CHECK_OK(FlushBuffer());
  FLUORO_CHECK_OK(file_.Sync());
  return std::move(meta_);
}

}  // namespace fluoro::store
