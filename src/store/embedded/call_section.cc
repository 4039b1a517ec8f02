#include "store/embedded/call_section.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "store/embedded/bytes.h"
#include "store/embedded/counts_code.h"

namespace fluoro::store {
namespace {

using rollup::CallCell;
using rollup::CallSeries;
using rollup::CallSums;
using rollup::kMinuteNs;

constexpr std::uint8_t kVersion = 1;
// Minutes this far apart do not share a chunk, so that a chunk covers a short time.
constexpr std::int64_t kChunkGapNs = 60 * kMinuteNs;

// Bits of a cell's mask, in the order of its fields.
constexpr std::size_t kFields = 12;
constexpr std::uint64_t kTimes = 1U << kFields;

std::array<std::int64_t*, kFields> FieldsOf(CallCell& cell) {
  return {&cell.calls,
          &cell.failed,
          &cell.throttled,
          &cell.timeouts,
          &cell.retries,
          &cell.prompt_tokens,
          &cell.completion_tokens,
          &cell.cached_tokens,
          &cell.cache_write_tokens,
          &cell.reasoning_tokens,
          &cell.cost_nano_usd,
          &cell.duration_ns};
}

void PutCell(const CallCell& cell, ByteWriter& out) {
  CallCell copy = cell;
  const auto fields = FieldsOf(copy);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kFields; ++i) mask |= *fields[i] != 0 ? std::uint64_t{1} << i : 0;
  if (!cell.times.IsZero()) mask |= kTimes;
  out.PutVarint(mask);
  for (const std::int64_t* field : fields) {
    if (*field != 0) out.PutSigned(*field);
  }
  if ((mask & kTimes) != 0) PutCounts(cell.times, out);
}

Result<CallCell> TakeCell(ByteReader& in) {
  CallCell cell;
  FLUORO_TRY(const std::uint64_t mask, in.TakeCount(2 * kTimes - 1));
  const auto fields = FieldsOf(cell);
  for (std::size_t i = 0; i < kFields; ++i) {
    if ((mask >> i & 1) == 0) continue;
    FLUORO_TRY(*fields[i], in.TakeSigned());
  }
  if ((mask & kTimes) != 0) {
    FLUORO_TRY(cell.times, TakeCounts(in));
  }
  return cell;
}

void PutSeries(const CallSums& total, ByteWriter& out) {
  out.PutVarint(total.texts());
  for (rollup::TextId text = 0; text < total.texts(); ++text) out.PutText(total.TextAt(text));
  out.PutVarint(total.series().size());
  for (const CallSeries& series : total.series()) {
    out.PutU8(series.kind);
    out.PutU8(series.stated ? 1 : 0);
    for (const rollup::TextId text :
         {series.provider, series.model, series.tool, series.tenant, series.route})
      out.PutVarint(text);
  }
}

// Numbers are given anew, in the same order: what repeats is damage.
Result<void> TakeSeries(ByteReader& in, CallSums& total) {
  FLUORO_TRY(const std::uint64_t texts, in.TakeCount(in.left()));
  for (std::uint64_t i = 0; i < texts; ++i) {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    if (total.Text(text) != i) return Fail(ErrorCode::kCorruption, "calls: a text repeats");
  }
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(kCallSeriesMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    CallSeries series;
    FLUORO_TRY(series.kind, in.TakeU8());
    FLUORO_TRY(const std::uint8_t flags, in.TakeU8());
    series.stated = (flags & 1) != 0;
    for (rollup::TextId* part :
         {&series.provider, &series.model, &series.tool, &series.tenant, &series.route}) {
      FLUORO_TRY(const std::uint64_t text, in.TakeVarint());
      if (text >= texts) return Fail(ErrorCode::kCorruption, "calls: no such text");
      *part = static_cast<rollup::TextId>(text);
    }
    if (total.FindSeries(series) != i)
      return Fail(ErrorCode::kCorruption, "calls: a series repeats");
  }
  return {};
}

CallSums EmptyTotal() {
  return CallSums(0, rollup::kByAllDimensions,
                  {.series_per_period_max = kCallSeriesMax,
                   .cells_max = SIZE_MAX,
                   .series_max = kCallSeriesMax});
}

}  // namespace

CallEncoder::CallEncoder(Put put) : put_(std::move(put)) {
  table_.total = CallSums(0, rollup::kByAllDimensions,
                          {.series_per_period_max = kCallSeriesMax,
                           .cells_max = SIZE_MAX,
                           .series_max = kCallSeriesMax / 2});
}

Result<void> CallEncoder::Add(const CallSums& minutes) {
  AddExtent(minutes.first_ns(), minutes.last_ns());
  std::vector<std::uint32_t> numbers(minutes.series().size(), UINT32_MAX);
  std::int64_t before_ns = chunk_last_ns_;
  for (const CallSums::Row& row : minutes.Rows()) {
    std::uint32_t& number = numbers[row.series];
    if (number == UINT32_MAX) number = table_.total.Adopt(minutes, row.series);
    if (chunk_rows_ > 0 && row.period_ns != before_ns &&
        (chunk_rows_ >= kCallChunkRowsMax / 2 || WrapSub(row.period_ns, before_ns) > kChunkGapNs)) {
      FLUORO_CHECK_OK(FlushChunk());
    }
    if (chunk_rows_ >= kCallChunkRowsMax) FLUORO_CHECK_OK(FlushChunk());
    if (chunk_rows_ == 0) before_ns = chunk_first_ns_ = row.period_ns;
    FLUORO_ASSERT(row.period_ns >= before_ns);
    ByteWriter out(chunk_);
    out.PutVarint(static_cast<std::uint64_t>(WrapSub(row.period_ns, before_ns)) /
                  static_cast<std::uint64_t>(kMinuteNs));
    out.PutVarint(number);
    PutCell(*row.cell, out);
    before_ns = chunk_last_ns_ = row.period_ns;
    ++chunk_rows_;
    table_.total.At(0, number).Merge(*row.cell);
  }
  return {};
}

