#include "store/embedded/batch_codec.h"

#include <array>
#include <bit>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/any_value.h"
#include "store/embedded/bytes.h"

namespace fluoro::store {
namespace {

using model::AttributeCell;
using model::AttributeType;
using model::EventRow;
using model::LinkRow;
using model::Range;
using model::ResourceRow;
using model::ScopeRow;
using model::SpanBatch;
using model::TextRef;

// Version 1 has all planes of every column; version 2 those with anything in them.
constexpr std::uint8_t kAllPlanes = 1;
constexpr std::uint8_t kVersion = 2;
// Version, counts, and a byte before each column.
constexpr std::size_t kHeadBytesMax = 256;

// Writes columns. A column of n values becomes planes of n bytes, one for each byte of the values,
// without those that hold zeros alone; a byte before them says which are there.
class PlaneWriter {
 public:
  explicit PlaneWriter(std::string& out) : out_(out) {}

  /// The next column has its lowest plane even if that is zeros: rows must take space.
  void BeginPool() { first_of_pool_ = true; }

  template <class Unsigned, class Get>
  void Put(std::size_t count, Get&& get) {
    static_assert(std::is_unsigned_v<Unsigned>);
    auto& values = std::get<std::vector<Unsigned>>(values_);
    values.resize(count);
    Unsigned any = 0;
    for (std::size_t i = 0; i < count; ++i) any = static_cast<Unsigned>(any | (values[i] = get(i)));
    PutValues(std::span<const Unsigned>(values), any);
  }

  /// @param any  all values, by or.
  template <class Unsigned>
  void PutValues(std::span<const Unsigned> values, Unsigned any) {
    unsigned planes = std::exchange(first_of_pool_, false) ? 1 : 0;
    for (std::size_t plane = 0; plane < sizeof(Unsigned); ++plane)
      planes |= unsigned{(any >> (8 * plane) & 0xff) != 0} << plane;
    const std::size_t begin = out_.size();
    const std::size_t bytes = 1 + static_cast<std::size_t>(std::popcount(planes)) * values.size();
    // Not the size that it is called with: libstdc++ 12 passes what it has taken, which may be
    // more.
    out_.resize_and_overwrite(begin + bytes, [&](char*, std::size_t) { return begin + bytes; });
    char* to = out_.data() + begin;
    *to++ = static_cast<char>(planes);
    for (; planes != 0; planes &= planes - 1, to += values.size())
      PutPlane(values, 8 * static_cast<std::size_t>(std::countr_zero(planes)), to);
  }

  // A text usually stands right behind the one before: only the distance from there is kept.
  template <class Rows, class Get>
  void PutTexts(const Rows& rows, Get&& get) {
    std::uint32_t expected = 0;
    Put<std::uint32_t>(rows.size(), [&](std::size_t i) {
      const TextRef ref = get(rows[i]);
      const std::uint32_t distance = ref.offset - expected;
      expected = ref.offset + ref.bytes;
      return distance;
    });
    Put<std::uint32_t>(rows.size(), [&](std::size_t i) { return get(rows[i]).bytes; });
  }

  template <class Rows, class Get>
  void PutRanges(const Rows& rows, Get&& get) {
    std::uint32_t expected = 0;
    Put<std::uint32_t>(rows.size(), [&](std::size_t i) {
      const Range range = get(rows[i]);
      const std::uint32_t distance = range.begin - expected;
      expected = range.end;
      return distance;
    });
    Put<std::uint32_t>(rows.size(), [&](std::size_t i) { return get(rows[i]).size(); });
  }

  template <class Rows, class Get>
  void PutTimes(const Rows& rows, Get&& get) {
    std::int64_t before = 0;
    Put<std::uint64_t>(rows.size(), [&](std::size_t i) {
      const std::int64_t time = get(rows[i]);
      const std::uint64_t delta = ZigZag(WrapSub(time, before));
      before = time;
      return delta;
    });
  }

  template <class Rows>
  void PutRows(const Rows& rows) {
    out_.append(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(rows[0]));
  }

