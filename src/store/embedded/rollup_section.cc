#include "store/embedded/rollup_section.h"

#include <array>

#include "store/embedded/counts_code.h"
#include "store/embedded/minute_section_code.h"

namespace fluoro::store {

using rollup::DurationCounts;
using rollup::Rollup;
using rollup::Series;
using rollup::SeriesKind;

namespace {

// Bits of a cell's mask, in the order of its fields.
constexpr std::size_t kFields = 8;
constexpr std::uint64_t kExtent = 1U << kFields;
constexpr std::uint64_t kTimes = kExtent << 1;
constexpr std::uint64_t kSecond = kExtent << 2;

// `Cell`: const or not.
template <class Cell>
auto FieldsOf(Cell& cell) {
  return std::array{&cell.seen,  &cell.ok,   &cell.error,     &cell.throttle,
                    &cell.fault, &cell.real, &cell.from_real, &cell.response_ns};
}

std::unexpected<Error> Bad(std::string_view what) { return BadMinutes<Rollup>(what); }

}  // namespace

template <>
struct MinuteCode<Rollup> {
  static constexpr std::string_view kName = "rollup: ";
  using Cell = rollup::Cell;

  static Rollup EmptyTotal(bool) { return Rollup(0, {.series_per_period_max = kMinuteSeriesMax}); }

  static std::uint32_t Adopt(Rollup& total, const Rollup& from, std::uint32_t series) {
    // One place is that of kOther.
    return total.series().size() + 1 < kMinuteSeriesMax
               ? total.Adopt(from, series)
               : total.FindSeries({.kind = SeriesKind::kOther});
  }

  static void Merge(Cell& to, const Cell& cell, const Rollup& from, std::uint32_t series) {
    to.Merge(cell, from.series()[series].kind);
  }

  static void PutCell(const Cell& cell, std::int64_t minute_ns, ByteWriter& out) {
    const auto fields = FieldsOf(cell);
    std::uint64_t mask = MaskOfFields(fields);
    if (cell.start_ns <= cell.end_ns) mask |= kExtent;
    if (!cell.times.IsZero()) mask |= kTimes;
    if (cell.second != nullptr) mask |= kSecond;
    out.PutVarint(mask);
    PutFields(fields, out);
    if ((mask & kExtent) != 0) {
      out.PutSigned(WrapSub(cell.start_ns, minute_ns));
      out.PutSigned(WrapSub(cell.end_ns, cell.start_ns));
    }
    if ((mask & kTimes) != 0) PutCounts(cell.times, out);
    if ((mask & kSecond) != 0) PutCounts(*cell.second, out);
  }

  static Result<Cell> TakeCell(ByteReader& in, std::int64_t minute_ns) {
    Cell cell;
    FLUORO_TRY(const std::uint64_t mask, in.TakeCount(2 * kSecond - 1));
    FLUORO_CHECK_OK(TakeFields(in, mask, FieldsOf(cell)));
    if ((mask & kExtent) != 0) {
      FLUORO_TRY(const std::int64_t start, in.TakeSigned());
      FLUORO_TRY(const std::int64_t length, in.TakeSigned());
      cell.start_ns = WrapAdd(minute_ns, start);
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

  static void PutSeries(const Rollup& total, ByteWriter& out) {
    const rollup::KeyTable& keys = total.keys();
    PutMinuteTexts(keys, out);
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

  static Result<void> TakeSeries(ByteReader& in, Rollup& total) {
    rollup::KeyTable& keys = total.keys();
    FLUORO_TRY(const std::uint64_t texts, TakeMinuteTexts<Rollup>(in, keys));
    FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left()));
    for (std::uint64_t i = 0; i < count; ++i) {
      rollup::KeyTable::Key key;
      for (rollup::TextId* part : {&key.name, &key.type, &key.account}) {
        FLUORO_TRY(const std::uint64_t text, in.TakeVarint());
        if (text >= texts) return Bad("no such text");
        *part = static_cast<rollup::TextId>(text);
      }
      if (keys.Find(key) != i) return Bad("a key repeats");
    }
    FLUORO_TRY(const std::uint64_t series_count, in.TakeCount(kMinuteSeriesMax));
    for (std::uint64_t i = 0; i < series_count; ++i) {
      FLUORO_TRY(const Series series, TakeOne(in, texts, count));
      if (total.FindSeries(series) != i) return Bad("a series repeats");
    }
    return {};
  }

 private:
  static Result<Series> TakeOne(ByteReader& in, std::uint64_t texts, std::uint64_t keys) {
    FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
    FLUORO_TRY(const std::uint8_t flags, in.TakeU8());
    FLUORO_TRY(const std::uint64_t from, in.TakeVarint());
    FLUORO_TRY(const std::uint64_t to, in.TakeVarint());
    FLUORO_TRY(const std::uint64_t alias, in.TakeVarint());
    const auto is_key = [keys](std::uint64_t key) { return key < keys || (key == 0 && keys == 0); };
    if (!is_key(from) || !is_key(to) || (alias != 0 && alias >= texts)) return Bad("no such key");
    const bool keyless = kind == static_cast<std::uint8_t>(SeriesKind::kOther);
    if (keys == 0 && !keyless) return Bad("no such key");
    return Series{.kind = static_cast<SeriesKind>(kind),
                  .client = (flags & 1) != 0,
                  .link = (flags & 2) != 0,
                  .from = static_cast<rollup::KeyId>(from),
                  .to = static_cast<rollup::KeyId>(to),
                  .alias = static_cast<rollup::TextId>(alias)};
  }
};

template class MinuteEncoder<Rollup>;
template Result<RollupTable> DecodeMinuteTable(std::string_view bytes);
template Result<void> AddMinuteChunk(std::string_view bytes, const RollupTable& table,
                                     std::size_t chunk, const rollup::RollupWindow& minutes,
                                     std::vector<std::uint32_t>& numbers, Rollup& to);

}  // namespace fluoro::store
