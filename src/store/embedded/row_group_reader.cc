#include <algorithm>
#include <limits>
#include <optional>

#include "store/embedded/batch_codec.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {
namespace {

using model::AttributeCell;
using model::AttributeType;
using model::Range;
using model::SpanBatch;
using model::TextRef;

std::unexpected<Error> Bad(std::string what) {
  return Fail(ErrorCode::kCorruption, "row group: " + std::move(what));
}

// Of things in a row some, in order.
struct Picks {
  std::vector<Range> ranges;
  std::uint32_t size = 0;

  static Picks All(std::size_t count) {
    Picks picks;
    if (count > 0) picks.Add({0, static_cast<std::uint32_t>(count)});
    return picks;
  }
  void Add(Range range) {
    size += range.size();
    if (!ranges.empty() && ranges.back().end == range.begin) {
      ranges.back().end = range.end;
    } else {
      ranges.push_back(range);
    }
  }
  // From the first to the last.
  [[nodiscard]] Range Hull() const {
    return ranges.empty() ? Range{} : Range{ranges.front().begin, ranges.back().end};
  }
};

class Reader {
 public:
  Reader(const std::map<std::uint32_t, std::string_view>& columns, std::span<const TraceRun> traces,
         ColumnReader attributes = {})
      : columns_(columns), traces_(traces), attributes_(std::move(attributes)) {}

  /// @param rows  whole runs; nullopt: all.
  Result<SpanBatch> Read(std::optional<std::span<const Range>> rows = std::nullopt) {
    FLUORO_CHECK_OK(ReadCounts());
    if (rows) {
      rows_ = {};
      for (const Range range : *rows) {
        if (range.begin < rows_.Hull().end || range.begin >= range.end || range.end > spans_)
          return Bad("it has no such rows");
        rows_.Add(range);
      }
    }
    FLUORO_CHECK_OK(ReadIds());
    FLUORO_CHECK_OK(ReadTimes());
    FLUORO_CHECK_OK(ReadSpanColumns());
    resource_rows_ = rows ? Renumber(resources_, batch_.resources) : Picks::All(resources_);
    scope_rows_ = rows ? Renumber(scopes_, batch_.scopes) : Picks::All(scopes_);
    FLUORO_CHECK_OK(ReadResourcesAndScopes());
    FLUORO_CHECK_OK(ReadEvents());
    FLUORO_CHECK_OK(ReadLinks());
    FLUORO_CHECK_OK(ReadDirectory());
    FLUORO_CHECK_OK(ReadAttributes());
    FLUORO_CHECK_OK(CheckBatch(batch_));
    return std::move(batch_);
  }

  Result<std::vector<model::SpanKey>> ReadKeys() {
    FLUORO_CHECK_OK(ReadCounts());
    FLUORO_CHECK_OK(ReadIds());
    FLUORO_CHECK_OK(Fill(RowColumn::kFlags, std::uint64_t{1} << 32, batch_.flags));
    std::vector<model::SpanKey> keys(spans_);
    for (std::size_t i = 0; i < spans_; ++i) {
      keys[i] = {
          .id = batch_.span_ids[i], .parent = batch_.parent_ids[i], .flags = batch_.flags[i]};
    }
    return keys;
  }

 private:
  struct AttributeColumn {
    std::size_t owner = 0;
    AttributeType type = AttributeType::kNull;
    model::AttributeRole role = model::AttributeRole::kPlain;
    std::uint32_t key = 0;
    std::uint64_t values = 0;  // that the shapes say
    std::uint64_t passed = 0;  // while these are counted
    Picks wanted = {};         // those that are read
    std::size_t next = 0;
    std::vector<TextRef> texts;
    std::vector<std::uint64_t> numbers;
  };
  struct OwnerShapes {
    std::vector<std::vector<std::uint32_t>> shapes;
    std::vector<std::uint32_t> codes;  // one an owner
  };

  [[nodiscard]] ByteReader Column(RowColumn id, std::size_t index = 0) const {
    const auto at =
        columns_.find(static_cast<std::uint32_t>(id) + static_cast<std::uint32_t>(index));
    return ByteReader(at == columns_.end() ? std::string_view() : at->second);
  }

