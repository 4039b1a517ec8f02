#include <algorithm>
#include <unordered_set>

#include "base/assert.h"
#include "store/embedded/fuse_filter.h"
#include "store/embedded/row_group.h"
#include "store/embedded/row_group_index.h"

namespace fluoro::store {
namespace {

using model::AttributeCell;
using model::AttributeType;
using model::Range;
using model::SpanBatch;
using model::TextRef;

// Beyond so many attribute columns a row group keeps further keys in one list a kind of owner.
constexpr std::size_t kAttributeColumnsMax = 4'096;
constexpr std::size_t kKeyVariants = kAttributeOwners * 16;
// So many rows are handed to their columns at once.
constexpr std::size_t kRowsAtOnce = 64;
// What an emptied builder keeps for the next row group.
constexpr std::size_t kSpareColumnsMax = 256;
constexpr std::size_t kKeptKeysMax = 4'096;
constexpr std::size_t kTextsKeptMax = std::size_t{1} << 20;
// In a batch with less text a row counts with the average.
constexpr std::size_t kSmallBatchBytes = std::size_t{1} << 20;

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

std::uint64_t Bits(const model::SpanId& id) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, id.bytes.data(), 8);
  return bits;
}

}  // namespace

struct RowGroupBuilder::State {
  struct Row {
    const SpanBatch* batch;
    std::uint32_t row;
    std::uint32_t map;  // place in maps
  };
  // Rows added at once: parents are looked for among them.
  struct Run {
    std::int64_t start_ns;  // of the trace
    std::size_t rows;
  };
  struct AttributeColumn {
    AttributeOwner owner;
    AttributeType type;
    model::AttributeRole role;
    std::uint32_t key;
    TextColumn texts;
    std::vector<std::uint64_t> numbers;
    std::vector<std::string_view> waiting;  // texts that are not added yet
  };
  // What one source batch's indexes mean here; 0: not seen yet.
  struct BatchMap {
    struct Key {
      std::uint32_t id = 0;  // + 1
      // The variant met last, and its column.
      std::uint32_t variant = UINT32_MAX;
      std::uint32_t column = 0;
    };
    // Spans with the same keys and types in the same order, and where their values go.
    struct Shape {
      std::vector<std::uint64_t> cells;  // what stands before their payloads
      std::vector<std::uint32_t> columns;
      std::uint32_t code = 0;  // in shapes
    };
    static constexpr std::size_t kShapes = 8;
    static constexpr std::size_t kFewSpans = 8;
    std::vector<Key> keys;
    std::vector<std::uint32_t> resources, scopes;
    std::vector<Shape> shapes;  // met last, by ShapePlace; none of a batch of a few spans
  };
  // Columns in which most batches have nothing, as bits.
  enum Blank : std::uint32_t {
    kNoTraceStates = 1U << 0U,
    kNoStatusMessages = 1U << 1U,
    kNoDocuments = 1U << 2U,
    kNoFlags = 1U << 3U,
    kNoOtelFlags = 1U << 4U,
    kNoDroppedAttributes = 1U << 5U,
    kNoDroppedEvents = 1U << 6U,
    kNoDroppedLinks = 1U << 7U,
    kNoEvents = 1U << 8U,
    kNoLinks = 1U << 9U,
  };

  std::vector<Row> rows;
  std::vector<Run> runs;
  std::vector<BatchMap> maps;
  std::unordered_map<const SpanBatch*, std::uint32_t> map_of;
  std::size_t bytes = 0;
  std::uint32_t blank = UINT32_MAX;  // Blank of all batches

  // Filled by Finish.
  std::vector<std::uint32_t> resources, scopes;
  TextColumn names;
  std::vector<std::uint32_t> resource_dropped, scope_dropped;
  TextColumn resource_services, resource_schemas, resource_entities, scope_names, scope_versions,
      scope_schemas;
  std::vector<std::uint32_t> service_of;  // by resource: code in resource_services
  std::array<TextColumn, kAttributeOwners> shapes;
  std::array<std::string, kAttributeOwners> overflow;
  std::vector<AttributeColumn> columns;
  std::vector<AttributeColumn> spare_columns;
  std::vector<std::uint32_t> columns_waiting;  // with texts that are not added yet
  std::vector<std::string> keys;
  std::unordered_map<std::string, std::uint32_t, KeyHash, std::equal_to<>> key_ids;
  std::vector<std::uint32_t> column_of;  // [key * kKeyVariants + owner * 16 + type * 2 + role]: + 1
  std::unordered_map<std::string, std::uint32_t> known_resources, known_scopes;
  std::vector<std::uint32_t> shape;
  std::string content;
  std::unordered_map<std::uint64_t, std::uint32_t> rows_by_id;
  std::vector<std::uint32_t> numbers;
  std::vector<std::uint64_t> wide_numbers;
  TextColumn texts;
  ZonesBuilder zones;
  AttributeWatch watch;
  std::vector<std::uint32_t> resource_spans;  // by resource; if values are watched

