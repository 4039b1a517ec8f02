#include <algorithm>
#include <unordered_set>

#include "base/assert.h"
#include "store/embedded/row_group.h"

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

bool IsText(AttributeType type) {
  return type == AttributeType::kString || type == AttributeType::kBytes ||
         type == AttributeType::kArray || type == AttributeType::kKvList;
}

std::string_view TextOf(const SpanBatch& batch, const AttributeCell& cell) {
  return batch.Text({.offset = static_cast<std::uint32_t>(cell.payload >> 32),
                     .bytes = static_cast<std::uint32_t>(cell.payload)});
}

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace

struct RowGroupBuilder::State {
  struct AttributeColumn {
    AttributeOwner owner;
    AttributeType type;
    model::AttributeRole role;
    std::uint32_t key;
    TextColumn texts;
    std::vector<std::uint64_t> numbers;
  };
  // What one source batch's indexes mean here; 0: not seen yet.
  struct BatchMap {
    std::vector<std::uint32_t> keys, resources, scopes;
  };

  std::string span_ids, parent_ids;
  std::vector<std::uint64_t> parents, starts, durations, resources, scopes, kinds, statuses,
      sources, flags, otel_flags, dropped_attributes, dropped_events, dropped_links;
  TextColumn names, trace_states, status_messages, documents;
  std::vector<std::uint64_t> resource_dropped, scope_dropped;
  TextColumn resource_services, resource_schemas, resource_entities, scope_names, scope_versions,
      scope_schemas;
  std::vector<std::uint64_t> event_counts, event_times, event_dropped, link_counts, link_dropped,
      link_flags;
  TextColumn event_names, link_states;
  std::string link_ids;
  std::array<TextColumn, kAttributeOwners> shapes;
  std::array<std::string, kAttributeOwners> overflow;
  std::vector<AttributeColumn> columns;
  std::vector<std::string> keys;
  std::unordered_map<std::string, std::uint32_t, KeyHash, std::equal_to<>> key_ids;
  std::vector<std::uint32_t> column_of;  // [key * kKeyVariants + owner * 16 + type * 2 + role]: + 1
  std::unordered_map<const SpanBatch*, BatchMap> batches;
  std::unordered_map<std::string, std::uint32_t> known_resources, known_scopes;
  const SpanBatch* last_batch = nullptr;
  BatchMap* last_map = nullptr;
  std::vector<std::uint32_t> shape;
  std::string content;
  std::unordered_map<std::uint64_t, std::uint32_t> rows_by_id;
  std::size_t bytes = 0;
  std::unordered_set<std::uint64_t> operations;  // resource << 40 | name << 8 | kind
  std::uint64_t last_operation = UINT64_MAX;

  BatchMap& MapOf(const SpanBatch& batch) {
    if (last_batch == &batch) return *last_map;
    BatchMap& map = batches[&batch];
    if (map.keys.empty()) {
      map.keys.resize(batch.keys.size() + 1);
      map.resources.resize(batch.resource_rows.size());
      map.scopes.resize(batch.scope_rows.size());
    }
    last_batch = &batch;
    last_map = &map;
    return map;
  }

  std::uint32_t KeyOf(const SpanBatch& batch, BatchMap& map, std::uint32_t key) {
    if (map.keys[key] != 0) return map.keys[key] - 1;
    const std::string_view text = batch.Key(key);
    const auto known = key_ids.find(text);
    std::uint32_t id = 0;
    if (known != key_ids.end()) {
      id = known->second;
    } else {
      id = static_cast<std::uint32_t>(keys.size());
      keys.emplace_back(text);
      key_ids.emplace(text, id);
      column_of.resize(keys.size() * kKeyVariants);
    }
    map.keys[key] = id + 1;
    return id;
  }

  void AddOverflow(const SpanBatch& batch, const AttributeCell& cell, AttributeOwner owner) {
    ByteWriter out(overflow[static_cast<std::size_t>(owner)]);
    out.PutText(batch.Key(cell.key));
    out.PutU8(static_cast<std::uint8_t>(cell.type));
    out.PutU8(static_cast<std::uint8_t>(cell.role));
    if (IsText(cell.type)) {
      out.PutText(TextOf(batch, cell));
    } else {
      out.PutFixed64(cell.payload);
    }
  }

