#include "store/embedded/trace_pages.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "store/embedded/columns.h"

namespace fluoro::store {
namespace {

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorruption, std::string("trace table: ") + what);
}

template <class Get>
void PutInts(std::span<const TraceEntry> traces, std::string& bytes, const Get& get) {
  std::vector<std::uint64_t> column(traces.size());
  for (std::size_t i = 0; i < traces.size(); ++i) column[i] = get(i);
  EncodeInts(column, bytes);
}

// The first half of an id as a number that sorts as the id does.
std::uint64_t HighOf(const model::TraceId& id) {
  std::uint64_t high = 0;
  std::memcpy(&high, id.bytes.data(), 8);
  return std::byteswap(high);
}

void SetHigh(std::uint64_t high, model::TraceId& id) {
  high = std::byteswap(high);
  std::memcpy(id.bytes.data(), &high, 8);
}

}  // namespace

std::string EncodeTracePage(std::span<const TraceEntry> traces, std::uint64_t block_lsn) {
  std::string bytes;
  ByteWriter out(bytes);
  const TraceEntry& first = traces.front();
  out.PutSigned(first.start_ns);
  out.PutSigned(first.first_arrival_ns);
  out.PutVarint(first.first_row);
  PutInts(traces, bytes, [&](std::size_t i) {
    return static_cast<std::uint64_t>(
        WrapSub(traces[i].start_ns, traces[i == 0 ? 0 : i - 1].start_ns));
  });
  PutInts(traces, bytes, [&](std::size_t i) {
    return static_cast<std::uint64_t>(WrapSub(traces[i].end_ns, traces[i].start_ns));
  });
  PutInts(traces, bytes, [&](std::size_t i) {
    return ZigZag(WrapSub(traces[i].first_arrival_ns, first.first_arrival_ns));
  });
  PutInts(traces, bytes, [&](std::size_t i) {
    return static_cast<std::uint64_t>(
        WrapSub(traces[i].last_arrival_ns, traces[i].first_arrival_ns));
  });
  PutInts(traces, bytes, [&](std::size_t i) { return std::uint64_t{traces[i].rows}; });
  PutInts(traces, bytes, [&](std::size_t i) {
    const std::uint64_t expected =
        i == 0 ? first.first_row : traces[i - 1].first_row + traces[i - 1].rows;
    return ZigZag(static_cast<std::int64_t>(traces[i].first_row - expected));
  });
  PutInts(traces, bytes, [&](std::size_t i) { return std::uint64_t{traces[i].appends}; });
  PutInts(traces, bytes, [&](std::size_t i) { return std::uint64_t{traces[i].flags}; });
  PutInts(traces, bytes, [&](std::size_t i) { return block_lsn - traces[i].sealed_lsn; });
  PutInts(traces, bytes, [&](std::size_t i) { return std::uint64_t{traces[i].kept}; });
  return bytes;
}

Result<void> DecodeTracePage(std::string_view bytes, const TracePageBounds& bounds,
                             std::span<TraceEntry> traces) {
  constexpr std::uint64_t kU32 = std::uint64_t{1} << 32;
  ByteReader in(bytes);
  FLUORO_TRY(const std::int64_t start_ns, in.TakeSigned());
  FLUORO_TRY(const std::int64_t arrival_ns, in.TakeSigned());
  FLUORO_TRY(std::uint64_t row, in.TakeVarint());
  std::vector<std::uint64_t> column(traces.size());
  FLUORO_CHECK_OK(DecodeInts(in, column));
  std::int64_t before = start_ns;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    traces[i].start_ns = WrapAdd(before, static_cast<std::int64_t>(column[i]));
    if (traces[i].start_ns < before) return Bad("its traces are not in order");
    before = traces[i].start_ns;
  }
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].end_ns = WrapAdd(traces[i].start_ns, static_cast<std::int64_t>(column[i]));
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].first_arrival_ns = WrapAdd(arrival_ns, UnZigZag(column[i]));
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    traces[i].last_arrival_ns =
        WrapAdd(traces[i].first_arrival_ns, static_cast<std::int64_t>(column[i]));
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, std::min(bounds.rows + 1, kU32), column));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    if (column[i] == 0) return Bad("a trace has no rows");
    traces[i].rows = static_cast<std::uint32_t>(column[i]);
  }
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    TraceEntry& trace = traces[i];
    trace.first_row = row + static_cast<std::uint64_t>(UnZigZag(column[i]));
    if (trace.first_row > bounds.rows || trace.rows > bounds.rows - trace.first_row)
      return Bad("its traces do not fit its rows");
    row = trace.first_row + trace.rows;
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, kU32, column));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].appends = static_cast<std::uint32_t>(column[i]);
  FLUORO_CHECK_OK(DecodeIntsBelow(in, kU32, column));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].flags = static_cast<std::uint32_t>(column[i]);
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    if (column[i] > bounds.block_lsn) return Bad("a trace's sealed LSN is below zero");
    traces[i].sealed_lsn = bounds.block_lsn - column[i];
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, std::min(bounds.reasons + 1, kU32), column));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].kept = static_cast<std::uint32_t>(column[i]);
  if (!in.done()) return Bad("a page is longer than its traces");
  return {};
}

std::string EncodeIdPage(const IdPage& page) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(HighOf(page.ids.front()));
  std::vector<std::uint64_t> column(page.ids.size());
  for (std::size_t i = 1; i < column.size(); ++i)
    column[i] = HighOf(page.ids[i]) - HighOf(page.ids[i - 1]);
  EncodeInts(column, bytes);
  for (const model::TraceId& id : page.ids) out.PutRaw(id.bytes.data() + 8, 8);
  EncodeInts(page.places, bytes);
  return bytes;
}

Result<IdPage> DecodeIdPage(std::string_view bytes, std::size_t count, std::uint64_t traces) {
  ByteReader in(bytes);
  IdPage page;
  page.ids.resize(count);
  page.places.resize(count);
  FLUORO_TRY(std::uint64_t high, in.TakeFixed64());
  std::vector<std::uint64_t> column(count);
  FLUORO_CHECK_OK(DecodeInts(in, column));
  FLUORO_TRY(const std::string_view low, in.Take(std::uint64_t{8} * count));
  for (std::size_t i = 0; i < count; ++i) {
    high += column[i];
    SetHigh(high, page.ids[i]);
    std::memcpy(page.ids[i].bytes.data() + 8, low.data() + 8 * i, 8);
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, traces, column));
  for (std::size_t i = 0; i < count; ++i) {
    page.places[i] = static_cast<std::uint32_t>(column[i]);
    if (i > 0 &&
        std::tie(page.ids[i], page.places[i]) <= std::tie(page.ids[i - 1], page.places[i - 1]))
      return Bad("its ids are not in order");
  }
  if (!in.done()) return Bad("a page is longer than its ids");
  return page;
}

std::pair<std::size_t, std::size_t> PagesOf(std::span<const model::TraceId> first_ids,
                                            const model::TraceId& id) {
  const auto [first, last] = std::ranges::equal_range(first_ids, id);
  const auto before = static_cast<std::size_t>(first - first_ids.begin());
  return {before == 0 ? 0 : before - 1, static_cast<std::size_t>(last - first_ids.begin())};
}

}  // namespace fluoro::store