  [[nodiscard]] Result<ByteReader> AttributeColumnOf(std::size_t index) const {
    if (!attributes_) return Column(RowColumn::kAttributes, index);
    FLUORO_TRY(const std::string_view bytes,
               attributes_(static_cast<std::uint32_t>(RowColumn::kAttributes) +
                           static_cast<std::uint32_t>(index)));
    return ByteReader(bytes);
  }

  static Result<std::vector<std::uint64_t>> Ints(ByteReader& in, std::size_t count,
                                                 std::uint64_t limit = UINT64_MAX) {
    return SomeInts(in, count, Picks::All(count), limit);
  }
  // Of `count` values those that are picked.
  static Result<std::vector<std::uint64_t>> SomeInts(ByteReader& in, std::size_t count,
                                                     const Picks& picks,
                                                     std::uint64_t limit = UINT64_MAX) {
    const Range hull = picks.Hull();
    std::vector<std::uint64_t> values(hull.size());
    FLUORO_CHECK_OK(DecodeSomeInts(in, count, hull.begin, values));
    Pick(picks, values);
    if (limit == UINT64_MAX) return values;
    for (const std::uint64_t value : values) {
      if (value >= limit) return Bad("a value is not below " + std::to_string(limit));
    }
    return values;
  }
  // Leaves of the hull's values the picked ones.
  template <class T>
  static void Pick(const Picks& picks, std::vector<T>& values) {
    if (picks.ranges.size() < 2) return;
    const std::uint32_t begin = picks.Hull().begin;
    auto to = values.begin();
    for (const Range range : picks.ranges) {
      to = std::copy(values.begin() + (range.begin - begin), values.begin() + (range.end - begin),
                     to);
    }
    values.resize(picks.size);
  }

  // Decodes integers straight into a column of the batch.
  template <class T>
  Result<void> Fill(RowColumn id, std::uint64_t limit, std::vector<T>& to) {
    ByteReader in = Column(id);
    FLUORO_TRY(const auto values, SomeInts(in, spans_, rows_, limit));
    to.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<T>(values[i]);
    return {};
  }

  // Of `count` values those that are picked.
  Result<std::vector<TextRef>> SomeTexts(ByteReader& in, std::size_t count, const Picks& picks) {
    FLUORO_TRY(DecodedTexts texts, DecodeSomeTexts(in, count, picks.ranges));
    std::string picked;
    if (picks.size < count) {
      for (DecodedTexts::Piece& piece : texts.values) {
        const std::size_t at = picked.size();
        picked.append(texts.bytes, piece.offset, piece.bytes);
        piece.offset = at;
      }
      texts.bytes = picked;
    }
    if (batch_.arena.size() + texts.bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Bad("more than 4 GiB of text");
    }
    const auto base = static_cast<std::uint32_t>(batch_.arena.size());
    batch_.arena.append(texts.bytes);
    std::vector<TextRef> refs(texts.values.size());
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (texts.values[i].bytes == 0) continue;  // an empty text is {0, 0}
      refs[i] = {.offset = base + static_cast<std::uint32_t>(texts.values[i].offset),
                 .bytes = static_cast<std::uint32_t>(texts.values[i].bytes)};
    }
    return refs;
  }

  Result<void> FillTexts(RowColumn id, std::vector<TextRef>& to) {
    ByteReader in = Column(id);
    FLUORO_TRY(to, SomeTexts(in, spans_, rows_));
    return {};
  }

  Result<void> ReadCounts() {
    ByteReader in = Column(RowColumn::kCounts);
    FLUORO_TRY(spans_, in.TakeCount(kRowGroupSpansMax));
    rows_ = Picks::All(spans_);
    FLUORO_TRY(resources_, in.TakeCount(spans_));
    FLUORO_TRY(scopes_, in.TakeCount(spans_));
    FLUORO_TRY(events_, in.TakeCount(kRowGroupRowsMax));
    FLUORO_TRY(links_, in.TakeCount(kRowGroupRowsMax));
    std::uint64_t rows = 0;
    for (const TraceRun& trace : traces_) rows += trace.rows;
    if (rows != spans_) {
      return Bad("the trace table says " + std::to_string(rows) + " spans, the columns " +
                 std::to_string(spans_));
    }
    return {};
  }