 private:
  template <class Unsigned>
  static void PutPlane(std::span<const Unsigned> values, std::size_t shift, char* to) {
    constexpr std::size_t kChunk = 64;
    std::array<Unsigned, kChunk> chunk;
    std::size_t i = 0;
    for (; i + kChunk <= values.size(); i += kChunk) {
      std::memcpy(chunk.data(), values.data() + i, sizeof chunk);
      // Compiled to vectors.
      for (std::size_t at = 0; at < kChunk; ++at)
        to[i + at] = static_cast<char>(chunk[at] >> shift);
    }
    for (; i < values.size(); ++i) to[i] = static_cast<char>(values[i] >> shift);
  }

  std::tuple<std::vector<std::uint8_t>, std::vector<std::uint32_t>, std::vector<std::uint64_t>>
      values_;
  bool first_of_pool_ = false;
  std::string& out_;
};

class PlaneReader {
 public:
  PlaneReader(std::string_view bytes, std::uint8_t version)
      : left_(bytes), all_planes_(version == kAllPlanes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  /// What stands behind the columns read.
  [[nodiscard]] std::string_view left() const { return left_; }
  void BeginPool() { first_of_pool_ = true; }

  // Without the bytes there are zeros, and it has failed.
  template <class Unsigned, class Set>
  void Take(std::size_t count, Set&& set) {
    std::array<const char*, sizeof(Unsigned)> planes{};
    const unsigned present = TakePresent(sizeof(Unsigned));
    for (std::size_t plane = 0; plane < planes.size(); ++plane) {
      if ((present >> plane & 1) != 0) planes[plane] = TakeBytes(count).data();
    }
    for (std::size_t i = 0; i < count; ++i) {
      Unsigned value = 0;
      for (std::size_t plane = 0; plane < planes.size(); ++plane) {
        if (planes[plane] == nullptr) continue;
        const auto byte = static_cast<unsigned char>(planes[plane][i]);
        value = static_cast<Unsigned>(value | static_cast<Unsigned>(Unsigned{byte} << (8 * plane)));
      }
      set(i, value);
    }
  }

  template <class Rows, class At>
  void TakeTexts(Rows& rows, At&& at) {
    Take<std::uint32_t>(rows.size(),
                        [&](std::size_t i, std::uint32_t v) { at(rows[i]).offset = v; });
    std::uint32_t expected = 0;
    Take<std::uint32_t>(rows.size(), [&](std::size_t i, std::uint32_t v) {
      TextRef& ref = at(rows[i]);
      ref.bytes = v;
      ref.offset += expected;
      expected = ref.offset + ref.bytes;
    });
  }

  template <class Rows, class At>
  void TakeRanges(Rows& rows, At&& at) {
    Take<std::uint32_t>(rows.size(),
                        [&](std::size_t i, std::uint32_t v) { at(rows[i]).begin = v; });
    std::uint32_t expected = 0;
    Take<std::uint32_t>(rows.size(), [&](std::size_t i, std::uint32_t v) {
      Range& range = at(rows[i]);
      range.begin += expected;
      range.end = range.begin + v;
      expected = range.end;
    });
  }

  template <class Rows, class At>
  void TakeTimes(Rows& rows, At&& at) {
    std::int64_t before = 0;
    Take<std::uint64_t>(rows.size(), [&](std::size_t i, std::uint64_t v) {
      before = WrapAdd(before, UnZigZag(v));
      at(rows[i]) = before;
    });
  }

  template <class Rows>
  void TakeRows(Rows& rows) {
    const std::string_view bytes = TakeBytes(rows.size() * sizeof(rows[0]));
    if (!bytes.empty()) std::memcpy(rows.data(), bytes.data(), bytes.size());
  }

 private:
  unsigned TakePresent(std::size_t planes_max) {
    const unsigned all = (1U << planes_max) - 1;
    const bool is_first = std::exchange(first_of_pool_, false);
    if (all_planes_) return all;
    const std::string_view byte = TakeBytes(1);
    const unsigned present = byte.empty() ? 0 : static_cast<unsigned char>(byte[0]);
    if ((present & ~all) != 0 || (is_first && (present & 1) == 0)) failed_ = true;
    return failed_ ? 0 : present;
  }
  // Empty with null data: they are not there.
  std::string_view TakeBytes(std::size_t bytes) {
    if (failed_ || bytes > left_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }

  std::string_view left_;
  bool all_planes_;
  bool failed_ = false;
  bool first_of_pool_ = false;
};

// The one list of columns, walked alike by the writer and the reader. `Io` has Texts, Ranges,
// Times, Numbers<T>, Raw, Ends, Ids and Cells. BeginPool stands before rows that have nothing but
// planes.
template <class Batch, class Io>
void ForEachColumn(Batch& b, Io&& io) {
  const auto self = [](auto& row) -> auto& { return row; };
  io.Raw(b.trace_ids);
  io.Raw(b.span_ids);
  io.Raw(b.parent_ids);
  io.Times(b.start_ns, self);
  io.Ends(b.start_ns, b.end_ns);
  io.Texts(b.names, self);
  io.template Numbers<std::uint32_t>(b.resources, self);
  io.template Numbers<std::uint32_t>(b.scopes, self);
  io.template Numbers<std::uint8_t>(b.kinds, self);
  io.template Numbers<std::uint8_t>(b.statuses, self);
  io.template Numbers<std::uint8_t>(b.sources, self);
  io.template Numbers<std::uint32_t>(b.flags, self);
  io.template Numbers<std::uint32_t>(b.otel_flags, self);
  io.Texts(b.trace_states, self);
  io.Texts(b.status_messages, self);
  io.Ranges(b.span_attributes, self);
  io.Ranges(b.span_events, self);
  io.Ranges(b.span_links, self);
  io.template Numbers<std::uint32_t>(b.dropped_attributes, self);
  io.template Numbers<std::uint32_t>(b.dropped_events, self);
  io.template Numbers<std::uint32_t>(b.dropped_links, self);
  io.Texts(b.documents, self);

  io.BeginPool();
  io.Ranges(b.resource_rows, [](auto& r) -> auto& { return r.attributes; });
  io.template Numbers<std::uint32_t>(b.resource_rows,
                                     [](auto& r) -> auto& { return r.dropped_attributes; });
  io.Texts(b.resource_rows, [](auto& r) -> auto& { return r.service; });
  io.Texts(b.resource_rows, [](auto& r) -> auto& { return r.schema_url; });
  io.Texts(b.resource_rows, [](auto& r) -> auto& { return r.entity_refs; });

  io.BeginPool();
  io.Texts(b.scope_rows, [](auto& r) -> auto& { return r.name; });
  io.Texts(b.scope_rows, [](auto& r) -> auto& { return r.version; });
  io.Ranges(b.scope_rows, [](auto& r) -> auto& { return r.attributes; });
  io.template Numbers<std::uint32_t>(b.scope_rows,
                                     [](auto& r) -> auto& { return r.dropped_attributes; });
  io.Texts(b.scope_rows, [](auto& r) -> auto& { return r.schema_url; });

  io.BeginPool();
  io.Times(b.events, [](auto& r) -> auto& { return r.time_ns; });
  io.Texts(b.events, [](auto& r) -> auto& { return r.name; });
  io.Ranges(b.events, [](auto& r) -> auto& { return r.attributes; });
  io.template Numbers<std::uint32_t>(b.events,
                                     [](auto& r) -> auto& { return r.dropped_attributes; });

  io.Ids(b.links);
  io.Texts(b.links, [](auto& r) -> auto& { return r.trace_state; });
  io.Ranges(b.links, [](auto& r) -> auto& { return r.attributes; });
  io.template Numbers<std::uint32_t>(b.links,
                                     [](auto& r) -> auto& { return r.dropped_attributes; });
  io.template Numbers<std::uint32_t>(b.links, [](auto& r) -> auto& { return r.otel_flags; });

  io.BeginPool();
  io.Cells(b.attributes);
  io.BeginPool();
  io.Texts(b.keys, self);
}

struct Encoder {
  PlaneWriter writer;
  std::string& out;

  void BeginPool() { writer.BeginPool(); }
  template <class Rows, class At>
  void Texts(const Rows& rows, At&& at) {
    writer.PutTexts(rows, at);
  }
  template <class Rows, class At>
  void Ranges(const Rows& rows, At&& at) {
    writer.PutRanges(rows, at);
  }
  template <class Rows, class At>
  void Times(const Rows& rows, At&& at) {
    writer.PutTimes(rows, at);
  }
  template <class T, class Rows, class At>
  void Numbers(const Rows& rows, At&& at) {
    writer.Put<T>(rows.size(), [&](std::size_t i) { return static_cast<T>(at(rows[i])); });
  }
  template <class Rows>
  void Raw(const Rows& rows) {
    writer.PutRows(rows);
  }
  void Ends(const std::vector<std::int64_t>& starts, const std::vector<std::int64_t>& ends) {
    writer.Put<std::uint64_t>(ends.size(),
                              [&](std::size_t i) { return ZigZag(WrapSub(ends[i], starts[i])); });
  }
  void Ids(const std::vector<LinkRow>& links) {
    for (const LinkRow& link : links) {
      out.append(reinterpret_cast<const char*>(link.trace_id.bytes.data()), 16);
      out.append(reinterpret_cast<const char*>(link.span_id.bytes.data()), 8);
    }
  }
  // Most of a batch is cells: they are walked once.
  void Cells(const std::vector<AttributeCell>& cells) {
    const std::size_t n = cells.size();
    const auto types = std::make_unique_for_overwrite<std::uint8_t[]>(n);
    const auto roles = std::make_unique_for_overwrite<std::uint8_t[]>(n);
    const auto keys = std::make_unique_for_overwrite<std::uint32_t[]>(n);
    const auto low = std::make_unique_for_overwrite<std::uint32_t[]>(n);
    const auto high = std::make_unique_for_overwrite<std::uint32_t[]>(n);
    std::uint8_t any_type = 0;
    std::uint8_t any_role = 0;
    std::uint32_t any_key = 0;
    std::uint32_t any_low = 0;
    std::uint32_t any_high = 0;
    std::uint32_t expected = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const AttributeCell& cell = cells[i];
      any_key |= keys[i] = cell.key;
      any_type |= types[i] = static_cast<std::uint8_t>(cell.type);
      any_role |= roles[i] = static_cast<std::uint8_t>(cell.role);
      any_low |= low[i] = static_cast<std::uint32_t>(cell.payload);
      const auto high_half = static_cast<std::uint32_t>(cell.payload >> 32);
      const bool is_text = model::IsText(cell.type);
      any_high |= high[i] = is_text ? high_half - expected : high_half;
      if (is_text) expected = high_half + low[i];
    }
    writer.PutValues<std::uint32_t>({keys.get(), n}, any_key);
    writer.PutValues<std::uint8_t>({types.get(), n}, any_type);
    writer.PutValues<std::uint8_t>({roles.get(), n}, any_role);
    writer.PutValues<std::uint32_t>({low.get(), n}, any_low);
    writer.PutValues<std::uint32_t>({high.get(), n}, any_high);
  }
};

struct Decoder {
  PlaneReader reader;

