#include "store/embedded/call_section.h"

#include <algorithm>
#include <array>
#include <span>

#include "store/embedded/counts_code.h"
#include "store/embedded/minute_section_code.h"

namespace fluoro::store {

using rollup::CallBill;
using rollup::CallSeries;
using rollup::CallSums;

namespace {

// Bits of a cell's mask, in the order of its fields.
constexpr std::size_t kFields = 12;
constexpr std::uint64_t kTimes = 1U << kFields;
constexpr std::size_t kLaterFields = 5;
constexpr std::uint64_t kFirstTokens = kTimes << (kLaterFields + 1);

// `Cell`: const or not.
template <class Cell>
auto FieldsOf(Cell& cell) {
  return std::array{&cell.calls,
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
template <class Cell>
auto LaterFieldsOf(Cell& cell) {
  return std::array{&cell.cache_write_1h_tokens, &cell.engine_ns, &cell.milli_units, &cell.streamed,
                    &cell.first_token_ns};
}

// Bits of a series' flags.
constexpr std::uint8_t kStated = 1;
constexpr std::uint8_t kHasMore = 2;
constexpr std::uint8_t kBillShift = 2;  // of rollup::CallBill; 0 if kStated
// Texts of a series without more.
constexpr std::size_t kFirstTexts = 5;
constexpr std::uint8_t kPromptClassMax = genai::kPromptClassBounds.size();

std::unexpected<Error> Bad(std::string_view what) { return BadMinutes<CallSums>(what); }

}  // namespace

template <>
struct MinuteCode<CallSums> {
  static constexpr std::string_view kName = "calls: ";
  using Cell = rollup::CallCell;

  // Written are half as many as a reader takes; kOther comes on top of both.
  static CallSums EmptyTotal(bool reads) {
    return CallSums(0, rollup::kByAllDimensions,
                    {.series_per_period_max = kMinuteSeriesMax,
                     .cells_max = SIZE_MAX,
                     .series_max = reads ? kMinuteSeriesMax : kMinuteSeriesMax / 2});
  }

  static std::uint32_t Adopt(CallSums& total, const CallSums& from, std::uint32_t series) {
    return total.Adopt(from, series);
  }

  static void Merge(Cell& to, const Cell& cell, const CallSums&, std::uint32_t) { to.Merge(cell); }

  static void PutCell(const Cell& cell, std::int64_t, ByteWriter& out) {
    const auto fields = FieldsOf(cell);
    const auto later = LaterFieldsOf(cell);
    std::uint64_t mask = MaskOfFields(fields) | MaskOfFields(later) << (kFields + 1);
    if (!cell.times.IsZero()) mask |= kTimes;
    if (!cell.first_tokens.IsZero()) mask |= kFirstTokens;
    out.PutVarint(mask);
    PutFields(fields, out);
    if ((mask & kTimes) != 0) PutCounts(cell.times, out);
    PutFields(later, out);
    if ((mask & kFirstTokens) != 0) PutCounts(cell.first_tokens, out);
  }

  static Result<Cell> TakeCell(ByteReader& in, std::int64_t) {
    Cell cell;
    FLUORO_TRY(const std::uint64_t mask, in.TakeCount(2 * kFirstTokens - 1));
    FLUORO_CHECK_OK(TakeFields(in, mask, FieldsOf(cell)));
    if ((mask & kTimes) != 0) {
      FLUORO_TRY(cell.times, TakeCounts(in));
    }
    FLUORO_CHECK_OK(TakeFields(in, mask >> (kFields + 1), LaterFieldsOf(cell)));
    if ((mask & kFirstTokens) != 0) {
      FLUORO_TRY(cell.first_tokens, TakeCounts(in));
    }
    return cell;
  }

  static void PutSeries(const CallSums& total, ByteWriter& out) {
    PutMinuteTexts(total, out);
    out.PutVarint(total.series().size());
    for (const CallSeries& series : total.series()) {
      const auto later = std::span(series.texts).subspan(kFirstTexts);
      const bool more = series.prompt_class != 0 ||
                        std::ranges::any_of(later, [](rollup::TextId text) { return text != 0; });
      out.PutU8(series.kind);
      const auto bill = series.bill == CallBill::kStated
                            ? kStated
                            : static_cast<unsigned>(series.bill) << kBillShift;
      out.PutU8(static_cast<std::uint8_t>(bill | (more ? kHasMore : 0U)));
      for (std::size_t i = 0; i < (more ? series.texts.size() : kFirstTexts); ++i)
        out.PutVarint(series.texts[i]);
      if (more) out.PutU8(series.prompt_class);
    }
  }

  static Result<void> TakeSeries(ByteReader& in, CallSums& total) {
    FLUORO_TRY(const std::uint64_t texts, TakeMinuteTexts<CallSums>(in, total));
    FLUORO_TRY(const std::uint64_t count, in.TakeCount(kMinuteSeriesMax));
    for (std::uint64_t i = 0; i < count; ++i) {
      CallSeries series;
      FLUORO_TRY(series.kind, in.TakeU8());
      FLUORO_TRY(const std::uint8_t flags, in.TakeU8());
      if ((flags >> kBillShift) >= rollup::kCallBills) return Bad("no such bill");
      series.bill =
          (flags & kStated) != 0 ? CallBill::kStated : static_cast<CallBill>(flags >> kBillShift);
      const bool more = (flags & kHasMore) != 0;
      for (std::size_t part = 0; part < (more ? series.texts.size() : kFirstTexts); ++part) {
        FLUORO_TRY(const std::uint64_t text, in.TakeVarint());
        if (text >= texts) return Bad("no such text");
        series.texts[part] = static_cast<rollup::TextId>(text);
      }
      if (more) {
        FLUORO_TRY(series.prompt_class, in.TakeU8());
        if (series.prompt_class > kPromptClassMax) return Bad("no such size of prompts");
      }
      if (total.FindSeries(series) != i) return Bad("a series repeats");
    }
    return {};
  }
};

template class MinuteEncoder<CallSums>;
template Result<CallTable> DecodeMinuteTable(std::string_view bytes);
template Result<void> AddMinuteChunk(std::string_view bytes, const CallTable& table,
                                     std::size_t chunk, const rollup::RollupWindow& minutes,
                                     std::vector<std::uint32_t>& numbers, CallSums& to);

}  // namespace fluoro::store