  Result<void> ReadIds() {
    ByteReader ids = Column(RowColumn::kSpanIds);
    FLUORO_TRY(const std::string_view raw, ids.Take(spans_ * 8));
    batch_.span_ids.resize(rows_.size);
    std::size_t next = 0;
    for (const Range range : rows_.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        std::memcpy(batch_.span_ids[next++].bytes.data(), raw.data() + i * 8, 8);
    }
    ByteReader in = Column(RowColumn::kParents);
    FLUORO_TRY(const auto parents, Ints(in, spans_));
    FLUORO_TRY(const std::string_view explicit_ids,
               Column(RowColumn::kParentIds).Take(Column(RowColumn::kParentIds).left()));
    batch_.trace_ids.resize(rows_.size);
    batch_.parent_ids.resize(rows_.size);
    std::size_t row = 0;          // in the row group
    std::size_t explicit_at = 0;  // bytes before it
    return ForEachRun([&](const TraceRun& trace, std::size_t run_begin,
                          std::size_t first) -> Result<void> {
      for (; row < run_begin; ++row) explicit_at += parents[row] == 1 ? 8U : 0U;
      for (std::int64_t i = 0; i < trace.rows; ++i, ++row) {
        const std::size_t here = first + static_cast<std::size_t>(i);
        batch_.trace_ids[here] = trace.id;
        const std::uint64_t parent = parents[row];
        if (parent == 0) continue;
        if (parent == 1) {
          if (explicit_ids.size() < explicit_at + 8) return Bad("an id of a parent is missing");
          std::memcpy(batch_.parent_ids[here].bytes.data(), explicit_ids.data() + explicit_at, 8);
          explicit_at += 8;
          continue;
        }
        const std::int64_t at = WrapAdd(i, UnZigZag(parent - 2));
        if (at < 0 || at >= trace.rows) return Bad("a parent lies outside its trace");
        batch_.parent_ids[here] = batch_.span_ids[first + static_cast<std::size_t>(at)];
      }
      return {};
    });
  }

  // Visits the runs that are read with the place of their first row in the row group and in the
  // batch.
  template <class Visit>
  Result<void> ForEachRun(const Visit& visit) {
    std::size_t row = 0;
    std::size_t read = 0;
    auto range = rows_.ranges.begin();
    for (const TraceRun& trace : traces_) {
      const std::size_t end = row + trace.rows;
      while (range != rows_.ranges.end() && range->end <= row) ++range;
      if (range == rows_.ranges.end()) break;
      if (end > range->begin && trace.rows > 0) {
        if (row < range->begin || end > range->end)
          return Bad("rows of a part of a trace were asked for");
        FLUORO_CHECK_OK(visit(trace, row, read));
        read += trace.rows;
      }
      row = end;
    }
    return {};
  }

  Result<void> ReadTimes() {
    ByteReader start_column = Column(RowColumn::kStarts);
    FLUORO_TRY(const auto starts, SomeInts(start_column, spans_, rows_));
    ByteReader duration_column = Column(RowColumn::kDurations);
    FLUORO_TRY(const auto durations, SomeInts(duration_column, spans_, rows_));
    batch_.start_ns.resize(rows_.size);
    batch_.end_ns.resize(rows_.size);
    return ForEachRun([&](const TraceRun& trace, std::size_t, std::size_t first) -> Result<void> {
      for (std::size_t row = first; row < first + trace.rows; ++row) {
        batch_.start_ns[row] = WrapAdd(trace.start_ns, static_cast<std::int64_t>(starts[row]));
        batch_.end_ns[row] =
            WrapAdd(batch_.start_ns[row], static_cast<std::int64_t>(durations[row]));
      }
      return {};
    });
  }

  Result<void> ReadSpanColumns() {
    constexpr std::uint64_t kU32 = std::uint64_t{1} << 32;
    FLUORO_CHECK_OK(FillTexts(RowColumn::kNames, batch_.names));
    FLUORO_CHECK_OK(Fill(RowColumn::kResources, resources_, batch_.resources));
    FLUORO_CHECK_OK(Fill(RowColumn::kScopes, scopes_, batch_.scopes));
    FLUORO_CHECK_OK(Fill(RowColumn::kKinds, 256, batch_.kinds));
    FLUORO_CHECK_OK(Fill(RowColumn::kStatuses, 256, batch_.statuses));
    FLUORO_CHECK_OK(Fill(RowColumn::kSources, 256, batch_.sources));
    FLUORO_CHECK_OK(Fill(RowColumn::kFlags, kU32, batch_.flags));
    FLUORO_CHECK_OK(Fill(RowColumn::kOtelFlags, kU32, batch_.otel_flags));
    FLUORO_CHECK_OK(FillTexts(RowColumn::kTraceStates, batch_.trace_states));
    FLUORO_CHECK_OK(FillTexts(RowColumn::kStatusMessages, batch_.status_messages));
    FLUORO_CHECK_OK(Fill(RowColumn::kDroppedAttributes, kU32, batch_.dropped_attributes));
    FLUORO_CHECK_OK(Fill(RowColumn::kDroppedEvents, kU32, batch_.dropped_events));
    FLUORO_CHECK_OK(Fill(RowColumn::kDroppedLinks, kU32, batch_.dropped_links));
    FLUORO_CHECK_OK(FillTexts(RowColumn::kDocuments, batch_.documents));
    batch_.span_attributes.resize(rows_.size);
    batch_.span_events.resize(rows_.size);
    batch_.span_links.resize(rows_.size);
    return {};
  }

