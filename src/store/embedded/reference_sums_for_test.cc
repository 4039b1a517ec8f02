#include "store/embedded/reference_sums_for_test.h"

#include <functional>
#include <vector>

#include "store/embedded/reference_cursor_for_test.h"
#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

constexpr std::uint64_t kMinuteNs = 60'000'000'000;

// A place in a list; fails beyond it.
template <class Item>
const Item& Of(const std::vector<Item>& list, std::uint64_t place, Cursor& in) {
  static const Item kNone{};
  if (place < list.size()) return list[place];
  in.Fail();
  return kNone;
}

struct Times {
  std::vector<std::pair<std::int64_t, std::int64_t>> buckets, milliseconds;
  bool overflown = false;
};

Times TakeTimes(Cursor& in) {
  Times times;
  const std::uint64_t head = in.Count();
  times.overflown = head % 2 == 1;
  std::int64_t at = 0;
  for (std::uint64_t i = head / 2; i > 0 && !in.failed(); --i) {
    at += static_cast<std::int64_t>(in.Varint());
    const std::int64_t count = in.Signed();
    times.buckets.emplace_back(at, count);
  }
  if (times.overflown) return times;
  at = 0;
  for (std::uint64_t i = in.Count(); i > 0 && !in.failed(); --i) {
    at += static_cast<std::int64_t>(in.Varint());
    const std::int64_t count = in.Signed();
    times.milliseconds.emplace_back(at, count);
  }
  return times;
}

std::string Text(const Times& times) {
  std::string text;
  const auto list = [&text](const auto& pairs) {
    for (const auto& [at, count] : pairs)
      text += " " + std::to_string(at) + ":" + std::to_string(count);
  };
  list(times.buckets);
  text += times.overflown ? " many" : " ms";
  list(times.milliseconds);
  return text;
}

std::vector<std::string> TakeTexts(Cursor& in) {
  std::vector<std::string> texts(in.Count());
  for (std::string& text : texts) text = in.Text();
  return texts;
}

/// What is told of a series, with the minute in which it is.
using Name = std::function<std::string(std::int64_t minute_ns)>;
struct Series {
  Name name;
  bool is_node = false;
};
/// A cell's value: a row of that series in that minute, or in the header with minute 0.
using TakeCell = std::string (*)(Cursor& in, const Series& series, std::int64_t minute_ns);
using TakeSeries = std::vector<Series> (*)(Cursor& in);

Result<Sums> ReadSums(const std::map<std::uint64_t, std::string>& parts, TakeSeries take_series,
                      TakeCell take_cell) {
  Cursor in(parts.at(0));
  Sums sums;
  if (in.Fixed(1) != 1) return Wrong("the version of sums");
  sums.first_ns = in.Signed();
  sums.last_ns = in.Signed();
  const std::vector<Series> series = take_series(in);
  struct Chunk {
    std::int64_t first_ns = 0, last_ns = 0;
    std::uint64_t rows = 0;
  };
  std::vector<Chunk> chunks(in.Count());
  for (Chunk& chunk : chunks) {
    chunk.first_ns = in.Signed();
    chunk.last_ns = in.Signed();
    chunk.rows = in.Count();
  }
  for (std::uint64_t i = in.Count(); i > 0 && !in.failed(); --i) {
    const Series& one = Of(series, in.Varint(), in);
    const std::string value = take_cell(in, one, 0);
    if (!in.failed() && !sums.total.emplace(one.name(0), value).second)
      return Wrong("a series of the header repeats");
  }
  if (in.failed() || !in.done()) return Wrong("the header of sums");
  if (parts.size() != chunks.size() + 1) return Wrong("the number of chunks");
  std::int64_t before_ns = INT64_MIN;
  for (std::size_t number = 0; number < chunks.size(); ++number) {
    const Chunk& chunk = chunks[number];
    const auto part = parts.find(number + 1);
    if (part == parts.end()) return Wrong("a chunk of sums is missing");
    Cursor rows(part->second);
    std::int64_t minute_ns = chunk.first_ns;
    if (minute_ns < before_ns) return Wrong("the order of chunks");
    for (std::uint64_t row = 0; row < chunk.rows && !rows.failed(); ++row) {
      minute_ns = Plus(minute_ns, rows.Varint() * kMinuteNs);
      const Series& one = Of(series, rows.Varint(), rows);
      const std::string value = take_cell(rows, one, minute_ns);
      if (!rows.failed() && !sums.minutes.emplace(one.name(minute_ns), value).second)
        return Wrong("a series of a minute repeats");
    }
    if (rows.failed() || !rows.done() || minute_ns != chunk.last_ns)
      return Wrong("a chunk of sums");
    before_ns = minute_ns;
  }
  return sums;
}

