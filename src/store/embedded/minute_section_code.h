// How minute_section.h does it, for the sources that say what is summed: rollup_section.cc and
// call_section.cc specialize MinuteCode and instantiate the rest.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "store/embedded/bytes.h"
#include "store/embedded/minute_section.h"

namespace fluoro::store {

/// What differs from one kind of sums to the other. A specialization has
///   kName                                what errors call the section
///   Cell                                 of the sums
///   EmptyTotal(reads) -> Sums            to write into, or to read into
///   Adopt(total, from, series) -> number of another's series in the total
///   PutSeries(total, out), TakeSeries(in, total) -> Result<void>
///   PutCell(cell, minute_ns, out), TakeCell(in, minute_ns) -> Result<Cell>
///   Merge(to, cell, from, series)        a cell of that series of `from`
template <class Sums>
struct MinuteCode;

template <class Sums>
std::unexpected<Error> BadMinutes(std::string_view what) {
  return Fail(ErrorCode::kCorruption, std::string(MinuteCode<Sums>::kName).append(what));
}

/// Every text under its number, 0 being the empty one. `Texts` has texts(), TextAt() and Text().
template <class Texts>
void PutMinuteTexts(const Texts& texts, ByteWriter& out) {
  out.PutVarint(texts.texts());
  for (rollup::TextId text = 0; text < texts.texts(); ++text) out.PutText(texts.TextAt(text));
}
/// Numbers are given anew, in the same order: what repeats is damage. Returns how many there are.
template <class Sums, class Texts>
Result<std::uint64_t> TakeMinuteTexts(ByteReader& in, Texts& texts) {
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left()));
  for (std::uint64_t i = 0; i < count; ++i) {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    if (texts.Text(text) != i) return BadMinutes<Sums>("a text repeats");
  }
  return count;
}

/// Bit i: the i-th field is not zero. `Fields`: an array of pointers.
template <class Fields>
std::uint64_t MaskOfFields(const Fields& fields) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < fields.size(); ++i)
    mask |= *fields[i] != 0 ? std::uint64_t{1} << i : 0;
  return mask;
}
template <class Fields>
void PutFields(const Fields& fields, ByteWriter& out) {
  for (const auto* const field : fields) {
    if (*field != 0) out.PutSigned(*field);
  }
}
template <class Fields>
Result<void> TakeFields(ByteReader& in, std::uint64_t mask, const Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if ((mask >> i & 1) == 0) continue;
    FLUORO_TRY(*fields[i], in.TakeSigned());
  }
  return {};
}

inline constexpr std::uint8_t kMinuteVersion = 1;
/// Minutes this far apart do not share a chunk, so that a chunk covers a short time.
inline constexpr std::int64_t kMinuteChunkGapNs = 60 * rollup::kMinuteNs;

template <class Sums>
MinuteEncoder<Sums>::MinuteEncoder(Put put) : put_(std::move(put)) {
  table_.total = MinuteCode<Sums>::EmptyTotal(false);
}

template <class Sums>
Result<void> MinuteEncoder<Sums>::Add(const Sums& minutes) {
  using Code = MinuteCode<Sums>;
  AddExtent(minutes.first_ns(), minutes.last_ns());
  std::vector<std::uint32_t> numbers(minutes.series().size(), UINT32_MAX);
  std::int64_t before_ns = chunk_last_ns_;
  for (const auto& row : minutes.Rows()) {
    std::uint32_t& number = numbers[row.series];
    if (number == UINT32_MAX) number = Code::Adopt(table_.total, minutes, row.series);
    if (chunk_rows_ > 0 && row.period_ns != before_ns &&
        (chunk_rows_ >= kMinuteChunkRowsMax / 2 ||
         WrapSub(row.period_ns, before_ns) > kMinuteChunkGapNs)) {
      FLUORO_CHECK_OK(FlushChunk());
    }
    if (chunk_rows_ >= kMinuteChunkRowsMax) FLUORO_CHECK_OK(FlushChunk());
    if (chunk_rows_ == 0) before_ns = chunk_first_ns_ = row.period_ns;
    FLUORO_ASSERT(row.period_ns >= before_ns);
    ByteWriter out(chunk_);
    out.PutVarint(static_cast<std::uint64_t>(WrapSub(row.period_ns, before_ns)) /
                  static_cast<std::uint64_t>(rollup::kMinuteNs));
    out.PutVarint(number);
    Code::PutCell(*row.cell, row.period_ns, out);
    before_ns = chunk_last_ns_ = row.period_ns;
    ++chunk_rows_;
    Code::Merge(table_.total.At(0, number), *row.cell, minutes, row.series);
  }
  return {};
}

template <class Sums>
void MinuteEncoder<Sums>::AddExtent(std::int64_t first_ns, std::int64_t last_ns) {
  table_.first_ns = std::min(table_.first_ns, first_ns);
  table_.last_ns = std::max(table_.last_ns, last_ns);
}

