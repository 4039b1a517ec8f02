#include "model/span_batch.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "model/any_value.h"

namespace fluoro::model {
namespace {

std::uint32_t HashKey(std::string_view key) {
  return static_cast<std::uint32_t>(XXH3_64bits(key.data(), key.size()));
}

std::vector<Attribute> MakeAttributes(const SpanBatch& batch, Range range) {
  std::vector<Attribute> out;
  out.reserve(range.size());
  for (std::uint32_t i = range.begin; i < range.end; ++i) {
    const AttributeCell& cell = batch.attributes[i];
    out.push_back(
        {.key = std::string(batch.Key(cell.key)), .value = batch.ValueOf(cell), .role = cell.role});
  }
  return out;
}

Resource MakeResource(const SpanBatch& batch, const ResourceRow& row) {
  return {.attributes = MakeAttributes(batch, row.attributes),
          .dropped_attributes = row.dropped_attributes,
          .schema_url = std::string(batch.Text(row.schema_url)),
          .entity_refs = std::string(batch.Text(row.entity_refs))};
}

Scope MakeScope(const SpanBatch& batch, const ScopeRow& row) {
  return {.name = std::string(batch.Text(row.name)),
          .version = std::string(batch.Text(row.version)),
          .attributes = MakeAttributes(batch, row.attributes),
          .dropped_attributes = row.dropped_attributes,
          .schema_url = std::string(batch.Text(row.schema_url))};
}

Span MakeSpanWith(const SpanBatch& batch, std::uint32_t i, std::shared_ptr<const Resource> resource,
                  std::shared_ptr<const Scope> scope) {
  Span span;
  span.trace_id = batch.trace_ids[i];
  span.span_id = batch.span_ids[i];
  span.parent_id = batch.parent_ids[i];
  span.name = batch.Text(batch.names[i]);
  span.start_ns = batch.start_ns[i];
  span.end_ns = batch.end_ns[i];
  span.kind = batch.kinds[i];
  span.status = batch.statuses[i];
  span.source = batch.sources[i];
  span.flags = batch.flags[i];
  span.otel_flags = batch.otel_flags[i];
  span.trace_state = batch.Text(batch.trace_states[i]);
  span.status_message = batch.Text(batch.status_messages[i]);
  span.resource = std::move(resource);
  span.scope = std::move(scope);
  span.attributes = MakeAttributes(batch, batch.span_attributes[i]);
  const Range events = batch.span_events[i];
  span.events.reserve(events.size());
  for (std::uint32_t e = events.begin; e < events.end; ++e) {
    const EventRow& row = batch.events[e];
    span.events.push_back({.time_ns = row.time_ns,
                           .name = std::string(batch.Text(row.name)),
                           .attributes = MakeAttributes(batch, row.attributes),
                           .dropped_attributes = row.dropped_attributes});
  }
  const Range links = batch.span_links[i];
  span.links.reserve(links.size());
  for (std::uint32_t l = links.begin; l < links.end; ++l) {
    const LinkRow& row = batch.links[l];
    span.links.push_back({.trace_id = row.trace_id,
                          .span_id = row.span_id,
                          .trace_state = std::string(batch.Text(row.trace_state)),
                          .attributes = MakeAttributes(batch, row.attributes),
                          .dropped_attributes = row.dropped_attributes,
                          .otel_flags = row.otel_flags});
  }
  span.dropped_attributes = batch.dropped_attributes[i];
  span.dropped_events = batch.dropped_events[i];
  span.dropped_links = batch.dropped_links[i];
  span.document = batch.Text(batch.documents[i]);
  return span;
}

template <class T>
std::size_t HeldBytes(const std::vector<T>& items) {
  return items.capacity() * sizeof(T);
}

// The columns that hold one entry a span, for operations that treat them alike.
template <class Batch, class Function>
void ForEachSpanColumn(Batch& b, Function&& function) {
  function(b.trace_ids);
  function(b.span_ids);
  function(b.parent_ids);
  function(b.start_ns);
  function(b.end_ns);
  function(b.names);
  function(b.resources);
  function(b.scopes);
  function(b.kinds);
  function(b.statuses);
  function(b.sources);
  function(b.flags);
  function(b.otel_flags);
  function(b.trace_states);
  function(b.status_messages);
  function(b.span_attributes);
  function(b.span_events);
  function(b.span_links);
  function(b.dropped_attributes);
  function(b.dropped_events);
  function(b.dropped_links);
  function(b.documents);
}

}  // namespace

std::size_t SpanBatch::MemoryBytes() const {
  std::size_t bytes = arena.capacity() + HeldBytes(resource_rows) + HeldBytes(scope_rows) +
                      HeldBytes(events) + HeldBytes(links) + HeldBytes(attributes) +
                      HeldBytes(keys) + HeldBytes(key_slots_);
  ForEachSpanColumn(*this, [&](const auto& column) { bytes += HeldBytes(column); });
  return bytes;
}

TextRef SpanBatch::AddText(std::string_view text) {
  if (text.empty()) return {};
  FLUORO_ASSERT(arena.size() + text.size() <= UINT32_MAX);
  const TextRef ref{.offset = static_cast<std::uint32_t>(arena.size()),
                    .bytes = static_cast<std::uint32_t>(text.size())};
  arena.append(text);
  return ref;
}

// The slot of `key`, or the free one where it belongs.
std::size_t SpanBatch::FindKeySlot(std::string_view key, std::uint32_t hash) const {
  const std::size_t mask = key_slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const KeySlot& slot = key_slots_[i];
    if (slot.key_plus_one == 0 || (slot.hash == hash && Key(slot.key_plus_one - 1) == key))
      return i;
  }
}