  std::uint32_t MapOf(const SpanBatch& batch) {
    if (!rows.empty() && rows.back().batch == &batch) return rows.back().map;
    const auto [at, is_new] = map_of.try_emplace(&batch, static_cast<std::uint32_t>(maps.size()));
    if (is_new) {
      BatchMap& map = maps.emplace_back();
      map.keys.resize(batch.keys.size() + 1);
      map.resources.resize(batch.resource_rows.size());
      map.scopes.resize(batch.scope_rows.size());
      if (batch.size() > BatchMap::kFewSpans) map.shapes.resize(BatchMap::kShapes);
      blank &= BlankOf(batch);
    }
    return at->second;
  }

  static std::uint32_t BlankOf(const SpanBatch& batch) {
    std::uint32_t blank = 0;
    const auto look = [&blank](Blank bit, const auto& column, auto&& part) {
      std::uint32_t seen = 0;
      for (const auto& value : column) seen |= part(value);
      if (seen == 0) blank |= bit;
    };
    const auto bytes_of = [](TextRef text) { return text.bytes; };
    const auto size_of = [](Range range) { return range.end - range.begin; };
    const auto itself = [](std::uint32_t number) { return number; };
    look(kNoTraceStates, batch.trace_states, bytes_of);
    look(kNoStatusMessages, batch.status_messages, bytes_of);
    look(kNoDocuments, batch.documents, bytes_of);
    look(kNoFlags, batch.flags, itself);
    look(kNoOtelFlags, batch.otel_flags, itself);
    look(kNoDroppedAttributes, batch.dropped_attributes, itself);
    look(kNoDroppedEvents, batch.dropped_events, itself);
    look(kNoDroppedLinks, batch.dropped_links, itself);
    look(kNoEvents, batch.span_events, size_of);
    look(kNoLinks, batch.span_links, size_of);
    return blank;
  }

  std::uint32_t KeyOf(const SpanBatch& batch, BatchMap::Key& known, std::uint32_t key) {
    if (known.id != 0) return known.id - 1;
    const std::string_view text = batch.Key(key);
    std::uint32_t id = 0;
    if (const auto at = key_ids.find(text); at != key_ids.end()) {
      id = at->second;
    } else {
      id = static_cast<std::uint32_t>(keys.size());
      keys.emplace_back(text);
      key_ids.emplace(text, id);
      column_of.resize(keys.size() * kKeyVariants);
    }
    known.id = id + 1;
    return id;
  }

  void AddOverflow(const SpanBatch& batch, const AttributeCell& cell, AttributeOwner owner) {
    ByteWriter out(overflow[static_cast<std::size_t>(owner)]);
    out.PutText(batch.Key(cell.key));
    PutValue(batch, cell, out);
  }

  static void PutValue(const SpanBatch& batch, const AttributeCell& cell, ByteWriter& out) {
    out.PutU8(static_cast<std::uint8_t>(cell.type));
    out.PutU8(static_cast<std::uint8_t>(cell.role));
    if (model::IsText(cell.type)) {
      out.PutText(batch.Text(cell.text()));
    } else {
      out.PutFixed64(cell.payload);
    }
  }

  static std::uint32_t VariantOf(const AttributeCell& cell, AttributeOwner owner) {
    return static_cast<std::uint32_t>(static_cast<std::size_t>(owner) * 16 +
                                      static_cast<std::size_t>(cell.type) * 2 +
                                      static_cast<std::size_t>(cell.role));
  }
  // The number of the cell's column, from 1; 0: there are too many.
  std::uint32_t ColumnOf(const SpanBatch& batch, BatchMap& map, const AttributeCell& cell,
                         AttributeOwner owner) {
    BatchMap::Key& known = map.keys[cell.key];
    const std::uint32_t variant = VariantOf(cell, owner);
    if (known.variant == variant) [[likely]]
      return known.column;
    return FindColumn(batch, known, cell, owner);
  }
  [[gnu::noinline]] std::uint32_t FindColumn(const SpanBatch& batch, BatchMap::Key& known,
                                             const AttributeCell& cell, AttributeOwner owner) {
    const std::uint32_t variant = VariantOf(cell, owner);
    const std::uint32_t key = KeyOf(batch, known, cell.key);
    std::uint32_t& column = column_of[key * kKeyVariants + variant];
    if (column == 0 && columns.size() < kAttributeColumnsMax) {
      AttributeColumn fresh{};
      if (!spare_columns.empty()) {
        fresh = std::move(spare_columns.back());
        spare_columns.pop_back();
      }
      fresh.owner = owner;
      fresh.type = cell.type;
      fresh.role = cell.role;
      fresh.key = key;
      columns.push_back(std::move(fresh));
      column = static_cast<std::uint32_t>(columns.size());
    }
    known.variant = variant;
    known.column = column;
    return column;
  }