  void AddAttributes(const SpanBatch& batch, Range range, AttributeOwner owner) {
    BatchMap& map = MapOf(batch);
    shape.clear();
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const AttributeCell& cell = batch.attributes[i];
      const std::uint32_t key = KeyOf(batch, map, cell.key);
      std::uint32_t& column =
          column_of[key * kKeyVariants + static_cast<std::size_t>(owner) * 16 +
                    static_cast<std::size_t>(cell.type) * 2 + static_cast<std::size_t>(cell.role)];
      bytes += 4;
      if (column == 0) {
        if (columns.size() >= kAttributeColumnsMax) {
          AddOverflow(batch, cell, owner);
          bytes += 16 + (IsText(cell.type) ? TextOf(batch, cell).size() : 8);
          shape.push_back(0);
          continue;
        }
        columns.push_back({.owner = owner,
                           .type = cell.type,
                           .role = cell.role,
                           .key = key,
                           .texts = {},
                           .numbers = {}});
        column = static_cast<std::uint32_t>(columns.size());
      }
      shape.push_back(column);
      AttributeColumn& to = columns[column - 1];
      if (IsText(cell.type)) {
        const std::string_view text = TextOf(batch, cell);
        bytes += text.size();
        to.texts.Add(text);
      } else if (cell.type == AttributeType::kInt) {
        to.numbers.push_back(ZigZag(static_cast<std::int64_t>(cell.payload)));
      } else if (cell.type != AttributeType::kNull) {
        to.numbers.push_back(cell.payload);
      }
    }
    shapes[static_cast<std::size_t>(owner)].Add(
        {reinterpret_cast<const char*>(shape.data()), shape.size() * sizeof(shape[0])});
  }

  void PutContent(const SpanBatch& batch, Range range) {
    ByteWriter out(content);
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const AttributeCell& cell = batch.attributes[i];
      out.PutText(batch.Key(cell.key));
      out.PutU8(static_cast<std::uint8_t>(cell.type));
      out.PutU8(static_cast<std::uint8_t>(cell.role));
      if (IsText(cell.type)) {
        out.PutText(TextOf(batch, cell));
      } else {
        out.PutFixed64(cell.payload);
      }
    }
  }

  std::uint32_t ResourceOf(const SpanBatch& batch, std::uint32_t index) {
    std::uint32_t& known = MapOf(batch).resources[index];
    if (known != 0) return known - 1;
    const model::ResourceRow& row = batch.resource_rows[index];
    content.clear();
    ByteWriter out(content);
    out.PutVarint(row.dropped_attributes);
    for (const TextRef text : {row.service, row.schema_url, row.entity_refs})
      out.PutText(batch.Text(text));
    PutContent(batch, row.attributes);
    const auto [at, is_new] =
        known_resources.try_emplace(content, static_cast<std::uint32_t>(known_resources.size()));
    known = at->second + 1;
    if (is_new) {
      resource_dropped.push_back(row.dropped_attributes);
      resource_services.Add(batch.Text(row.service));
      resource_schemas.Add(batch.Text(row.schema_url));
      resource_entities.Add(batch.Text(row.entity_refs));
      AddAttributes(batch, row.attributes, AttributeOwner::kResource);
    }
    return at->second;
  }

  std::uint32_t ScopeOf(const SpanBatch& batch, std::uint32_t index) {
    std::uint32_t& known = MapOf(batch).scopes[index];
    if (known != 0) return known - 1;
    const model::ScopeRow& row = batch.scope_rows[index];
    content.clear();
    ByteWriter out(content);
    out.PutVarint(row.dropped_attributes);
    for (const TextRef text : {row.name, row.version, row.schema_url})
      out.PutText(batch.Text(text));
    PutContent(batch, row.attributes);
    const auto [at, is_new] =
        known_scopes.try_emplace(content, static_cast<std::uint32_t>(known_scopes.size()));
    known = at->second + 1;
    if (is_new) {
      scope_dropped.push_back(row.dropped_attributes);
      scope_names.Add(batch.Text(row.name));
      scope_versions.Add(batch.Text(row.version));
      scope_schemas.Add(batch.Text(row.schema_url));
      AddAttributes(batch, row.attributes, AttributeOwner::kScope);
    }
    return at->second;
  }

  void AddSpan(const SpanBatch& b, std::uint32_t i, std::int64_t trace_start_ns) {
    span_ids.append(reinterpret_cast<const char*>(b.span_ids[i].bytes.data()), 8);
    starts.push_back(static_cast<std::uint64_t>(WrapSub(b.start_ns[i], trace_start_ns)));
    durations.push_back(static_cast<std::uint64_t>(WrapSub(b.end_ns[i], b.start_ns[i])));
    const std::uint64_t name = names.Add(b.Text(b.names[i]));
    resources.push_back(ResourceOf(b, b.resources[i]));
    const std::uint64_t operation =
        resources.back() << 40 | name << 8 | static_cast<std::uint64_t>(b.kinds[i]);
    if (operation != last_operation) operations.insert(operation);
    last_operation = operation;
    scopes.push_back(ScopeOf(b, b.scopes[i]));
    kinds.push_back(static_cast<std::uint64_t>(b.kinds[i]));
    statuses.push_back(static_cast<std::uint64_t>(b.statuses[i]));
    sources.push_back(static_cast<std::uint64_t>(b.sources[i]));
    flags.push_back(b.flags[i]);
    otel_flags.push_back(b.otel_flags[i]);
    trace_states.Add(b.Text(b.trace_states[i]));
    status_messages.Add(b.Text(b.status_messages[i]));
    dropped_attributes.push_back(b.dropped_attributes[i]);
    dropped_events.push_back(b.dropped_events[i]);
    dropped_links.push_back(b.dropped_links[i]);
    documents.Add(b.Text(b.documents[i]));
    bytes += 64 + b.documents[i].bytes + b.status_messages[i].bytes;
    AddAttributes(b, b.span_attributes[i], AttributeOwner::kSpan);
    const Range events = b.span_events[i];
    event_counts.push_back(events.size());
    for (std::uint32_t e = events.begin; e < events.end; ++e) {
      const model::EventRow& event = b.events[e];
      event_times.push_back(ZigZag(WrapSub(event.time_ns, b.start_ns[i])));
      event_names.Add(b.Text(event.name));
      event_dropped.push_back(event.dropped_attributes);
      bytes += 24;
      AddAttributes(b, event.attributes, AttributeOwner::kEvent);
    }
    const Range links = b.span_links[i];
    link_counts.push_back(links.size());
    for (std::uint32_t l = links.begin; l < links.end; ++l) {
      const model::LinkRow& link = b.links[l];
      link_ids.append(reinterpret_cast<const char*>(link.trace_id.bytes.data()), 16);
      link_ids.append(reinterpret_cast<const char*>(link.span_id.bytes.data()), 8);
      link_states.Add(b.Text(link.trace_state));
      link_dropped.push_back(link.dropped_attributes);
      link_flags.push_back(link.otel_flags);
      bytes += 40;
      AddAttributes(b, link.attributes, AttributeOwner::kLink);
    }
  }

  // A parent inside the trace becomes a distance in rows; others keep their eight bytes.
  void AddParents(std::span<const RowRef> rows) {
    const auto key = [](const model::SpanId& id) {
      std::uint64_t value = 0;
      std::memcpy(&value, id.bytes.data(), 8);
      return value;
    };
    rows_by_id.clear();
    const bool few = rows.size() <= 16;
    if (!few) {
      for (std::uint32_t i = 0; i < rows.size(); ++i) {
        rows_by_id.try_emplace(key(rows[i].batch->span_ids[rows[i].row]), i);
      }
    }
    const auto find = [&](std::uint64_t id) -> std::int64_t {
      if (!few) {
        const auto at = rows_by_id.find(id);
        return at == rows_by_id.end() ? -1 : std::int64_t{at->second};
      }
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (key(rows[i].batch->span_ids[rows[i].row]) == id) return static_cast<std::int64_t>(i);
      }
      return -1;
    };
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      const model::SpanId& parent = rows[i].batch->parent_ids[rows[i].row];
      if (parent.IsZero()) {
        parents.push_back(0);
        continue;
      }
      if (const std::int64_t at = find(key(parent)); at >= 0) {
        parents.push_back(2 + ZigZag(at - std::int64_t{i}));
        continue;
      }
      parents.push_back(1);
      parent_ids.append(reinterpret_cast<const char*>(parent.bytes.data()), 8);
    }
  }
};