std::vector<Series> TakeRollupSeries(Cursor& in) {
  const std::vector<std::string> texts = TakeTexts(in);
  std::vector<std::string> keys(in.Count());
  for (std::string& key : keys) {
    const std::string& name = Of(texts, in.Varint(), in);
    const std::string& type = Of(texts, in.Varint(), in);
    const std::string& account = Of(texts, in.Varint(), in);
    key = name + "|" + type + "|" + account;
  }
  std::vector<Series> all(in.Count());
  for (Series& series : all) {
    const std::uint64_t kind = in.Fixed(1);
    const std::uint64_t flags = in.Fixed(1);
    const std::uint64_t from = in.Varint();
    const std::uint64_t to = in.Varint();
    const std::uint64_t alias = in.Varint();
    if (kind > 3) in.Fail();
    std::string name = " " + std::to_string(kind);
    if ((flags & 1) != 0) name += "c";
    if ((flags & 2) != 0) name += "l";
    if (kind != 3) name += " " + Of(keys, to, in);
    if (kind == 1 || kind == 2) name += " from " + Of(keys, from, in);
    name += " " + (alias == 0 ? std::string() : Of(texts, alias, in));
    series.is_node = kind == 0;
    series.name = [name](std::int64_t minute_ns) { return std::to_string(minute_ns) + name; };
  }
  return all;
}

std::string TakeRollupCell(Cursor& in, const Series& series, std::int64_t minute_ns) {
  const std::uint64_t mask = in.Varint();
  if (mask >= 1U << 11) in.Fail();
  std::string value;
  for (int field = 0; field < 8; ++field)
    value += std::to_string((mask >> field) % 2 == 1 ? in.Signed() : 0) + " ";
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  if ((mask >> 8) % 2 == 1) {
    start_ns = Plus(minute_ns, static_cast<std::uint64_t>(in.Signed()));
    end_ns = Plus(start_ns, static_cast<std::uint64_t>(in.Signed()));
  }
  const Times times = (mask >> 9) % 2 == 1 ? TakeTimes(in) : Times();
  value += std::to_string(start_ns) + "-" + std::to_string(end_ns) + " " + Text(times) + " / ";
  const bool has_second = (mask >> 10) % 2 == 1;
  const Times second = has_second ? TakeTimes(in) : times;
  // Of other series it is left out of the text where it counts nothing.
  const bool counts = !second.buckets.empty() || !second.milliseconds.empty();
  return series.is_node || (has_second && counts) ? value + Text(second) : value;
}

std::vector<Series> TakeCallSeries(Cursor& in) {
  const std::vector<std::string> texts = TakeTexts(in);
  std::vector<Series> all(in.Count());
  for (Series& series : all) {
    std::string name = " " + std::to_string(in.Fixed(1));
    const std::uint64_t flags = in.Fixed(1);
    const bool more = (flags & 2) != 0;
    for (int part = 0; part < 11; ++part)
      name += "|" + (part < 5 || more ? Of(texts, in.Varint(), in) : std::string());
    name += "|" + std::to_string(more ? in.Fixed(1) : 0);
    name += "|" + std::to_string((flags & 1) != 0 ? 1 : flags >> 2);
    series.name = [name](std::int64_t minute_ns) {
      return std::to_string(minute_ns / static_cast<std::int64_t>(kMinuteNs)) + name;
    };
  }
  return all;
}

std::string TakeCallCell(Cursor& in, const Series&, std::int64_t) {
  const std::uint64_t mask = in.Varint();
  if (mask >= 1U << 19) in.Fail();
  std::string value;
  const auto fields = [&](int first, int end) {
    for (int field = first; field < end; ++field)
      value += std::to_string((mask >> field) % 2 == 1 ? in.Signed() : 0) + " ";
  };
  const auto times = [&](int bit, const std::string& before) {
    std::string text;
    if ((mask >> bit) % 2 == 0) return text;
    for (const auto& [bucket, count] : TakeTimes(in).buckets)
      text += before + std::to_string(bucket) + ":" + std::to_string(count) + " ";
    return text;
  };
  fields(0, 12);
  const std::string durations = times(12, "");
  fields(13, 18);
  return value + durations + times(18, "first ");
}

}  // namespace

Result<Sums> ReadRollup(const std::map<std::uint64_t, std::string>& parts) {
  return ReadSums(parts, TakeRollupSeries, TakeRollupCell);
}

Result<Sums> ReadCalls(const std::map<std::uint64_t, std::string>& parts) {
  return ReadSums(parts, TakeCallSeries, TakeCallCell);
}

}  // namespace fluoro::store::reference