void SpanBatch::GrowKeySlots() {
  std::vector<KeySlot> old(std::max<std::size_t>(64, key_slots_.size() * 2));
  old.swap(key_slots_);
  for (std::uint32_t key = 0; key < keys.size(); ++key) {
    const std::uint32_t hash = HashKey(Key(key));
    key_slots_[FindKeySlot(Key(key), hash)] = {.key_plus_one = key + 1, .hash = hash};
  }
}

std::optional<std::uint32_t> SpanBatch::FindKey(std::string_view key) const {
  if (key_slots_.empty()) return std::nullopt;
  const KeySlot& slot = key_slots_[FindKeySlot(key, HashKey(key))];
  if (slot.key_plus_one == 0) return std::nullopt;
  return slot.key_plus_one - 1;
}

std::uint32_t SpanBatch::InternKey(std::string_view key) {
  if (2 * (keys.size() + 1) > key_slots_.size()) GrowKeySlots();
  const std::uint32_t hash = HashKey(key);
  KeySlot& slot = key_slots_[FindKeySlot(key, hash)];
  if (slot.key_plus_one == 0) {
    keys.push_back(AddText(key));
    slot = {.key_plus_one = static_cast<std::uint32_t>(keys.size()), .hash = hash};
  }
  return slot.key_plus_one - 1;
}

std::uint32_t SpanBatch::AddResource(const ResourceRow& row) {
  resource_rows.push_back(row);
  return static_cast<std::uint32_t>(resource_rows.size() - 1);
}

std::uint32_t SpanBatch::AddScope(const ScopeRow& row) {
  scope_rows.push_back(row);
  return static_cast<std::uint32_t>(scope_rows.size() - 1);
}

void SpanBatch::ResizeSpans(std::size_t count) {
  ForEachSpanColumn(*this, [count](auto& column) { column.resize(count); });
}

std::uint32_t SpanBatch::BeginSpan(const TraceId& trace_id, const SpanId& span_id) {
  const auto index = static_cast<std::uint32_t>(size());
  ForEachSpanColumn(*this, [](auto& column) { column.emplace_back(); });
  trace_ids.back() = trace_id;
  span_ids.back() = span_id;
  attributes_closed_ = false;
  open_attributes_begin_ = AttributesEnd();
  open_events_begin_ = static_cast<std::uint32_t>(events.size());
  open_links_begin_ = static_cast<std::uint32_t>(links.size());
  return index;
}

void SpanBatch::CloseAttributes(std::uint32_t span) {
  FLUORO_ASSERT(span + 1 == size());
  span_attributes[span] = {open_attributes_begin_, AttributesEnd()};
  attributes_closed_ = true;
}