template <class Sums>
Result<void> MinuteEncoder<Sums>::FlushChunk() {
  if (chunk_rows_ == 0) return {};
  FLUORO_CHECK_OK(put_(static_cast<std::uint32_t>(table_.chunks.size()), chunk_));
  table_.chunks.push_back(
      {.first_minute_ns = chunk_first_ns_, .last_minute_ns = chunk_last_ns_, .rows = chunk_rows_});
  chunk_.clear();
  chunk_rows_ = 0;
  return {};
}

template <class Sums>
Result<std::string> MinuteEncoder<Sums>::Finish() {
  using Code = MinuteCode<Sums>;
  FLUORO_CHECK_OK(FlushChunk());
  std::string bytes;
  ByteWriter out(bytes);
  out.PutU8(kMinuteVersion);
  out.PutSigned(table_.first_ns);
  out.PutSigned(table_.last_ns);
  Code::PutSeries(table_.total, out);
  out.PutVarint(table_.chunks.size());
  for (const MinuteChunk& chunk : table_.chunks) {
    out.PutSigned(chunk.first_minute_ns);
    out.PutSigned(chunk.last_minute_ns);
    out.PutVarint(chunk.rows);
  }
  const auto rows = table_.total.Rows();
  out.PutVarint(rows.size());
  for (const auto& row : rows) {
    out.PutVarint(row.series);
    Code::PutCell(*row.cell, 0, out);
  }
  return bytes;
}

template <class Sums>
Result<MinuteTable<Sums>> DecodeMinuteTable(std::string_view bytes) {
  using Code = MinuteCode<Sums>;
  if (bytes.size() > kMinuteBytesMax) return BadMinutes<Sums>("too long");
  ByteReader in(bytes);
  MinuteTable<Sums> table;
  table.total = Code::EmptyTotal(true);
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version != kMinuteVersion) {
    return Fail(ErrorCode::kUnsupported,
                std::string(Code::kName).append("version ").append(std::to_string(version)));
  }
  FLUORO_TRY(table.first_ns, in.TakeSigned());
  FLUORO_TRY(table.last_ns, in.TakeSigned());
  FLUORO_CHECK_OK(Code::TakeSeries(in, table.total));
  FLUORO_TRY(const std::uint64_t chunks, in.TakeCount(in.left() / 3));
  table.chunks.resize(chunks);
  for (MinuteChunk& chunk : table.chunks) {
    FLUORO_TRY(chunk.first_minute_ns, in.TakeSigned());
    FLUORO_TRY(chunk.last_minute_ns, in.TakeSigned());
    FLUORO_TRY(const std::uint64_t rows, in.TakeCount(kMinuteChunkRowsMax));
    chunk.rows = static_cast<std::uint32_t>(rows);
  }
  const std::size_t series = table.total.series().size();
  FLUORO_TRY(const std::uint64_t rows, in.TakeCount(series));
  for (std::uint64_t i = 0; i < rows; ++i) {
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= series) return BadMinutes<Sums>("no such series");
    FLUORO_TRY(const typename Code::Cell cell, Code::TakeCell(in, 0));
    const auto place = static_cast<std::uint32_t>(number);
    Code::Merge(table.total.At(0, place), cell, table.total, place);
  }
  if (!in.done()) return BadMinutes<Sums>("bytes behind its end");
  return table;
}

template <class Sums>
Result<void> AddMinuteChunk(std::string_view bytes, const MinuteTable<Sums>& table,
                            std::size_t chunk, const rollup::RollupWindow& minutes,
                            std::vector<std::uint32_t>& numbers, Sums& to) {
  using Code = MinuteCode<Sums>;
  if (bytes.size() > kMinuteBytesMax) return BadMinutes<Sums>("too long");
  numbers.resize(table.total.series().size(), UINT32_MAX);
  ByteReader in(bytes);
  std::int64_t minute_ns = table.chunks[chunk].first_minute_ns;
  for (std::uint32_t row = 0; row < table.chunks[chunk].rows; ++row) {
    FLUORO_TRY(const std::uint64_t step, in.TakeVarint());
    minute_ns = WrapAdd(
        minute_ns, static_cast<std::int64_t>(step * static_cast<std::uint64_t>(rollup::kMinuteNs)));
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= numbers.size()) return BadMinutes<Sums>("no such series");
    FLUORO_TRY(const typename Code::Cell cell, Code::TakeCell(in, minute_ns));
    if (!minutes.Holds(minute_ns)) continue;
    const auto series = static_cast<std::uint32_t>(number);
    std::uint32_t& adopted = numbers[series];
    if (adopted == UINT32_MAX) adopted = to.Adopt(table.total, series);
    Code::Merge(to.At(minute_ns, adopted), cell, table.total, series);
  }
  if (!in.done()) return BadMinutes<Sums>("bytes behind its end");
  return {};
}

}  // namespace fluoro::store
