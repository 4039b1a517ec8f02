#include "store/embedded/reference_traces_for_test.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

std::uint64_t InPage(const Block& block, std::uint64_t page, std::uint64_t traces) {
  return std::min(block.page_traces, traces - page * block.page_traces);
}

}  // namespace

Result<void> ReadTraces(const std::string& bytes, std::uint64_t count, bool placed, Block& block) {
  Cursor in(bytes);
  block.traces.resize(count);
  for (Trace& trace : block.traces) trace.id = TakeId<model::TraceId>(in);
  std::int64_t before = 0;
  const auto starts = Ints(in, count, block.seen);
  const auto durations = Ints(in, count, block.seen);
  const std::int64_t arrival = in.Signed();
  const auto first = Ints(in, count, block.seen);
  const auto last = Ints(in, count, block.seen);
  const auto rows = Ints(in, count, block.seen);
  const auto appends = Ints(in, count, block.seen);
  const auto flags = Ints(in, count, block.seen);
  const auto places = placed ? Ints(in, count, block.seen) : std::vector<std::uint64_t>(count);
  if (in.failed() || !in.done()) return Wrong("the trace table");
  std::int64_t row = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    Trace& trace = block.traces[i];
    before = trace.start_ns = Plus(before, starts[i]);
    trace.end_ns = Plus(trace.start_ns, durations[i]);
    trace.first_arrival_ns = Plus(arrival, static_cast<std::uint64_t>(Cursor::UnZigZag(first[i])));
    trace.last_arrival_ns = Plus(trace.first_arrival_ns, last[i]);
    trace.rows = rows[i];
    row += Cursor::UnZigZag(places[i]);
    trace.first_row = static_cast<std::uint64_t>(row);
    row += static_cast<std::int64_t>(rows[i]);
    trace.appends = appends[i];
    trace.flags = flags[i];
    trace.sealed_lsn = block.sealed_lsn;
  }
  return {};
}

Result<void> ReadTracePage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                           Block& block, std::vector<std::uint64_t>& codes) {
  if (page >= block.page_ids.size() || block.traces.size() != page * block.page_traces)
    return Wrong("a page of the trace table");
  const std::uint64_t count = InPage(block, page, traces);
  Cursor in(bytes);
  std::int64_t start = in.Signed();
  const std::int64_t arrival = in.Signed();
  std::uint64_t row = in.Varint();
  const auto starts = Ints(in, count, block.seen);
  const auto durations = Ints(in, count, block.seen);
  const auto first = Ints(in, count, block.seen);
  const auto last = Ints(in, count, block.seen);
  const auto rows = Ints(in, count, block.seen);
  const auto places = Ints(in, count, block.seen);
  const auto appends = Ints(in, count, block.seen);
  const auto flags = Ints(in, count, block.seen);
  const auto behind = Ints(in, count, block.seen);
  const auto kept = Ints(in, count, block.seen);
  if (in.failed() || !in.done()) return Wrong("a page of the trace table");
  for (std::uint64_t i = 0; i < count; ++i) {
    Trace& trace = block.traces.emplace_back();
    start = trace.start_ns = Plus(start, starts[i]);
    trace.end_ns = Plus(start, durations[i]);
    trace.first_arrival_ns = Plus(arrival, static_cast<std::uint64_t>(Cursor::UnZigZag(first[i])));
    trace.last_arrival_ns = Plus(trace.first_arrival_ns, last[i]);
    trace.rows = rows[i];
    trace.first_row = row + static_cast<std::uint64_t>(Cursor::UnZigZag(places[i]));
    row = trace.first_row + trace.rows;
    trace.appends = appends[i];
    trace.flags = flags[i];
    trace.sealed_lsn = block.sealed_lsn - behind[i];
    codes.push_back(kept[i]);
  }
  return {};
}

Result<void> ReadIdPage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                        Block& block, std::vector<std::uint64_t>& by_id) {
  if (page >= block.page_ids.size() || by_id.size() != page * block.page_traces)
    return Wrong("a page of ids");
  const std::uint64_t count = InPage(block, page, traces);
  Cursor in(bytes);
  std::uint64_t high = in.Fixed(8);
  const auto steps = Ints(in, count, block.seen);
  const std::string low = in.Bytes(8 * count);
  const auto places = Ints(in, count, block.seen);
  if (in.failed() || !in.done()) return Wrong("a page of ids");
  for (std::uint64_t i = 0; i < count; ++i) {
    high += steps[i];
    if (places[i] >= block.traces.size()) return Wrong("a page of ids");
    model::TraceId& id = block.traces[places[i]].id;
    for (std::size_t byte = 0; byte < 8; ++byte)
      id.bytes[byte] = static_cast<std::uint8_t>(high >> (56 - 8 * byte));
    std::memcpy(id.bytes.data() + 8, low.data() + 8 * i, 8);
    if (i == 0 && id != block.page_ids[page]) return Wrong("the first id of a page");
    by_id.push_back(places[i]);
  }
  return {};
}

Result<void> ReadKept(const std::string& bytes, std::vector<std::uint64_t> codes, Block& block) {
  Cursor in(bytes);
  std::vector<model::Kept> reasons(bytes.empty() ? 0 : in.Count());
  for (model::Kept& kept : reasons) {
    kept.reason = in.Text();
    kept.probability = std::bit_cast<double>(in.Fixed(8));
    if (!in.failed() && !(kept.probability > 0 && kept.probability <= 1)) in.Fail();
  }
  if (block.page_traces == 0 && !bytes.empty()) codes = Ints(in, block.traces.size(), block.seen);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] > reasons.size()) in.Fail();
    if (in.failed() || codes[i] == 0) {
      block.seen.insert("not judged");
      continue;
    }
    block.traces[i].kept = reasons[codes[i] - 1];
  }
  if (in.failed() || !in.done()) return Wrong("why traces were kept");
  return {};
}

}  // namespace fluoro::store::reference