  void AddAttributes(const SpanBatch& batch, BatchMap& map, Range range, AttributeOwner owner) {
    shape.resize(range.size());
    std::uint32_t* next = shape.data();
    for (const AttributeCell& cell : CellsOf(batch, range)) {
      const std::uint32_t column = ColumnOf(batch, map, cell, owner);
      *next++ = column;
      if (column == 0) [[unlikely]] {
        AddOverflow(batch, cell, owner);
      } else {
        AddValue(batch, cell, column - 1);
      }
    }
    shapes[static_cast<std::size_t>(owner)].AddCoded(
        {reinterpret_cast<const char*>(shape.data()), shape.size() * sizeof(shape[0])});
  }

  // As AddAttributes; a shape that this batch had before takes fewer steps.
  void AddSpanAttributes(const SpanBatch& batch, BatchMap& map, Range range) {
    if (map.shapes.empty()) return AddAttributes(batch, map, range, AttributeOwner::kSpan);
    const auto cells = CellsOf(batch, range);
    BatchMap::Shape& known = map.shapes[ShapePlace(cells)];
    if (HasShape(cells, known)) {
      for (std::size_t i = 0; i < cells.size(); ++i) AddValue(batch, cells[i], known.columns[i]);
      shapes[static_cast<std::size_t>(AttributeOwner::kSpan)].AddCode(known.code);
      return;
    }
    AddAttributes(batch, map, range, AttributeOwner::kSpan);
    known.cells.clear();
    if (std::ranges::find(shape, 0U) != shape.end()) return;
    known.columns.clear();
    for (const AttributeCell& cell : cells) known.cells.push_back(ShapeOf(cell));
    for (const std::uint32_t column : shape) known.columns.push_back(column - 1);
    known.code = shapes[static_cast<std::size_t>(AttributeOwner::kSpan)].codes().back();
  }