void SpanBatch::EndSpan(std::uint32_t span) {
  if (!attributes_closed_) CloseAttributes(span);
  span_events[span] = {open_events_begin_, static_cast<std::uint32_t>(events.size())};
  span_links[span] = {open_links_begin_, static_cast<std::uint32_t>(links.size())};
}

AttributeCell& SpanBatch::AddCell(std::string_view key, AttributeType type, AttributeRole role) {
  const std::uint32_t key_index = InternKey(key);
  attributes.push_back({.key = key_index, .type = type, .role = role, .reserved = 0, .payload = 0});
  return attributes.back();
}

void SpanBatch::AddString(std::string_view key, std::string_view value, AttributeRole role) {
  const TextRef ref = AddText(value);
  AddCell(key, AttributeType::kString, role).set_text(ref);
}
void SpanBatch::AddBool(std::string_view key, bool value, AttributeRole role) {
  AddCell(key, AttributeType::kBool, role).payload = value ? 1 : 0;
}
void SpanBatch::AddInt(std::string_view key, std::int64_t value, AttributeRole role) {
  AddCell(key, AttributeType::kInt, role).payload = static_cast<std::uint64_t>(value);
}
void SpanBatch::AddDouble(std::string_view key, double value, AttributeRole role) {
  AddCell(key, AttributeType::kDouble, role).payload = std::bit_cast<std::uint64_t>(value);
}
void SpanBatch::AddEncoded(std::string_view key, AttributeType type, std::string_view any_value,
                           AttributeRole role) {
  FLUORO_ASSERT(type == AttributeType::kArray || type == AttributeType::kKvList);
  const TextRef ref = AddText(any_value);
  AddCell(key, type, role).set_text(ref);
}
void SpanBatch::AddBytes(std::string_view key, std::string_view value, AttributeRole role) {
  const TextRef ref = AddText(value);
  AddCell(key, AttributeType::kBytes, role).set_text(ref);
}
void SpanBatch::AddNull(std::string_view key, AttributeRole role) {
  AddCell(key, AttributeType::kNull, role);
}

void SpanBatch::AddValue(std::string_view key, const AttributeValue& value, AttributeRole role) {
  switch (value.type()) {
    case AttributeType::kNull:
      return AddNull(key, role);
    case AttributeType::kString:
      return AddString(key, std::get<std::string>(value.value), role);
    case AttributeType::kBool:
      return AddBool(key, std::get<bool>(value.value), role);
    case AttributeType::kInt:
      return AddInt(key, std::get<std::int64_t>(value.value), role);
    case AttributeType::kDouble:
      return AddDouble(key, std::get<double>(value.value), role);
    case AttributeType::kBytes:
      return AddBytes(key, std::get<AttributeValue::Bytes>(value.value).data, role);
    case AttributeType::kArray:
    case AttributeType::kKvList: {
      std::string encoded;
      EncodeAnyValue(value, encoded);
      return AddEncoded(key, value.type(), encoded, role);
    }
  }
}

SpanBatch::Mark SpanBatch::MarkHere() const {
  return {size(),       resource_rows.size(), scope_rows.size(), events.size(),
          links.size(), attributes.size(),    keys.size(),       arena.size()};
}

void SpanBatch::RollbackTo(const Mark& mark) {
  for (std::size_t i = keys.size(); i > mark.keys && !key_slots_.empty(); --i) {
    const std::string_view key = Text(keys[i - 1]);
    KeySlot& slot = key_slots_[FindKeySlot(key, HashKey(key))];
    if (slot.key_plus_one == i) slot = {};
  }
  ResizeSpans(mark.spans);
  resource_rows.resize(mark.resources);
  scope_rows.resize(mark.scopes);
  events.resize(mark.events);
  links.resize(mark.links);
  attributes.resize(mark.attributes);
  keys.resize(mark.keys);
  arena.resize(mark.arena_bytes);
}

AttributeValue SpanBatch::ValueOf(const AttributeCell& cell) const {
  switch (cell.type) {
    case AttributeType::kNull:
      return {};
    case AttributeType::kString:
      return {std::string(Text(cell.text()))};
    case AttributeType::kBool:
      return {cell.payload != 0};
    case AttributeType::kInt:
      return {static_cast<std::int64_t>(cell.payload)};
    case AttributeType::kDouble:
      return {std::bit_cast<double>(cell.payload)};
    case AttributeType::kBytes:
      return {AttributeValue::Bytes{std::string(Text(cell.text()))}};
    case AttributeType::kArray:
    case AttributeType::kKvList: {
      auto decoded = DecodeAnyValue(Text(cell.text()));
      FLUORO_ASSERT(
          decoded
              .has_value());  // decoders and the store check these bytes when they make the batch
      return *std::move(decoded);
    }
  }
  return {};
}