RowGroupBuilder::RowGroupBuilder() : state_(std::make_unique<State>()) {}
RowGroupBuilder::~RowGroupBuilder() = default;

void RowGroupBuilder::AddTrace(std::int64_t start_ns, std::span<const RowRef> rows) {
  FLUORO_ASSERT(spans() + rows.size() <= kRowGroupSpansMax);
  for (const RowRef& row : rows) state_->AddSpan(*row.batch, row.row, start_ns);
  state_->AddParents(rows);
}

std::size_t RowGroupBuilder::spans() const { return state_->starts.size(); }
std::size_t RowGroupBuilder::bytes() const { return state_->bytes; }

void RowGroupBuilder::CollectOperations(Operations& operations) const {
  // A resource's service is a code of resource_services, not the resource's own number.
  std::vector<std::string_view> services;
  for (const std::uint64_t code : state_->resource_services.codes()) {
    services.push_back(state_->resource_services.Entry(static_cast<std::uint32_t>(code)));
  }
  for (const std::uint64_t operation : state_->operations) {
    const std::string_view service = services[operation >> 40];
    auto at = operations.find(service);
    if (at == operations.end()) at = operations.try_emplace(std::string(service)).first;
    const auto name = static_cast<std::uint32_t>(operation >> 8);
    at->second.insert({.name = std::string(state_->names.Entry(name)),
                       .kind = static_cast<model::SpanKind>(operation & 0xff)});
  }
}