  static std::span<const AttributeCell> CellsOf(const SpanBatch& batch, Range range) {
    return std::span(batch.attributes).subspan(range.begin, range.size());
  }
  static std::uint64_t ShapeOf(const AttributeCell& cell) {
    std::uint64_t word = 0;
    static_assert(offsetof(AttributeCell, payload) == sizeof word);
    std::memcpy(&word, &cell, sizeof word);
    return word;
  }
  static std::size_t ShapePlace(std::span<const AttributeCell> cells) {
    return cells.empty() ? 0 : (cells.size() + cells.back().key) % BatchMap::kShapes;
  }
  static bool HasShape(std::span<const AttributeCell> cells, const BatchMap::Shape& known) {
    if (cells.empty() || cells.size() != known.cells.size()) return false;
    std::uint64_t differ = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) differ |= ShapeOf(cells[i]) ^ known.cells[i];
    return differ == 0;
  }

  // Of a type that has values: to its column, or to what waits for it.
  [[gnu::always_inline]] void AddValue(const SpanBatch& batch, const AttributeCell& cell,
                                       std::uint32_t column) {
    AttributeColumn& to = columns[column];
    switch (cell.type) {
      case AttributeType::kNull:
        break;
      case AttributeType::kInt:
        to.numbers.push_back(ZigZag(static_cast<std::int64_t>(cell.payload)));
        break;
      case AttributeType::kBool:
      case AttributeType::kDouble:
        to.numbers.push_back(cell.payload);
        break;
      default:
        if (to.waiting.empty()) columns_waiting.push_back(column);
        const TextRef text = cell.text();
        to.waiting.emplace_back(batch.arena.data() + text.offset, text.bytes);
        __builtin_prefetch(to.waiting.back().data());
    }
  }

  // Column by column: what a column remembers of its texts stays near while it takes many, and they
  // have been fetched meanwhile.
  void AddWaitingTexts() {
    for (const std::uint32_t column : columns_waiting) {
      AttributeColumn& to = columns[column];
      for (const std::string_view text : to.waiting) to.texts.Add(text);
      to.waiting.clear();
    }
    columns_waiting.clear();
  }

  void PutContent(const SpanBatch& batch, Range range) {
    ByteWriter out(content);
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const AttributeCell& cell = batch.attributes[i];
      out.PutText(batch.Key(cell.key));
      PutValue(batch, cell, out);
    }
  }

  [[gnu::noinline]] std::uint32_t AddResource(const SpanBatch& batch, BatchMap& map,
                                              std::uint32_t index) {
    const model::ResourceRow& row = batch.resource_rows[index];
    content.clear();
    ByteWriter out(content);
    out.PutVarint(row.dropped_attributes);
    for (const TextRef text : {row.service, row.schema_url, row.entity_refs})
      out.PutText(batch.Text(text));
    PutContent(batch, row.attributes);
    const auto [at, is_new] =
        known_resources.try_emplace(content, static_cast<std::uint32_t>(known_resources.size()));
    map.resources[index] = at->second + 1;
    if (is_new) {
      resource_dropped.push_back(row.dropped_attributes);
      service_of.push_back(resource_services.AddCoded(batch.Text(row.service)));
      resource_schemas.Add(batch.Text(row.schema_url));
      resource_entities.Add(batch.Text(row.entity_refs));
      AddAttributes(batch, map, row.attributes, AttributeOwner::kResource);
    }
    return at->second;
  }

  [[gnu::noinline]] std::uint32_t AddScope(const SpanBatch& batch, BatchMap& map,
                                           std::uint32_t index) {
    const model::ScopeRow& row = batch.scope_rows[index];
    content.clear();
    ByteWriter out(content);
    out.PutVarint(row.dropped_attributes);
    for (const TextRef text : {row.name, row.version, row.schema_url})
      out.PutText(batch.Text(text));
    PutContent(batch, row.attributes);
    const auto [at, is_new] =
        known_scopes.try_emplace(content, static_cast<std::uint32_t>(known_scopes.size()));
    map.scopes[index] = at->second + 1;
    if (is_new) {
      scope_dropped.push_back(row.dropped_attributes);
      scope_names.Add(batch.Text(row.name));
      scope_versions.Add(batch.Text(row.version));
      scope_schemas.Add(batch.Text(row.schema_url));
      AddAttributes(batch, map, row.attributes, AttributeOwner::kScope);
    }
    return at->second;
  }

  // One number a span. `bit`: of Blank, if it has one.
  template <class Get>
  void Ints(std::string& out, std::uint32_t bit, Get&& get) {
    numbers.assign(rows.size(), 0);
    if ((blank & bit) == 0) {
      for (std::size_t i = 0; i < rows.size(); ++i)
        numbers[i] = static_cast<std::uint32_t>(get(*rows[i].batch, rows[i].row));
    }
    EncodeInts(numbers, out);
  }
  template <class Get>
  void Texts(std::string& out, std::uint32_t bit, Get&& get) {
    texts.Clear();
    if ((blank & bit) == 0) {
      for (const Row& row : rows) texts.Add(row.batch->Text(get(*row.batch, row.row)));
    } else {
      const std::uint32_t code = texts.AddCoded("");
      for (std::size_t i = 1; i < rows.size(); ++i) texts.AddCode(code);
    }
    texts.Encode(out);
  }

  void Starts(std::string& out) {
    wide_numbers.clear();
    std::size_t at = 0;
    for (const Run& run : runs) {
      for (const std::size_t end = at + run.rows; at < end; ++at) {
        const std::int64_t start_ns = rows[at].batch->start_ns[rows[at].row];
        wide_numbers.push_back(static_cast<std::uint64_t>(WrapSub(start_ns, run.start_ns)));
      }
    }
    EncodeInts(wide_numbers, out);
  }
  void Durations(std::string& out) {
    wide_numbers.clear();
    for (const Row& row : rows) {
      wide_numbers.push_back(static_cast<std::uint64_t>(
          WrapSub(row.batch->end_ns[row.row], row.batch->start_ns[row.row])));
    }
    EncodeInts(wide_numbers, out);
  }

  void MapResources() {
    resources.resize(rows.size());
    scopes.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& [batch, row, number] = rows[i];
      BatchMap& map = maps[number];
      const std::uint32_t resource = map.resources[batch->resources[row]];
      const std::uint32_t scope = map.scopes[batch->scopes[row]];
      resources[i] = resource != 0 ? resource - 1 : AddResource(*batch, map, batch->resources[row]);
      scopes[i] = scope != 0 ? scope - 1 : AddScope(*batch, map, batch->scopes[row]);
    }
  }

  [[nodiscard]] std::pair<std::size_t, std::size_t> CountEventsAndLinks() const {
    std::pair<std::size_t, std::size_t> counts;
    constexpr std::uint32_t kNeither = kNoEvents | kNoLinks;
    if ((blank & kNeither) == kNeither) return counts;
    for (const Row& row : rows) {
      counts.first += row.batch->span_events[row.row].size();
      counts.second += row.batch->span_links[row.row].size();
    }
    return counts;
  }
  template <class Visit>
  void ForEachEvent(Visit&& visit) const {
    if ((blank & kNoEvents) != 0) return;
    for (const Row& row : rows) {
      const Range events = row.batch->span_events[row.row];
      for (std::uint32_t e = events.begin; e < events.end; ++e)
        visit(*row.batch, row.row, row.batch->events[e]);
    }
  }
  template <class Visit>
  void ForEachLink(Visit&& visit) const {
    if ((blank & kNoLinks) != 0) return;
    for (const Row& row : rows) {
      const Range links = row.batch->span_links[row.row];
      for (std::uint32_t l = links.begin; l < links.end; ++l)
        visit(*row.batch, row.batch->links[l]);
    }
  }

  void LinkRows(std::string& out) {
    texts.Clear();
    ForEachLink([&](const SpanBatch& b, const model::LinkRow& link) {
      texts.Add(b.Text(link.trace_state));
    });
    texts.Encode(out);
    numbers.clear();
    ForEachLink([&](const SpanBatch&, const model::LinkRow& link) {
      numbers.push_back(link.dropped_attributes);
    });
    EncodeInts(numbers, out);
    numbers.clear();
    ForEachLink(
        [&](const SpanBatch&, const model::LinkRow& link) { numbers.push_back(link.otel_flags); });
    EncodeInts(numbers, out);
  }

  // Those of resources and scopes came with these.
  void AddAllAttributes() {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i % kRowsAtOnce == 0) AddWaitingTexts();
      const Row& row = rows[i];
      const SpanBatch& b = *row.batch;
      BatchMap& map = maps[row.map];
      AddSpanAttributes(b, map, b.span_attributes[row.row]);
      const Range events = b.span_events[row.row];
      for (std::uint32_t e = events.begin; e < events.end; ++e)
        AddAttributes(b, map, b.events[e].attributes, AttributeOwner::kEvent);
      const Range links = b.span_links[row.row];
      for (std::uint32_t l = links.begin; l < links.end; ++l)
        AddAttributes(b, map, b.links[l].attributes, AttributeOwner::kLink);
    }
    AddWaitingTexts();
  }

  // A parent inside the run becomes a distance in rows; others keep their eight bytes.
  void Parents(std::string& out, std::string& parent_ids) {
    wide_numbers.clear();
    std::size_t first = 0;
    for (const Run& run : runs) {
      AddParents(std::span(rows).subspan(first, run.rows), parent_ids);
      first += run.rows;
    }
    EncodeInts(wide_numbers, out);
  }
  void AddParents(std::span<const Row> run, std::string& parent_ids) {
    rows_by_id.clear();
    const bool few = run.size() <= 16;
    if (!few) {
      for (std::uint32_t i = 0; i < run.size(); ++i)
        rows_by_id.try_emplace(Bits(run[i].batch->span_ids[run[i].row]), i);
    }
    const auto find = [&](std::uint64_t id) -> std::int64_t {
      if (!few) {
        const auto at = rows_by_id.find(id);
        return at == rows_by_id.end() ? -1 : std::int64_t{at->second};
      }
      for (std::size_t i = 0; i < run.size(); ++i) {
        if (Bits(run[i].batch->span_ids[run[i].row]) == id) return static_cast<std::int64_t>(i);
      }
      return -1;
    };
    for (std::uint32_t i = 0; i < run.size(); ++i) {
      const model::SpanId& parent = run[i].batch->parent_ids[run[i].row];
      if (parent.IsZero()) {
        wide_numbers.push_back(0);
        continue;
      }
      if (const std::int64_t at = find(Bits(parent)); at >= 0) {
        wide_numbers.push_back(2 + ZigZag(at - std::int64_t{i}));
        continue;
      }
      wide_numbers.push_back(1);
      parent_ids.append(reinterpret_cast<const char*>(parent.bytes.data()), 8);
    }
  }

  void CollectOperations(Operations& operations) const {
    std::unordered_set<std::uint64_t> seen;  // service << 40 | name << 8 | kind
    std::array<std::uint64_t, 512> last{};   // met last, + 1, by hash
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::uint32_t name = names.codes()[i];
      const std::uint64_t operation = std::uint64_t{service_of[resources[i]]} << 40 |
                                      std::uint64_t{name} << 8 |
                                      static_cast<std::uint64_t>(rows[i].batch->kinds[rows[i].row]);
      std::uint64_t& before = last[operation * 0x9e3779b97f4a7c15U >> 55];
      if (before == operation + 1) continue;
      before = operation + 1;
      seen.insert(operation);
    }
    for (const std::uint64_t operation : seen) {
      const std::string_view service =
          resource_services.Entry(static_cast<std::uint32_t>(operation >> 40));
      auto at = operations.find(service);
      if (at == operations.end()) at = operations.try_emplace(std::string(service)).first;
      at->second.insert(
          {.name = std::string(names.Entry(static_cast<std::uint32_t>(operation >> 8))),
           .kind = static_cast<model::SpanKind>(operation & 0xff)});
    }
  }

  // @param column_bytes  of the column as it was encoded.
  void AddZone(const AttributeColumn& column, std::size_t column_bytes) {
    const std::string_view key = keys[column.key];
    std::vector<std::uint64_t> hashes;
    const bool is_filtered = IsFiltered(column, column_bytes);
    if (is_filtered || watch.values != nullptr) {
      hashes.reserve(column.texts.uninterned());
      column.texts.VisitUninterned(
          [&](std::string_view text) { hashes.push_back(FuseFilter::KeyOf(text)); });
    }
    cardinality::KeyValues* seen = watch.values == nullptr ? nullptr : watch.values->Of(key);
    if (seen != nullptr) {
      seen->carriers |= CarrierOf(column.owner, column.role);
      seen->bytes += column_bytes;
      const std::span<const std::uint32_t> weights =
          column.owner == AttributeOwner::kResource ? std::span<const std::uint32_t>(resource_spans)
                                                    : std::span<const std::uint32_t>();
      if (column.type == AttributeType::kString) {
        const bool is_open = watch.policy == nullptr || watch.policy->IsOpen(key);
        WatchTexts(column.texts, hashes, weights, is_open, *seen);
      } else if (!model::IsText(column.type) && column.type != AttributeType::kNull) {
        WatchNumbers(column.numbers, weights, *seen);
      }
    }
    if (column.owner != AttributeOwner::kSpan && column.owner != AttributeOwner::kResource) return;
    const Zone zone{.owner = column.owner, .type = column.type, .role = column.role, .key = key};
    if (is_filtered) {
      const std::size_t filter_bytes = zones.AddFiltered(zone, std::move(hashes));
      if (seen != nullptr) seen->index_bytes += filter_bytes;
    } else if (model::IsText(column.type) || column.type == AttributeType::kNull) {
      zones.AddOther(zone);
    } else {
      zones.AddNumbers(zone, column.numbers);
    }
  }
  [[nodiscard]] bool IsFiltered(const AttributeColumn& column, std::size_t column_bytes) const {
    return column.type == AttributeType::kString &&
           (column.owner == AttributeOwner::kSpan || column.owner == AttributeOwner::kResource) &&
           ZonesBuilder::IsFilterWorth(column.texts.uninterned(), column_bytes) &&
           (watch.policy == nullptr || watch.policy->HasFilter(keys[column.key]));
  }

  void CountResourceSpans() {
    if (watch.values == nullptr) return;
    resource_spans.assign(resource_dropped.size(), 0);
    for (const std::uint32_t resource : resources) ++resource_spans[resource];
  }

  // @param has_overflow  attributes of spans or resources stand outside the columns.
  ZonesBuilder::Encoded FinishZones(bool has_overflow) {
    std::uint64_t flags = 0;
    std::uint64_t statuses = 0;
    bool has_documents = false;
    for (const Row& row : rows) {
      flags |= row.batch->flags[row.row];
      statuses |= std::uint64_t{1} << (static_cast<unsigned>(row.batch->statuses[row.row]) & 63);
      has_documents = has_documents || row.batch->documents[row.row].bytes > 0;
    }
    zones.SetSpans(flags, statuses, has_documents, has_overflow);
    return zones.Finish();
  }

  // Ready for the next row group; memory is kept where it will be of use.
  void Clear() {
    rows.clear();
    runs.clear();
    maps.clear();
    map_of.clear();
    bytes = 0;
    blank = UINT32_MAX;
    resources.clear();
    scopes.clear();
    service_of.clear();
    resource_dropped.clear();
    scope_dropped.clear();
    for (TextColumn* column : {&names, &resource_services, &resource_schemas, &resource_entities,
                               &scope_names, &scope_versions, &scope_schemas})
      column->Clear();
    for (TextColumn& column : shapes) column.Clear();
    for (std::string& bytes_of_owner : overflow) bytes_of_owner = std::string();
    for (AttributeColumn& column : columns) {
      if (spare_columns.size() >= kSpareColumnsMax) break;
      column.texts.Clear();
      column.numbers.clear();
      spare_columns.push_back(std::move(column));
    }
    columns.clear();
    known_resources.clear();
    known_scopes.clear();
    if (keys.size() > kKeptKeysMax) {
      keys.clear();
      key_ids.clear();
      column_of.clear();
    }
    std::ranges::fill(column_of, 0);
  }
};