  void BeginPool() { reader.BeginPool(); }
  template <class Rows, class At>
  void Texts(Rows& rows, At&& at) {
    reader.TakeTexts(rows, at);
  }
  template <class Rows, class At>
  void Ranges(Rows& rows, At&& at) {
    reader.TakeRanges(rows, at);
  }
  template <class Rows, class At>
  void Times(Rows& rows, At&& at) {
    reader.TakeTimes(rows, at);
  }
  template <class T, class Rows, class At>
  void Numbers(Rows& rows, At&& at) {
    reader.Take<T>(rows.size(), [&](std::size_t i, T v) {
      auto& field = at(rows[i]);
      field = static_cast<std::remove_reference_t<decltype(field)>>(v);
    });
  }
  template <class Rows>
  void Raw(Rows& rows) {
    reader.TakeRows(rows);
  }
  void Ends(const std::vector<std::int64_t>& starts, std::vector<std::int64_t>& ends) {
    reader.Take<std::uint64_t>(ends.size(), [&](std::size_t i, std::uint64_t v) {
      ends[i] = WrapAdd(starts[i], UnZigZag(v));
    });
  }
  void Ids(std::vector<LinkRow>& links) {
    std::vector<std::array<std::uint8_t, 24>> ids(links.size());
    reader.TakeRows(ids);
    for (std::size_t i = 0; i < links.size(); ++i) {
      std::memcpy(links[i].trace_id.bytes.data(), ids[i].data(), 16);
      std::memcpy(links[i].span_id.bytes.data(), ids[i].data() + 16, 8);
    }
  }
  void Cells(std::vector<AttributeCell>& cells) {
    const std::size_t n = cells.size();
    reader.Take<std::uint32_t>(n, [&](std::size_t i, std::uint32_t v) { cells[i].key = v; });
    reader.Take<std::uint8_t>(
        n, [&](std::size_t i, std::uint8_t v) { cells[i].type = static_cast<AttributeType>(v); });
    reader.Take<std::uint8_t>(n, [&](std::size_t i, std::uint8_t v) {
      cells[i].role = static_cast<model::AttributeRole>(v);
    });
    reader.Take<std::uint32_t>(n, [&](std::size_t i, std::uint32_t v) { cells[i].payload = v; });
    std::uint32_t expected = 0;
    reader.Take<std::uint32_t>(n, [&](std::size_t i, std::uint32_t v) {
      if (model::IsText(cells[i].type)) {
        v += expected;
        expected = v + static_cast<std::uint32_t>(cells[i].payload);
      }
      cells[i].payload |= static_cast<std::uint64_t>(v) << 32;
    });
  }
};

std::unexpected<Error> Bad(std::string what) {
  return Fail(ErrorCode::kCorruption, "batch: " + std::move(what));
}

}  // namespace

void EncodeBatch(const SpanBatch& batch, std::int64_t arrival_ns, std::string& out) {
  const std::array<std::uint64_t, 8> counts{
      batch.size(),       batch.resource_rows.size(), batch.scope_rows.size(), batch.events.size(),
      batch.links.size(), batch.attributes.size(),    batch.keys.size(),       batch.arena.size()};
  out.reserve(out.size() + kHeadBytesMax + batch.UsedBytes());
  ByteWriter head(out);
  head.PutU8(kVersion);
  head.PutFixed64(static_cast<std::uint64_t>(arrival_ns));
  for (const std::uint64_t count : counts) head.PutVarint(count);
  ForEachColumn(batch, Encoder{PlaneWriter(out), out});
  out.append(batch.arena);
}

Result<DecodedBatch> DecodeBatch(std::string_view payload) {
  ByteReader in(payload);
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version == 0 || version > kVersion) {
    return Fail(ErrorCode::kUnsupported, "batch: version " + std::to_string(version) +
                                             " is unknown, this program reads 1 and 2");
  }
  DecodedBatch decoded;
  FLUORO_TRY(const std::uint64_t arrival, in.TakeFixed64());
  decoded.arrival_ns = static_cast<std::int64_t>(arrival);
  std::array<std::uint64_t, 8> counts{};
  // Rows of any kind take a byte or more.
  std::uint64_t room = payload.size();
  for (std::uint64_t& count : counts) {
    FLUORO_TRY(count, in.TakeCount(room));
    room -= count;
  }
  SpanBatch& b = decoded.batch;
  const auto spans = static_cast<std::size_t>(counts[0]);
  const auto resize_all = [spans](auto&... columns) { (columns.resize(spans), ...); };
  resize_all(b.trace_ids, b.span_ids, b.parent_ids, b.start_ns, b.end_ns, b.names, b.resources,
             b.scopes, b.kinds, b.statuses, b.sources, b.flags, b.otel_flags, b.trace_states,
             b.status_messages, b.span_attributes, b.span_events, b.span_links,
             b.dropped_attributes, b.dropped_events, b.dropped_links, b.documents);
  b.resource_rows.resize(counts[1]);
  b.scope_rows.resize(counts[2]);
  b.events.resize(counts[3]);
  b.links.resize(counts[4]);
  b.attributes.resize(counts[5]);
  b.keys.resize(counts[6]);
  FLUORO_TRY(const std::string_view columns, in.Take(in.left()));
  Decoder decoder{PlaneReader(columns, version)};
  ForEachColumn(b, decoder);
  if (decoder.reader.failed()) return Bad("columns are cut short or of an unknown form");
  if (decoder.reader.left().size() != counts[7])
    return Bad("the texts do not have the bytes announced");
  b.arena.assign(decoder.reader.left());
  FLUORO_CHECK_OK(CheckBatch(b));
  return decoded;
}

namespace {

// Whether all spans keep to their batch: without a branch a span, as they nearly always do.
bool SpansFit(const SpanBatch& b) {
  const std::uint64_t arena_bytes = b.arena.size();
  const auto text_fits = [&](TextRef ref) {
    return std::uint64_t{ref.offset} + ref.bytes <= arena_bytes;
  };
  const auto range_fits = [](Range range, std::size_t pool) {
    return unsigned{range.begin <= range.end} & unsigned{range.end <= pool};
  };
  unsigned fit = 1;
  for (std::size_t i = 0; i < b.size(); ++i) {
    fit &= unsigned{text_fits(b.names[i])} & unsigned{text_fits(b.trace_states[i])} &
           unsigned{text_fits(b.status_messages[i])} & unsigned{text_fits(b.documents[i])};
    fit &= unsigned{b.resources[i] < b.resource_rows.size()} &
           unsigned{b.scopes[i] < b.scope_rows.size()};
    fit &= range_fits(b.span_attributes[i], b.attributes.size()) &
           range_fits(b.span_events[i], b.events.size()) &
           range_fits(b.span_links[i], b.links.size());
    fit &= unsigned{b.kinds[i] <= model::SpanKind::kConsumer} &
           unsigned{b.statuses[i] <= model::StatusCode::kError} &
           unsigned{b.sources[i] <= model::SpanSource::kCsv};
  }
  return fit != 0;
}

// Likewise of attributes, but for what is inside of lists: whether there are any.
Result<bool> CheckCells(const SpanBatch& b) {
  std::uint32_t greatest_key = 0;
  std::uint8_t types = 0;
  std::uint8_t roles = 0;
  std::uint64_t greatest_end = 0;
  bool has_lists = false;
  for (const AttributeCell& cell : b.attributes) {
    greatest_key = std::max(greatest_key, cell.key);
    types |= static_cast<std::uint8_t>(cell.type);
    roles |= static_cast<std::uint8_t>(cell.role);
    if (!model::IsText(cell.type)) continue;
    const TextRef text = cell.text();
    greatest_end = std::max(greatest_end, std::uint64_t{text.offset} + text.bytes);
    has_lists |= cell.type >= AttributeType::kArray;
  }
  static_assert(static_cast<int>(AttributeType::kKvList) == 7);
  static_assert(static_cast<int>(model::AttributeRole::kAnnotation) == 1);
  if (types > 7 || roles > 1) return Bad("an attribute has an unknown type or role");
  if (!b.attributes.empty() && greatest_key >= b.keys.size()) return Bad("an attribute has no key");
  if (greatest_end > b.arena.size()) return Bad("an attribute's value lies outside the arena");
  return has_lists;
}

}  // namespace

Result<void> CheckBatch(const SpanBatch& b) {
  const std::uint64_t arena_bytes = b.arena.size();
  const auto text_fits = [&](TextRef ref) {
    return std::uint64_t{ref.offset} + ref.bytes <= arena_bytes;
  };
  const auto range_fits = [](Range range, std::size_t pool) {
    return range.begin <= range.end && range.end <= pool;
  };
  if (!SpansFit(b)) return Bad("a span points outside its pools, or is of an unknown kind");
  for (const ResourceRow& row : b.resource_rows) {
    if (!range_fits(row.attributes, b.attributes.size()) || !text_fits(row.service) ||
        !text_fits(row.schema_url) || !text_fits(row.entity_refs)) {
      return Bad("a resource points outside its pools");
    }
  }
  for (const ScopeRow& row : b.scope_rows) {
    if (!range_fits(row.attributes, b.attributes.size()) || !text_fits(row.name) ||
        !text_fits(row.version) || !text_fits(row.schema_url)) {
      return Bad("a scope points outside its pools");
    }
  }
  for (const EventRow& row : b.events) {
    if (!range_fits(row.attributes, b.attributes.size()) || !text_fits(row.name)) {
      return Bad("an event points outside its pools");
    }
  }
  for (const LinkRow& row : b.links) {
    if (!range_fits(row.attributes, b.attributes.size()) || !text_fits(row.trace_state)) {
      return Bad("a link points outside its pools");
    }
  }
  for (const TextRef key : b.keys) {
    if (!text_fits(key)) return Bad("a key lies outside the arena");
  }
  FLUORO_TRY(const bool has_lists, CheckCells(b));
  if (!has_lists) return {};
  for (const AttributeCell& cell : b.attributes) {
    if (cell.type < AttributeType::kArray) continue;
    if (auto value = model::DecodeAnyValue(b.Text(cell.text())); !value) {
      return std::unexpected(std::move(value).error().With("batch: an attribute's value"));
    }
  }
  return {};
}

}  // namespace fluoro::store