  Result<void> ReadResourcesAndScopes() {
    constexpr std::uint64_t kU32 = std::uint64_t{1} << 32;
    ByteReader in = Column(RowColumn::kResourceRows);
    FLUORO_TRY(const auto dropped, SomeInts(in, resources_, resource_rows_, kU32));
    FLUORO_TRY(const auto services, SomeTexts(in, resources_, resource_rows_));
    FLUORO_TRY(const auto schemas, SomeTexts(in, resources_, resource_rows_));
    FLUORO_TRY(const auto entities, SomeTexts(in, resources_, resource_rows_));
    batch_.resource_rows.resize(resource_rows_.size);
    for (std::size_t i = 0; i < resource_rows_.size; ++i) {
      batch_.resource_rows[i] = {.attributes = {},
                                 .dropped_attributes = static_cast<std::uint32_t>(dropped[i]),
                                 .service = services[i],
                                 .schema_url = schemas[i],
                                 .entity_refs = entities[i]};
    }
    ByteReader scope = Column(RowColumn::kScopeRows);
    FLUORO_TRY(const auto scope_dropped, SomeInts(scope, scopes_, scope_rows_, kU32));
    FLUORO_TRY(const auto names, SomeTexts(scope, scopes_, scope_rows_));
    FLUORO_TRY(const auto versions, SomeTexts(scope, scopes_, scope_rows_));
    FLUORO_TRY(const auto scope_schemas, SomeTexts(scope, scopes_, scope_rows_));
    batch_.scope_rows.resize(scope_rows_.size);
    for (std::size_t i = 0; i < scope_rows_.size; ++i) {
      batch_.scope_rows[i] = {.name = names[i],
                              .version = versions[i],
                              .attributes = {},
                              .dropped_attributes = static_cast<std::uint32_t>(scope_dropped[i]),
                              .schema_url = scope_schemas[i]};
    }
    return {};
  }