RowGroupBuilder::RowGroupBuilder() : state_(std::make_unique<State>()) {}
RowGroupBuilder::~RowGroupBuilder() = default;

void RowGroupBuilder::SetWatch(const AttributeWatch& watch) { state_->watch = watch; }

void RowGroupBuilder::AddTrace(std::int64_t start_ns, std::span<const RowRef> rows) {
  FLUORO_ASSERT(spans() + rows.size() <= kRowGroupSpansMax);
  for (const RowRef& row : rows) {
    state_->rows.push_back({row.batch, row.row, state_->MapOf(*row.batch)});
    state_->bytes += RowBytes(row);
  }
  state_->runs.push_back({.start_ns = start_ns, .rows = rows.size()});
}

std::size_t RowGroupBuilder::RowBytes(const RowRef& row) {
  const SpanBatch& batch = *row.batch;
  if (batch.arena.size() < kSmallBatchBytes) return 256 + batch.arena.size() / batch.size();
  const auto text_bytes = [&batch](Range attributes) {
    std::size_t bytes = 0;
    for (std::uint32_t i = attributes.begin; i < attributes.end; ++i) {
      const AttributeCell& cell = batch.attributes[i];
      bytes += 32 + (model::IsText(cell.type) ? batch.Text(cell.text()).size() : 0);
    }
    return bytes;
  };
  std::size_t bytes =
      256 + batch.documents[row.row].bytes + text_bytes(batch.span_attributes[row.row]);
  const Range events = batch.span_events[row.row];
  for (std::uint32_t i = events.begin; i < events.end; ++i)
    bytes += 32 + text_bytes(batch.events[i].attributes);
  const Range links = batch.span_links[row.row];
  for (std::uint32_t i = links.begin; i < links.end; ++i)
    bytes += 64 + text_bytes(batch.links[i].attributes);
  return bytes;
}

