#include "store/embedded/rollup_section.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "store/embedded/bytes.h"
#include "store/embedded/counts_code.h"

namespace fluoro::store {
namespace {

using rollup::Cell;
using rollup::DurationCounts;
using rollup::kMinuteNs;
using rollup::Rollup;
using rollup::Series;
using rollup::SeriesKind;

constexpr std::uint8_t kVersion = 1;
// Minutes this far apart do not share a chunk, so that a chunk covers a short time.
constexpr std::int64_t kChunkGapNs = 60 * kMinuteNs;

// Bits of a cell's mask, in the order of its fields.
constexpr std::size_t kFields = 8;
constexpr std::uint64_t kExtent = 1U << kFields;
constexpr std::uint64_t kTimes = kExtent << 1;
constexpr std::uint64_t kSecond = kExtent << 2;

std::array<std::int64_t*, kFields> FieldsOf(Cell& cell) {
  return {&cell.seen,  &cell.ok,   &cell.error,     &cell.throttle,
          &cell.fault, &cell.real, &cell.from_real, &cell.response_ns};
}

void PutCell(const Cell& cell, std::int64_t period_ns, ByteWriter& out) {
  Cell copy{.seen = cell.seen,
            .ok = cell.ok,
            .error = cell.error,
            .throttle = cell.throttle,
            .fault = cell.fault,
            .real = cell.real,
            .from_real = cell.from_real,
            .response_ns = cell.response_ns,
            .times = {},
            .second = nullptr};
  const auto fields = FieldsOf(copy);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kFields; ++i) mask |= *fields[i] != 0 ? std::uint64_t{1} << i : 0;
  if (cell.start_ns <= cell.end_ns) mask |= kExtent;
  if (!cell.times.IsZero()) mask |= kTimes;
  if (cell.second != nullptr) mask |= kSecond;
  out.PutVarint(mask);
  for (const std::int64_t* field : fields) {
    if (*field != 0) out.PutSigned(*field);
  }
  if ((mask & kExtent) != 0) {
    out.PutSigned(WrapSub(cell.start_ns, period_ns));
    out.PutSigned(WrapSub(cell.end_ns, cell.start_ns));
  }
  if ((mask & kTimes) != 0) PutCounts(cell.times, out);
  if ((mask & kSecond) != 0) PutCounts(*cell.second, out);
}

Result<Cell> TakeCell(ByteReader& in, std::int64_t period_ns) {
  Cell cell;
  FLUORO_TRY(const std::uint64_t mask, in.TakeCount(2 * kSecond - 1));
  const auto fields = FieldsOf(cell);
  for (std::size_t i = 0; i < kFields; ++i) {
    if ((mask >> i & 1) == 0) continue;
    FLUORO_TRY(*fields[i], in.TakeSigned());
  }
  if ((mask & kExtent) != 0) {
    FLUORO_TRY(const std::int64_t start, in.TakeSigned());
    FLUORO_TRY(const std::int64_t length, in.TakeSigned());
    cell.start_ns = WrapAdd(period_ns, start);
    cell.end_ns = WrapAdd(cell.start_ns, length);
  }
  if ((mask & kTimes) != 0) {
    FLUORO_TRY(cell.times, TakeCounts(in));
  }
  if ((mask & kSecond) != 0) {
    FLUORO_TRY(DurationCounts second, TakeCounts(in));
    cell.second = std::make_unique<DurationCounts>(std::move(second));
  }
  return cell;
}

void PutKeys(const Rollup& total, ByteWriter& out) {
  const rollup::KeyTable& keys = total.keys();
  out.PutVarint(keys.texts());
  for (rollup::TextId text = 0; text < keys.texts(); ++text) out.PutText(keys.TextAt(text));
  out.PutVarint(keys.size());
  for (rollup::KeyId key = 0; key < keys.size(); ++key) {
    out.PutVarint(keys.At(key).name);
    out.PutVarint(keys.At(key).type);
    out.PutVarint(keys.At(key).account);
  }
  out.PutVarint(total.series().size());
  for (const Series& series : total.series()) {
    out.PutU8(static_cast<std::uint8_t>(series.kind));
    out.PutU8(static_cast<std::uint8_t>((series.client ? 1 : 0) | (series.link ? 2 : 0)));
    out.PutVarint(series.from);
    out.PutVarint(series.to);
    out.PutVarint(series.alias);
  }
}

// Numbers are given anew, in the same order: what repeats is damage.
Result<void> TakeKeys(ByteReader& in, Rollup& total) {
  rollup::KeyTable& keys = total.keys();
  FLUORO_TRY(const std::uint64_t texts, in.TakeCount(in.left()));
  for (std::uint64_t i = 0; i < texts; ++i) {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    if (keys.Text(text) != i) return Fail(ErrorCode::kCorruption, "rollup: a text repeats");
  }
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left()));
  for (std::uint64_t i = 0; i < count; ++i) {
    rollup::KeyTable::Key key;
    for (rollup::TextId* part : {&key.name, &key.type, &key.account}) {
      FLUORO_TRY(const std::uint64_t text, in.TakeVarint());
      if (text >= texts) return Fail(ErrorCode::kCorruption, "rollup: no such text");
      *part = static_cast<rollup::TextId>(text);
    }
    if (keys.Find(key) != i) return Fail(ErrorCode::kCorruption, "rollup: a key repeats");
  }
  FLUORO_TRY(const std::uint64_t series_count, in.TakeCount(kRollupSeriesMax));
  for (std::uint64_t i = 0; i < series_count; ++i) {
    Series series;
    FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
    FLUORO_TRY(const std::uint8_t flags, in.TakeU8());
    FLUORO_TRY(const std::uint64_t from, in.TakeVarint());
    FLUORO_TRY(const std::uint64_t to, in.TakeVarint());
    FLUORO_TRY(const std::uint64_t alias, in.TakeVarint());
    const auto is_key = [&](std::uint64_t key) { return key < count || (key == 0 && count == 0); };
    if (!is_key(from) || !is_key(to) || (alias != 0 && alias >= texts))
      return Fail(ErrorCode::kCorruption, "rollup: no such key");
    series.kind = static_cast<SeriesKind>(kind);
    series.client = (flags & 1) != 0;
    series.link = (flags & 2) != 0;
    series.from = static_cast<rollup::KeyId>(from);
    series.to = static_cast<rollup::KeyId>(to);
    series.alias = static_cast<rollup::TextId>(alias);
    const bool keyless = kind == static_cast<std::uint8_t>(SeriesKind::kOther);
    if (count == 0 && !keyless) return Fail(ErrorCode::kCorruption, "rollup: no such key");
    if (total.FindSeries(series) != i)
      return Fail(ErrorCode::kCorruption, "rollup: a series repeats");
  }
  return {};
}

}  // namespace