std::vector<EncodedColumn> RowGroupBuilder::Finish() {
  State& s = *state_;  // large columns are given up one by one, so that they do not lie here twice
  std::vector<EncodedColumn> out;
  const auto open = [&](RowColumn id, std::size_t index = 0) -> std::string& {
    out.push_back(
        {.id = static_cast<std::uint32_t>(id) + static_cast<std::uint32_t>(index), .bytes = {}});
    return out.back().bytes;
  };
  const auto ints = [&](RowColumn id, const std::vector<std::uint64_t>& values) {
    EncodeInts(values, open(id));
  };
  const auto texts = [&](RowColumn id, const TextColumn& values) { values.Encode(open(id)); };

  ByteWriter counts(open(RowColumn::kCounts));
  for (const std::size_t count :
       {s.starts.size(), s.resource_dropped.size(), s.scope_dropped.size(), s.event_times.size(),
        s.link_dropped.size()}) {
    counts.PutVarint(count);
  }
  open(RowColumn::kSpanIds) = s.span_ids;
  ints(RowColumn::kParents, s.parents);
  open(RowColumn::kParentIds) = s.parent_ids;
  ints(RowColumn::kStarts, s.starts);
  ints(RowColumn::kDurations, s.durations);
  texts(RowColumn::kNames, s.names);
  ints(RowColumn::kResources, s.resources);
  ints(RowColumn::kScopes, s.scopes);
  ints(RowColumn::kKinds, s.kinds);
  ints(RowColumn::kStatuses, s.statuses);
  ints(RowColumn::kSources, s.sources);
  ints(RowColumn::kFlags, s.flags);
  ints(RowColumn::kOtelFlags, s.otel_flags);
  texts(RowColumn::kTraceStates, s.trace_states);
  texts(RowColumn::kStatusMessages, s.status_messages);
  ints(RowColumn::kDroppedAttributes, s.dropped_attributes);
  ints(RowColumn::kDroppedEvents, s.dropped_events);
  ints(RowColumn::kDroppedLinks, s.dropped_links);
  texts(RowColumn::kDocuments, s.documents);
  s.documents = {};
  std::string& resource_rows = open(RowColumn::kResourceRows);
  EncodeInts(s.resource_dropped, resource_rows);
  for (const TextColumn* column :
       {&s.resource_services, &s.resource_schemas, &s.resource_entities}) {
    column->Encode(resource_rows);
  }
  std::string& scope_rows = open(RowColumn::kScopeRows);
  EncodeInts(s.scope_dropped, scope_rows);
  for (const TextColumn* column : {&s.scope_names, &s.scope_versions, &s.scope_schemas}) {
    column->Encode(scope_rows);
  }
  ints(RowColumn::kEventCounts, s.event_counts);
  ints(RowColumn::kEventTimes, s.event_times);
  texts(RowColumn::kEventNames, s.event_names);
  ints(RowColumn::kEventDropped, s.event_dropped);
  ints(RowColumn::kLinkCounts, s.link_counts);
  open(RowColumn::kLinkIds) = s.link_ids;
  std::string& link_rows = open(RowColumn::kLinkRows);
  s.link_states.Encode(link_rows);
  EncodeInts(s.link_dropped, link_rows);
  EncodeInts(s.link_flags, link_rows);
  ByteWriter directory(open(RowColumn::kAttributeKeys));
  directory.PutVarint(s.columns.size());
  for (const State::AttributeColumn& column : s.columns) {
    directory.PutU8(static_cast<std::uint8_t>(column.owner));
    directory.PutU8(static_cast<std::uint8_t>(column.type));
    directory.PutU8(static_cast<std::uint8_t>(column.role));
    directory.PutText(s.keys[column.key]);
  }
  for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
    s.shapes[owner].Encode(open(RowColumn::kShapes, owner));
  }
  for (std::size_t owner = 0; owner < kAttributeOwners; ++owner) {
    open(RowColumn::kOverflow, owner) = s.overflow[owner];
  }
  for (std::size_t i = 0; i < s.columns.size(); ++i) {
    State::AttributeColumn& column = s.columns[i];
    std::string& bytes = open(RowColumn::kAttributes, i);
    if (IsText(column.type)) {
      column.texts.Encode(bytes);
      column.texts = {};
    } else if (column.type != AttributeType::kNull) {
      EncodeInts(column.numbers, bytes);
    }
  }
  state_ = std::make_unique<State>();
  return out;
}

}  // namespace fluoro::store