std::size_t RowGroupBuilder::spans() const { return state_->rows.size(); }
std::size_t RowGroupBuilder::bytes() const { return state_->bytes; }

Result<void> RowGroupBuilder::Finish(Operations& operations, const Sink& sink) {
  State& s = *state_;
  EncodedColumn column;
  const auto put = [&](RowColumn id, std::size_t index, auto&& fill) -> Result<void> {
    column.id = static_cast<std::uint32_t>(id) + static_cast<std::uint32_t>(index);
    column.bytes.clear();
    fill(column.bytes);
    if (column.bytes.empty()) return {};
    auto taken = sink(column);
    if (column.bytes.capacity() > kTextsKeptMax) column.bytes = std::string();
    return taken;
  };
  const auto text = [&](RowColumn id, State::Blank bit, auto&& get) {
    return put(id, 0, [&](std::string& out) { s.Texts(out, bit, get); });
  };
  const auto ints = [&](RowColumn id, std::uint32_t bit, auto&& get) {
    return put(id, 0, [&](std::string& out) { s.Ints(out, bit, get); });
  };
  using Batch = const SpanBatch&;
  using Index = std::uint32_t;
  s.MapResources();
  const auto [events, links] = s.CountEventsAndLinks();

  FLUORO_CHECK_OK(put(RowColumn::kCounts, 0, [&](std::string& out) {
    ByteWriter counts(out);
    for (const std::size_t count :
         {s.rows.size(), s.resource_dropped.size(), s.scope_dropped.size(), events, links})
      counts.PutVarint(count);
  }));
  FLUORO_CHECK_OK(put(RowColumn::kSpanIds, 0, [&](std::string& out) {
    for (const State::Row& row : s.rows) {
      out.append(reinterpret_cast<const char*>(row.batch->span_ids[row.row].bytes.data()), 8);
    }
  }));
  std::string parent_ids;
  FLUORO_CHECK_OK(
      put(RowColumn::kParents, 0, [&](std::string& out) { s.Parents(out, parent_ids); }));
  FLUORO_CHECK_OK(put(RowColumn::kParentIds, 0, [&](std::string& out) { out.append(parent_ids); }));
  FLUORO_CHECK_OK(put(RowColumn::kStarts, 0, [&](std::string& out) { s.Starts(out); }));
  FLUORO_CHECK_OK(put(RowColumn::kDurations, 0, [&](std::string& out) { s.Durations(out); }));
  FLUORO_CHECK_OK(put(RowColumn::kNames, 0, [&](std::string& out) {
    for (const State::Row& row : s.rows)
      s.names.AddBorrowed(row.batch->Text(row.batch->names[row.row]));
    s.names.Encode(out);
  }));
  s.CollectOperations(operations);
  FLUORO_CHECK_OK(
      put(RowColumn::kResources, 0, [&](std::string& out) { EncodeInts(s.resources, out); }));
  FLUORO_CHECK_OK(put(RowColumn::kScopes, 0, [&](std::string& out) { EncodeInts(s.scopes, out); }));
  FLUORO_CHECK_OK(ints(RowColumn::kKinds, 0, [](Batch b, Index i) { return b.kinds[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kStatuses, 0, [](Batch b, Index i) { return b.statuses[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kSources, 0, [](Batch b, Index i) { return b.sources[i]; }));
  FLUORO_CHECK_OK(
      ints(RowColumn::kFlags, State::kNoFlags, [](Batch b, Index i) { return b.flags[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kOtelFlags, State::kNoOtelFlags,
                       [](Batch b, Index i) { return b.otel_flags[i]; }));
  FLUORO_CHECK_OK(text(RowColumn::kTraceStates, State::kNoTraceStates,
                       [](Batch b, Index i) { return b.trace_states[i]; }));
  FLUORO_CHECK_OK(text(RowColumn::kStatusMessages, State::kNoStatusMessages,
                       [](Batch b, Index i) { return b.status_messages[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kDroppedAttributes, State::kNoDroppedAttributes,
                       [](Batch b, Index i) { return b.dropped_attributes[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kDroppedEvents, State::kNoDroppedEvents,
                       [](Batch b, Index i) { return b.dropped_events[i]; }));
  FLUORO_CHECK_OK(ints(RowColumn::kDroppedLinks, State::kNoDroppedLinks,
                       [](Batch b, Index i) { return b.dropped_links[i]; }));
  FLUORO_CHECK_OK(text(RowColumn::kDocuments, State::kNoDocuments,
                       [](Batch b, Index i) { return b.documents[i]; }));
  FLUORO_CHECK_OK(put(RowColumn::kResourceRows, 0, [&](std::string& out) {
    EncodeInts(s.resource_dropped, out);
    for (const TextColumn* texts :
         {&s.resource_services, &s.resource_schemas, &s.resource_entities})
      texts->Encode(out);
  }));
  FLUORO_CHECK_OK(put(RowColumn::kScopeRows, 0, [&](std::string& out) {
    EncodeInts(s.scope_dropped, out);
    for (const TextColumn* texts : {&s.scope_names, &s.scope_versions, &s.scope_schemas})
      texts->Encode(out);
  }));
  FLUORO_CHECK_OK(ints(RowColumn::kEventCounts, State::kNoEvents,
                       [](Batch b, Index i) { return b.span_events[i].size(); }));
  FLUORO_CHECK_OK(put(RowColumn::kEventTimes, 0, [&](std::string& out) {
    s.wide_numbers.clear();
    s.ForEachEvent([&](Batch b, Index i, const model::EventRow& event) {
      s.wide_numbers.push_back(ZigZag(WrapSub(event.time_ns, b.start_ns[i])));
    });
    EncodeInts(s.wide_numbers, out);
  }));
  FLUORO_CHECK_OK(put(RowColumn::kEventNames, 0, [&](std::string& out) {
    s.texts.Clear();
    s.ForEachEvent(
        [&](Batch b, Index, const model::EventRow& event) { s.texts.Add(b.Text(event.name)); });
    s.texts.Encode(out);
  }));
  FLUORO_CHECK_OK(put(RowColumn::kEventDropped, 0, [&](std::string& out) {
    s.numbers.clear();
    s.ForEachEvent([&](Batch, Index, const model::EventRow& event) {
      s.numbers.push_back(event.dropped_attributes);
    });
    EncodeInts(s.numbers, out);
  }));
  FLUORO_CHECK_OK(ints(RowColumn::kLinkCounts, State::kNoLinks,
                       [](Batch b, Index i) { return b.span_links[i].size(); }));
  FLUORO_CHECK_OK(put(RowColumn::kLinkIds, 0, [&](std::string& out) {
    s.ForEachLink([&](Batch, const model::LinkRow& link) {
      out.append(reinterpret_cast<const char*>(link.trace_id.bytes.data()), 16);
      out.append(reinterpret_cast<const char*>(link.span_id.bytes.data()), 8);
    });
  }));
  FLUORO_CHECK_OK(put(RowColumn::kLinkRows, 0, [&](std::string& out) { s.LinkRows(out); }));
  s.AddAllAttributes();
  FLUORO_CHECK_OK(put(RowColumn::kAttributeKeys, 0, [&](std::string& out) {
    ByteWriter directory(out);
    directory.PutVarint(s.columns.size());
    for (const State::AttributeColumn& attribute : s.columns) {
      directory.PutU8(static_cast<std::uint8_t>(attribute.owner));
      directory.PutU8(static_cast<std::uint8_t>(attribute.type));
      directory.PutU8(static_cast<std::uint8_t>(attribute.role));
      directory.PutText(s.keys[attribute.key]);
    }
  }));
  for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
    FLUORO_CHECK_OK(
        put(RowColumn::kShapes, owner, [&](std::string& out) { s.shapes[owner].Encode(out); }));
  }
  const auto overflows = [&s](AttributeOwner owner) {
    return !s.overflow[static_cast<std::size_t>(owner)].empty();
  };
  const bool has_overflow =
      overflows(AttributeOwner::kSpan) || overflows(AttributeOwner::kResource);
  for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
    FLUORO_CHECK_OK(
        put(RowColumn::kOverflow, owner, [&](std::string& out) { out.swap(s.overflow[owner]); }));
  }
  s.CountResourceSpans();
  for (std::size_t i = 0; i < s.columns.size(); ++i) {
    State::AttributeColumn& attribute = s.columns[i];
    FLUORO_CHECK_OK(put(RowColumn::kAttributes, i, [&](std::string& out) {
      if (model::IsText(attribute.type)) {
        attribute.texts.Encode(out);
        s.AddZone(attribute, out.size());
        attribute.texts.Clear();  // so that large ones do not lie here twice
        return;
      }
      if (attribute.type != AttributeType::kNull) EncodeInts(attribute.numbers, out);
      s.AddZone(attribute, out.size());
    }));
  }
  ZonesBuilder::Encoded index = s.FinishZones(has_overflow);
  FLUORO_CHECK_OK(put(RowColumn::kZones, 0, [&](std::string& out) { out.swap(index.zones); }));
  for (auto& [place, filter] : index.filters) {
    FLUORO_CHECK_OK(put(RowColumn::kFilters, place, [&](std::string& out) { out.swap(filter); }));
  }
  s.Clear();
  return {};
}

}  // namespace fluoro::store