RollupEncoder::RollupEncoder(Put put) : put_(std::move(put)) {
  table_.total = Rollup(0, {.series_per_period_max = kRollupSeriesMax});
}

Result<void> RollupEncoder::Add(const Rollup& minutes) {
  AddExtent(minutes.first_ns(), minutes.last_ns());
  std::vector<std::uint32_t> numbers(minutes.series().size(), UINT32_MAX);
  std::int64_t before_ns = chunk_last_ns_;
  for (const Rollup::Row& row : minutes.Rows()) {
    std::uint32_t& number = numbers[row.series];
    if (number == UINT32_MAX) {
      number = table_.total.series().size() < kRollupSeriesMax
                   ? table_.total.Adopt(minutes, row.series)
                   : table_.total.FindSeries({.kind = SeriesKind::kOther});
    }
    if (chunk_rows_ > 0 && row.period_ns != before_ns &&
        (chunk_rows_ >= kRollupChunkRowsMax / 2 ||
         WrapSub(row.period_ns, before_ns) > kChunkGapNs)) {
      FLUORO_CHECK_OK(FlushChunk());
    }
    if (chunk_rows_ >= kRollupChunkRowsMax) FLUORO_CHECK_OK(FlushChunk());
    if (chunk_rows_ == 0) before_ns = chunk_first_ns_ = row.period_ns;
    FLUORO_ASSERT(row.period_ns >= before_ns);
    ByteWriter out(chunk_);
    out.PutVarint(static_cast<std::uint64_t>(WrapSub(row.period_ns, before_ns)) /
                  static_cast<std::uint64_t>(kMinuteNs));
    out.PutVarint(number);
    PutCell(*row.cell, row.period_ns, out);
    before_ns = chunk_last_ns_ = row.period_ns;
    ++chunk_rows_;
    table_.total.At(0, number).Merge(*row.cell, minutes.series()[row.series].kind);
  }
  return {};
}

void RollupEncoder::AddExtent(std::int64_t first_ns, std::int64_t last_ns) {
  table_.first_ns = std::min(table_.first_ns, first_ns);
  table_.last_ns = std::max(table_.last_ns, last_ns);
}