void CallEncoder::AddExtent(std::int64_t first_ns, std::int64_t last_ns) {
  table_.first_ns = std::min(table_.first_ns, first_ns);
  table_.last_ns = std::max(table_.last_ns, last_ns);
}

Result<void> CallEncoder::FlushChunk() {
  if (chunk_rows_ == 0) return {};
  FLUORO_CHECK_OK(put_(static_cast<std::uint32_t>(table_.chunks.size()), chunk_));
  table_.chunks.push_back(
      {.first_minute_ns = chunk_first_ns_, .last_minute_ns = chunk_last_ns_, .rows = chunk_rows_});
  chunk_.clear();
  chunk_rows_ = 0;
  return {};
}

Result<std::string> CallEncoder::Finish() {
  FLUORO_CHECK_OK(FlushChunk());
  std::string bytes;
  ByteWriter out(bytes);
  out.PutU8(kVersion);
  out.PutSigned(table_.first_ns);
  out.PutSigned(table_.last_ns);
  PutSeries(table_.total, out);
  out.PutVarint(table_.chunks.size());
  for (const CallTable::Chunk& chunk : table_.chunks) {
    out.PutSigned(chunk.first_minute_ns);
    out.PutSigned(chunk.last_minute_ns);
    out.PutVarint(chunk.rows);
  }
  const auto rows = table_.total.Rows();
  out.PutVarint(rows.size());
  for (const CallSums::Row& row : rows) {
    out.PutVarint(row.series);
    PutCell(*row.cell, out);
  }
  return bytes;
}

Result<CallTable> DecodeCallTable(std::string_view bytes) {
  if (bytes.size() > kCallBytesMax) return Fail(ErrorCode::kCorruption, "calls: too long");
  ByteReader in(bytes);
  CallTable table;
  table.total = EmptyTotal();
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version != kVersion) {
    return Fail(ErrorCode::kUnsupported, "calls: version " + std::to_string(version));
  }
  FLUORO_TRY(table.first_ns, in.TakeSigned());
  FLUORO_TRY(table.last_ns, in.TakeSigned());
  FLUORO_CHECK_OK(TakeSeries(in, table.total));
  FLUORO_TRY(const std::uint64_t chunks, in.TakeCount(in.left() / 3));
  table.chunks.resize(chunks);
  for (CallTable::Chunk& chunk : table.chunks) {
    FLUORO_TRY(chunk.first_minute_ns, in.TakeSigned());
    FLUORO_TRY(chunk.last_minute_ns, in.TakeSigned());
    FLUORO_TRY(const std::uint64_t rows, in.TakeCount(kCallChunkRowsMax));
    chunk.rows = static_cast<std::uint32_t>(rows);
  }
  const std::size_t series = table.total.series().size();
  FLUORO_TRY(const std::uint64_t rows, in.TakeCount(series));
  for (std::uint64_t i = 0; i < rows; ++i) {
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= series) return Fail(ErrorCode::kCorruption, "calls: no such series");
    FLUORO_TRY(const CallCell cell, TakeCell(in));
    table.total.At(0, static_cast<std::uint32_t>(number)).Merge(cell);
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "calls: bytes behind its end");
  return table;
}

Result<void> AddCallChunk(std::string_view bytes, const CallTable& table, std::size_t chunk,
                          const rollup::RollupWindow& minutes, CallSums& to) {
  if (bytes.size() > kCallBytesMax) return Fail(ErrorCode::kCorruption, "calls: too long");
  std::vector<std::uint32_t> numbers(table.total.series().size(), UINT32_MAX);
  ByteReader in(bytes);
  std::int64_t minute_ns = table.chunks[chunk].first_minute_ns;
  for (std::uint32_t row = 0; row < table.chunks[chunk].rows; ++row) {
    FLUORO_TRY(const std::uint64_t step, in.TakeVarint());
    minute_ns =
        WrapAdd(minute_ns, static_cast<std::int64_t>(step * static_cast<std::uint64_t>(kMinuteNs)));
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= numbers.size()) return Fail(ErrorCode::kCorruption, "calls: no such series");
    FLUORO_TRY(const CallCell cell, TakeCell(in));
    if (!minutes.Holds(minute_ns)) continue;
    std::uint32_t& adopted = numbers[number];
    if (adopted == UINT32_MAX) adopted = to.Adopt(table.total, static_cast<std::uint32_t>(number));
    to.At(minute_ns, adopted).Merge(cell);
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "calls: bytes behind its end");
  return {};
}

}  // namespace fluoro::store