  // Which of `count` things are used; the uses become places among these.
  static Picks Renumber(std::size_t count, std::vector<std::uint32_t>& uses) {
    std::vector<bool> is_used(count);
    for (const std::uint32_t use : uses) is_used[use] = true;
    Picks picks;
    std::vector<std::uint32_t> places(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!is_used[i]) continue;
      places[i] = picks.size;
      picks.Add({i, i + 1});
    }
    for (std::uint32_t& use : uses) use = places[use];
    return picks;
  }

  // Turns counts a span into ranges; together they must be `total`. Returns what belongs to the
  // rows that are read.
  Result<Picks> ReadRanges(RowColumn id, std::size_t total, std::vector<Range>& ranges) {
    ByteReader in = Column(id);
    FLUORO_TRY(const auto counts, Ints(in, spans_, total + 1));
    Picks picks;
    std::uint64_t end = 0;
    std::size_t next = 0;
    auto range = rows_.ranges.begin();
    for (std::size_t i = 0; i < spans_; ++i) {
      const std::uint64_t begin = end;
      end += counts[i];
      if (end > total) return Bad("more events or links than their columns hold");
      while (range != rows_.ranges.end() && range->end <= i) ++range;
      if (range == rows_.ranges.end() || i < range->begin) continue;
      ranges[next].begin = picks.size;
      if (begin < end)
        picks.Add({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
      ranges[next++].end = picks.size;
    }
    if (end != total) return Bad("fewer events or links than their columns hold");
    return picks;
  }

  Result<void> ReadEvents() {
    FLUORO_TRY(event_rows_, ReadRanges(RowColumn::kEventCounts, events_, batch_.span_events));
    ByteReader time_column = Column(RowColumn::kEventTimes);
    FLUORO_TRY(const auto times, SomeInts(time_column, events_, event_rows_));
    ByteReader name_column = Column(RowColumn::kEventNames);
    FLUORO_TRY(const auto names, SomeTexts(name_column, events_, event_rows_));
    ByteReader dropped_column = Column(RowColumn::kEventDropped);
    FLUORO_TRY(const auto dropped,
               SomeInts(dropped_column, events_, event_rows_, std::uint64_t{1} << 32));
    batch_.events.resize(event_rows_.size);
    for (std::size_t span = 0; span < batch_.size(); ++span) {
      const Range range = batch_.span_events[span];
      for (std::uint32_t i = range.begin; i < range.end; ++i) {
        batch_.events[i] = {.time_ns = WrapAdd(batch_.start_ns[span], UnZigZag(times[i])),
                            .name = names[i],
                            .attributes = {},
                            .dropped_attributes = static_cast<std::uint32_t>(dropped[i])};
      }
    }
    return {};
  }

  Result<void> ReadLinks() {
    FLUORO_TRY(link_rows_, ReadRanges(RowColumn::kLinkCounts, links_, batch_.span_links));
    ByteReader id_column = Column(RowColumn::kLinkIds);
    FLUORO_TRY(const std::string_view ids, id_column.Take(std::uint64_t{24} * links_));
    ByteReader in = Column(RowColumn::kLinkRows);
    FLUORO_TRY(const auto states, SomeTexts(in, links_, link_rows_));
    FLUORO_TRY(const auto dropped, SomeInts(in, links_, link_rows_, std::uint64_t{1} << 32));
    FLUORO_TRY(const auto flags, SomeInts(in, links_, link_rows_, std::uint64_t{1} << 32));
    batch_.links.resize(link_rows_.size);
    std::size_t next = 0;
    for (const Range range : link_rows_.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i, ++next) {
        model::LinkRow& link = batch_.links[next];
        std::memcpy(link.trace_id.bytes.data(), ids.data() + i * 24, 16);
        std::memcpy(link.span_id.bytes.data(), ids.data() + i * 24 + 16, 8);
        link.trace_state = states[next];
        link.dropped_attributes = static_cast<std::uint32_t>(dropped[next]);
        link.otel_flags = static_cast<std::uint32_t>(flags[next]);
      }
    }
    return {};
  }

  std::uint32_t AddKey(std::string_view key) {
    const auto [at, is_new] =
        key_ids_.try_emplace(std::string(key), static_cast<std::uint32_t>(batch_.keys.size()));
    if (is_new) batch_.keys.push_back(batch_.AddText(key));
    return at->second;
  }

  Result<void> ReadDirectory() {
    ByteReader in = Column(RowColumn::kAttributeKeys);
    FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left() / 4 + 1));
    attribute_columns_.resize(count);
    for (AttributeColumn& column : attribute_columns_) {
      FLUORO_TRY(const std::uint8_t owner, in.TakeU8());
      FLUORO_TRY(const std::uint8_t type, in.TakeU8());
      FLUORO_TRY(const std::uint8_t role, in.TakeU8());
      FLUORO_TRY(const std::string_view key, in.TakeText());
      if (owner >= kAttributeOwners || type > static_cast<std::uint8_t>(AttributeType::kKvList)) {
        return Bad("an attribute column has an unknown owner or type");
      }
      column.owner = owner;
      column.type = static_cast<AttributeType>(type);
      column.role = static_cast<model::AttributeRole>(role);
      column.key = AddKey(key);
    }
    return {};
  }

  Result<void> ReadShapes(std::size_t owner, std::size_t owners_count, std::uint64_t& cells) {
    ByteReader in = Column(RowColumn::kShapes, owner);
    FLUORO_TRY(const CodedTexts texts, DecodeCodedTexts(in, owners_count));
    OwnerShapes& to = shapes_[owner];
    to.shapes.resize(texts.entries.size());
    const std::vector<std::uint64_t> uses = texts.Uses(owners_count);
    for (std::size_t i = 0; i < texts.entries.size(); ++i) {
      const std::string_view entry = texts.Entry(i);
      if (entry.size() % 4 != 0) return Bad("a shape is cut");
      std::vector<std::uint32_t>& shape = to.shapes[i];
      shape.resize(entry.size() / 4);
      if (!shape.empty()) std::memcpy(shape.data(), entry.data(), entry.size());
      cells += shape.size() * uses[i];
      if (cells > kRowGroupRowsMax) return Bad("too many attributes");
      for (const std::uint32_t column : shape) {
        if (column > attribute_columns_.size() ||
            (column > 0 && attribute_columns_[column - 1].owner != owner)) {
          return Bad("a shape names no column of its owner");
        }
        if (column > 0) attribute_columns_[column - 1].values += uses[i];
      }
    }
    to.codes.reserve(owners_count);
    for (std::size_t i = 0; i < owners_count; ++i)
      to.codes.push_back(static_cast<std::uint32_t>(texts.CodeOf(i)));
    return {};
  }

  Result<AttributeCell> TakeOverflow(ByteReader& in) {
    AttributeCell cell;
    FLUORO_TRY(const std::string_view key, in.TakeText());
    FLUORO_TRY(const std::uint8_t type, in.TakeU8());
    FLUORO_TRY(const std::uint8_t role, in.TakeU8());
    cell.key = AddKey(key);
    cell.type = static_cast<AttributeType>(type);
    cell.role = static_cast<model::AttributeRole>(role);
    if (!model::IsText(cell.type)) {
      FLUORO_TRY(cell.payload, in.TakeFixed64());
      return cell;
    }
    FLUORO_TRY(const std::string_view text, in.TakeText());
    if (batch_.arena.size() + text.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Bad("more than 4 GiB of text");
    }
    cell.set_text(batch_.AddText(text));
    return cell;
  }

  Result<void> FillCells(std::size_t owner, std::size_t index, Range& range, ByteReader& overflow) {
    const OwnerShapes& shapes = shapes_[owner];
    const auto begin = static_cast<std::uint32_t>(batch_.attributes.size());
    for (const std::uint32_t place : shapes.shapes[shapes.codes[index]]) {
      if (place == 0) {
        FLUORO_TRY(const AttributeCell cell, TakeOverflow(overflow));
        batch_.attributes.push_back(cell);
        continue;
      }
      AttributeColumn& column = attribute_columns_[place - 1];
      AttributeCell cell{
          .key = column.key, .type = column.type, .role = column.role, .reserved = 0, .payload = 0};
      const std::size_t at = column.next++;
      if (model::IsText(column.type)) {
        cell.set_text(column.texts[at]);
      } else if (column.type == AttributeType::kInt) {
        cell.payload = static_cast<std::uint64_t>(UnZigZag(column.numbers[at]));
      } else if (column.type != AttributeType::kNull) {
        cell.payload = column.numbers[at];
      }
      batch_.attributes.push_back(cell);
    }
    range = {begin, static_cast<std::uint32_t>(batch_.attributes.size())};
    return {};
  }

  Result<void> ReadAttributes() {
    const std::array<std::size_t, kAttributeOwners> owners{resources_, scopes_, spans_, events_,
                                                           links_};
    const std::array<Picks, kAttributeOwners> wanted{resource_rows_, scope_rows_, rows_,
                                                     event_rows_, link_rows_};
    std::uint64_t cells = 0;
    for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
      FLUORO_CHECK_OK(ReadShapes(owner, owners[owner], cells));
      PickValues(shapes_[owner], wanted[owner]);
    }
    std::size_t wanted_cells = 0;
    for (std::size_t i = 0; i < attribute_columns_.size(); ++i) {
      AttributeColumn& column = attribute_columns_[i];
      wanted_cells += column.wanted.size;
      if (column.wanted.size == 0 && column.values > 0) continue;
      FLUORO_TRY(ByteReader in, AttributeColumnOf(i));
      if (model::IsText(column.type)) {
        FLUORO_TRY(column.texts, SomeTexts(in, column.values, column.wanted));
      } else if (column.type != AttributeType::kNull) {
        FLUORO_TRY(column.numbers, SomeInts(in, column.values, column.wanted));
      }
    }
    batch_.attributes.reserve(wanted_cells);
    for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
      ByteReader overflow = Column(RowColumn::kOverflow, owner);
      std::uint32_t passed = 0;
      std::size_t next = 0;
      for (const Range range : wanted[owner].ranges) {
        if (overflow.left() > 0)
          FLUORO_CHECK_OK(SkipOverflow(shapes_[owner], {passed, range.begin}, overflow));
        for (std::uint32_t i = range.begin; i < range.end; ++i)
          FLUORO_CHECK_OK(FillCells(owner, i, RangeOf(owner, next++), overflow));
        passed = range.end;
      }
    }
    return {};
  }

  // Which values of the columns are those of the owners that are read.
  void PickValues(const OwnerShapes& shapes, const Picks& owners) {
    std::vector<std::uint64_t> uses(shapes.shapes.size());
    std::vector<std::uint32_t> used;
    std::uint32_t passed = 0;
    for (const Range range : owners.ranges) {
      for (std::uint32_t i = passed; i < range.begin; ++i) {
        if (uses[shapes.codes[i]]++ == 0) used.push_back(shapes.codes[i]);
      }
      for (const std::uint32_t shape : used) {
        for (const std::uint32_t column : shapes.shapes[shape]) {
          if (column > 0) attribute_columns_[column - 1].passed += uses[shape];
        }
        uses[shape] = 0;
      }
      used.clear();
      for (std::uint32_t i = range.begin; i < range.end; ++i) {
        for (const std::uint32_t column : shapes.shapes[shapes.codes[i]]) {
          if (column == 0) continue;
          AttributeColumn& values = attribute_columns_[column - 1];
          const auto at = static_cast<std::uint32_t>(values.passed++);
          values.wanted.Add({at, at + 1});
        }
      }
      passed = range.end;
    }
  }

  // Passes over what stands outside the columns of these owners.
  static Result<void> SkipOverflow(const OwnerShapes& shapes, Range owners, ByteReader& overflow) {
    for (std::uint32_t i = owners.begin; i < owners.end; ++i) {
      for (const std::uint32_t place : shapes.shapes[shapes.codes[i]]) {
        if (place != 0) continue;
        FLUORO_CHECK_OK(overflow.TakeText());
        FLUORO_TRY(const std::uint8_t type, overflow.TakeU8());
        FLUORO_CHECK_OK(overflow.TakeU8());
        if (model::IsText(static_cast<AttributeType>(type))) {
          FLUORO_CHECK_OK(overflow.TakeText());
        } else {
          FLUORO_CHECK_OK(overflow.TakeFixed64());
        }
      }
    }
    return {};
  }

  Range& RangeOf(std::size_t owner, std::size_t i) {
    switch (static_cast<AttributeOwner>(owner)) {
      case AttributeOwner::kResource:
        return batch_.resource_rows[i].attributes;
      case AttributeOwner::kScope:
        return batch_.scope_rows[i].attributes;
      case AttributeOwner::kSpan:
        return batch_.span_attributes[i];
      case AttributeOwner::kEvent:
        return batch_.events[i].attributes;
      case AttributeOwner::kLink:
        break;
    }
    return batch_.links[i].attributes;
  }

  const std::map<std::uint32_t, std::string_view>& columns_;
  const std::span<const TraceRun> traces_;
  const ColumnReader attributes_;  // empty: they are among the columns
  SpanBatch batch_;
  std::size_t spans_ = 0, resources_ = 0, scopes_ = 0, events_ = 0, links_ = 0;
  Picks rows_;  // that are read, and what belongs to them
  Picks event_rows_, link_rows_;
  Picks resource_rows_, scope_rows_;  // that these have
  std::vector<AttributeColumn> attribute_columns_;
  std::array<OwnerShapes, kAttributeOwners> shapes_;
  std::unordered_map<std::string, std::uint32_t> key_ids_;
};

}  // namespace

Result<SpanBatch> DecodeRowGroup(const std::map<std::uint32_t, std::string_view>& columns,
                                 std::span<const TraceRun> traces) {
  return Reader(columns, traces).Read();
}

Result<SpanBatch> DecodeRows(const std::map<std::uint32_t, std::string_view>& columns,
                             std::span<const TraceRun> traces, std::span<const Range> rows,
                             const ColumnReader& attributes) {
  return Reader(columns, traces, attributes).Read(rows);
}

Result<std::vector<model::SpanKey>> DecodeSpanKeys(
    const std::map<std::uint32_t, std::string_view>& columns, std::span<const TraceRun> traces) {
  return Reader(columns, traces).ReadKeys();
}

}  // namespace fluoro::store