Result<void> RollupEncoder::FlushChunk() {
  if (chunk_rows_ == 0) return {};
  FLUORO_CHECK_OK(put_(static_cast<std::uint32_t>(table_.chunks.size()), chunk_));
  table_.chunks.push_back(
      {.first_minute_ns = chunk_first_ns_, .last_minute_ns = chunk_last_ns_, .rows = chunk_rows_});
  chunk_.clear();
  chunk_rows_ = 0;
  return {};
}

Result<std::string> RollupEncoder::Finish() {
  FLUORO_CHECK_OK(FlushChunk());
  std::string bytes;
  ByteWriter out(bytes);
  out.PutU8(kVersion);
  out.PutSigned(table_.first_ns);
  out.PutSigned(table_.last_ns);
  PutKeys(table_.total, out);
  out.PutVarint(table_.chunks.size());
  for (const RollupTable::Chunk& chunk : table_.chunks) {
    out.PutSigned(chunk.first_minute_ns);
    out.PutSigned(chunk.last_minute_ns);
    out.PutVarint(chunk.rows);
  }
  const auto rows = table_.total.Rows();
  out.PutVarint(rows.size());
  for (const Rollup::Row& row : rows) {
    out.PutVarint(row.series);
    PutCell(*row.cell, 0, out);
  }
  return bytes;
}

Result<RollupTable> DecodeRollupTable(std::string_view bytes) {
  if (bytes.size() > kRollupBytesMax) return Fail(ErrorCode::kCorruption, "rollup: too long");
  ByteReader in(bytes);
  RollupTable table;
  table.total = Rollup(0, {.series_per_period_max = kRollupSeriesMax});
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version != kVersion) {
    return Fail(ErrorCode::kUnsupported, "rollup: version " + std::to_string(version));
  }
  FLUORO_TRY(table.first_ns, in.TakeSigned());
  FLUORO_TRY(table.last_ns, in.TakeSigned());
  FLUORO_CHECK_OK(TakeKeys(in, table.total));
  FLUORO_TRY(const std::uint64_t chunks, in.TakeCount(in.left() / 3));
  table.chunks.resize(chunks);
  for (RollupTable::Chunk& chunk : table.chunks) {
    FLUORO_TRY(chunk.first_minute_ns, in.TakeSigned());
    FLUORO_TRY(chunk.last_minute_ns, in.TakeSigned());
    FLUORO_TRY(const std::uint64_t rows, in.TakeCount(kRollupChunkRowsMax));
    chunk.rows = static_cast<std::uint32_t>(rows);
  }
  const std::size_t series = table.total.series().size();
  FLUORO_TRY(const std::uint64_t rows, in.TakeCount(series));
  for (std::uint64_t i = 0; i < rows; ++i) {
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= series) return Fail(ErrorCode::kCorruption, "rollup: no such series");
    FLUORO_TRY(const Cell cell, TakeCell(in, 0));
    table.total.At(0, static_cast<std::uint32_t>(number))
        .Merge(cell, table.total.series()[number].kind);
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "rollup: bytes behind its end");
  return table;
}

Result<void> AddRollupChunk(std::string_view bytes, const RollupTable& table, std::size_t chunk,
                            const rollup::RollupWindow& minutes,
                            std::vector<std::uint32_t>& numbers, Rollup& to) {
  if (bytes.size() > kRollupBytesMax) return Fail(ErrorCode::kCorruption, "rollup: too long");
  const std::vector<Series>& series = table.total.series();
  numbers.resize(series.size(), UINT32_MAX);
  ByteReader in(bytes);
  std::int64_t minute_ns = table.chunks[chunk].first_minute_ns;
  for (std::uint32_t row = 0; row < table.chunks[chunk].rows; ++row) {
    FLUORO_TRY(const std::uint64_t step, in.TakeVarint());
    minute_ns =
        WrapAdd(minute_ns, static_cast<std::int64_t>(step * static_cast<std::uint64_t>(kMinuteNs)));
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    if (number >= series.size()) return Fail(ErrorCode::kCorruption, "rollup: no such series");
    FLUORO_TRY(const Cell cell, TakeCell(in, minute_ns));
    if (!minutes.Holds(minute_ns)) continue;
    std::uint32_t& adopted = numbers[number];
    if (adopted == UINT32_MAX) adopted = to.Adopt(table.total, static_cast<std::uint32_t>(number));
    to.At(minute_ns, adopted).Merge(cell, series[number].kind);
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "rollup: bytes behind its end");
  return {};
}

}  // namespace fluoro::store