Span SpanBatch::MakeSpan(std::uint32_t span) const { return SpanReader(*this).Read(span); }

Span SpanReader::Read(std::uint32_t span) {
  auto& resource = resources_[batch_.resources[span]];
  if (!resource) {
    resource = std::make_shared<const Resource>(
        MakeResource(batch_, batch_.resource_rows[batch_.resources[span]]));
  }
  auto& scope = scopes_[batch_.scopes[span]];
  if (!scope)
    scope =
        std::make_shared<const Scope>(MakeScope(batch_, batch_.scope_rows[batch_.scopes[span]]));
  return MakeSpanWith(batch_, span, resource, scope);
}

void SpanBatch::AppendSpan(const Span& span) {
  const auto add_attributes = [this](const std::vector<Attribute>& list) {
    const std::uint32_t begin = AttributesEnd();
    for (const Attribute& attribute : list)
      AddValue(attribute.key, attribute.value, attribute.role);
    return Range{begin, AttributesEnd()};
  };
  const bool same_resource =
      !empty() && MakeResource(*this, resource_rows[resources.back()]) == *span.resource;
  const bool same_scope = !empty() && MakeScope(*this, scope_rows[scopes.back()]) == *span.scope;
  std::uint32_t resource = same_resource ? resources.back() : 0;
  std::uint32_t scope = same_scope ? scopes.back() : 0;
  if (!same_resource) {
    const Range range = add_attributes(span.resource->attributes);
    resource = AddResource({.attributes = range,
                            .dropped_attributes = span.resource->dropped_attributes,
                            .service = AddText(span.service()),
                            .schema_url = AddText(span.resource->schema_url),
                            .entity_refs = AddText(span.resource->entity_refs)});
  }
  if (!same_scope) {
    const Range range = add_attributes(span.scope->attributes);
    scope = AddScope({.name = AddText(span.scope->name),
                      .version = AddText(span.scope->version),
                      .attributes = range,
                      .dropped_attributes = span.scope->dropped_attributes,
                      .schema_url = AddText(span.scope->schema_url)});
  }
  const std::uint32_t i = BeginSpan(span.trace_id, span.span_id);
  parent_ids[i] = span.parent_id;
  start_ns[i] = span.start_ns;
  end_ns[i] = span.end_ns;
  names[i] = AddText(span.name);
  resources[i] = resource;
  scopes[i] = scope;
  kinds[i] = span.kind;
  statuses[i] = span.status;
  sources[i] = span.source;
  flags[i] = span.flags;
  otel_flags[i] = span.otel_flags;
  trace_states[i] = AddText(span.trace_state);
  status_messages[i] = AddText(span.status_message);
  dropped_attributes[i] = span.dropped_attributes;
  dropped_events[i] = span.dropped_events;
  dropped_links[i] = span.dropped_links;
  documents[i] = AddText(span.document);
  add_attributes(span.attributes);
  CloseAttributes(i);
  for (const Event& event : span.events) {
    const Range range = add_attributes(event.attributes);
    events.push_back({.time_ns = event.time_ns,
                      .name = AddText(event.name),
                      .attributes = range,
                      .dropped_attributes = event.dropped_attributes});
  }
  for (const Link& link : span.links) {
    const Range range = add_attributes(link.attributes);
    links.push_back({.trace_id = link.trace_id,
                     .span_id = link.span_id,
                     .trace_state = AddText(link.trace_state),
                     .attributes = range,
                     .dropped_attributes = link.dropped_attributes,
                     .otel_flags = link.otel_flags});
  }
  EndSpan(i);
}

bool SpanBatch::SameSpans(const SpanBatch& other) const {
  if (size() != other.size()) return false;
  SpanReader mine(*this);
  SpanReader theirs(other);
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (!(mine.Read(i) == theirs.Read(i))) return false;
  }
  return true;
}

}  // namespace fluoro::model
