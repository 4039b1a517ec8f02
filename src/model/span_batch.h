// SpanBatch: the write currency. One request becomes one batch: columns, interned keys, one text
// arena, no object a span.
//
// Text is a TextRef into `arena`. Attribute keys are interned a batch (keys[]); values are not.
// Arrays and lists are kept as the bytes of a protobuf AnyValue in the arena. Attributes of spans,
// resources, scopes, events and links stand in one pool, `attributes`; each owner names its
// half-open range.
//
// Building: AddResource/AddScope first, then BeginSpan, fill rows' columns through the returned
// index, AddAttribute..., EndSpan. A span that turns out bad is undone with RollbackTo(Mark). Not
// thread-safe while building; immutable after.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/attribute_value.h"
#include "model/ids.h"
#include "model/span.h"
#include "model/span_flags.h"

namespace fluoro::model {

/// Bytes [offset, offset + bytes) of the arena.
struct TextRef {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  bool operator==(const TextRef&) const = default;
};

struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  [[nodiscard]] std::uint32_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

/// 16 bytes. `payload`: kString, kBytes, kArray, kKvList: TextRef as offset << 32 | bytes; kInt:
/// two's complement; kDouble: IEEE bits; kBool: 0 or 1; kNull: 0.
struct AttributeCell {
  std::uint32_t key = 0;  ///< index into SpanBatch::keys
  AttributeType type = AttributeType::kNull;
  AttributeRole role = AttributeRole::kPlain;
  std::uint16_t reserved = 0;
  std::uint64_t payload = 0;
  /// Of types with IsText.
  [[nodiscard]] TextRef text() const {
    return {.offset = static_cast<std::uint32_t>(payload >> 32),
            .bytes = static_cast<std::uint32_t>(payload)};
  }
  void set_text(TextRef text) { payload = std::uint64_t{text.offset} << 32 | text.bytes; }
  bool operator==(const AttributeCell&) const = default;
};

struct ResourceRow {
  Range attributes;
  std::uint32_t dropped_attributes = 0;
  TextRef service;  ///< value of service.name, empty if absent
  TextRef schema_url;
  TextRef entity_refs;  ///< protobuf fields 3 of Resource, concatenated as sent
  bool operator==(const ResourceRow&) const = default;
};

struct ScopeRow {
  TextRef name;
  TextRef version;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
  TextRef schema_url;
  bool operator==(const ScopeRow&) const = default;
};

struct EventRow {
  std::int64_t time_ns = 0;
  TextRef name;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
  bool operator==(const EventRow&) const = default;
};

struct LinkRow {
  TraceId trace_id;
  SpanId span_id;
  TextRef trace_state;
  Range attributes;
  std::uint32_t dropped_attributes = 0;
  std::uint32_t otel_flags = 0;
  bool operator==(const LinkRow&) const = default;
};

class SpanBatch {
 public:
  // One entry a span, all of equal length.
  std::vector<TraceId> trace_ids;
  std::vector<SpanId> span_ids;
  std::vector<SpanId> parent_ids;        ///< zero: no parent
  std::vector<std::int64_t> start_ns;    ///< Unix epoch
  std::vector<std::int64_t> end_ns;      ///< >= start_ns; = start_ns while kInProgress
  std::vector<TextRef> names;            ///< as sent (X-Ray names are cleaned on reading)
  std::vector<std::uint32_t> resources;  ///< index into resource_rows
  std::vector<std::uint32_t> scopes;     ///< index into scope_rows
  std::vector<SpanKind> kinds;
  std::vector<StatusCode> statuses;
  std::vector<SpanSource> sources;
  std::vector<std::uint32_t> flags;       ///< SpanFlag bits
  std::vector<std::uint32_t> otel_flags;  ///< OTLP Span.flags
  std::vector<TextRef> trace_states;
  std::vector<TextRef> status_messages;
  std::vector<Range> span_attributes;  ///< into attributes
  std::vector<Range> span_events;      ///< into events
  std::vector<Range> span_links;       ///< into links
  std::vector<std::uint32_t> dropped_attributes;
  std::vector<std::uint32_t> dropped_events;
  std::vector<std::uint32_t> dropped_links;
  std::vector<TextRef>
      documents;  ///< X-Ray only: this entity's JSON object without `subsegments`, as sent

  // Pools.
  std::vector<ResourceRow> resource_rows;
  std::vector<ScopeRow> scope_rows;
  std::vector<EventRow> events;
  std::vector<LinkRow> links;
  std::vector<AttributeCell> attributes;
  std::vector<TextRef> keys;
  std::string arena;

  [[nodiscard]] std::size_t size() const { return trace_ids.size(); }
  [[nodiscard]] bool empty() const { return trace_ids.empty(); }
  [[nodiscard]] std::string_view Text(TextRef ref) const {
    return std::string_view(arena).substr(ref.offset, ref.bytes);
  }
  [[nodiscard]] std::string_view Key(std::uint32_t key) const { return Text(keys[key]); }
  /// Bytes of memory this batch holds (capacity of its vectors).
  [[nodiscard]] std::size_t MemoryBytes() const;
  /// Bytes in use, without what is reserved and without the index of keys. Cheap: for bounds while
  /// building.
  [[nodiscard]] std::size_t UsedBytes() const {
    return arena.size() + size() * kSpanRowBytes + resource_rows.size() * sizeof(ResourceRow) +
           scope_rows.size() * sizeof(ScopeRow) + events.size() * sizeof(EventRow) +
           links.size() * sizeof(LinkRow) + attributes.size() * sizeof(AttributeCell) +
           keys.size() * sizeof(TextRef);
  }
  /// One entry of each of the columns.
  static constexpr std::size_t kSpanRowBytes =
      sizeof(TraceId) + 2 * sizeof(SpanId) + 2 * sizeof(std::int64_t) + 4 * sizeof(TextRef) +
      7 * sizeof(std::uint32_t) + sizeof(SpanKind) + sizeof(StatusCode) + sizeof(SpanSource) +
      3 * sizeof(Range);

  // Building.
  TextRef AddText(std::string_view text);
  std::uint32_t InternKey(std::string_view key);
  /// Index of a key that is there already.
  [[nodiscard]] std::optional<std::uint32_t> FindKey(std::string_view key) const;
  std::uint32_t AddResource(const ResourceRow& row);
  std::uint32_t AddScope(const ScopeRow& row);

  /// Sets the number of spans: new ones have default columns, to be filled by who asked for them.
  void ResizeSpans(std::size_t count);
  /// Appends one span with default columns and returns its index. Its attributes, events and links
  /// are whatever is added until EndSpan(index).
  std::uint32_t BeginSpan(const TraceId& trace_id, const SpanId& span_id);
  /// The attributes added since BeginSpan are the span's own; later ones belong to its events and
  /// links. Optional where events and links have no attributes.
  void CloseAttributes(std::uint32_t span);
  /// Fixes the ranges of the span begun last.
  void EndSpan(std::uint32_t span);

  void AddString(std::string_view key, std::string_view value,
                 AttributeRole role = AttributeRole::kPlain);
  void AddBool(std::string_view key, bool value, AttributeRole role = AttributeRole::kPlain);
  void AddInt(std::string_view key, std::int64_t value, AttributeRole role = AttributeRole::kPlain);
  void AddDouble(std::string_view key, double value, AttributeRole role = AttributeRole::kPlain);
  /// `any_value`: bytes of a protobuf AnyValue holding an array or a list; `type` says which.
  void AddEncoded(std::string_view key, AttributeType type, std::string_view any_value,
                  AttributeRole role = AttributeRole::kPlain);
  void AddBytes(std::string_view key, std::string_view value,
                AttributeRole role = AttributeRole::kPlain);
  void AddNull(std::string_view key, AttributeRole role = AttributeRole::kPlain);
  void AddValue(std::string_view key, const AttributeValue& value,
                AttributeRole role = AttributeRole::kPlain);
  /// Current end of the attribute pool: begin of a range to come.
  [[nodiscard]] std::uint32_t AttributesEnd() const {
    return static_cast<std::uint32_t>(attributes.size());
  }

  /// Where everything ends now, to come back to.
  struct Mark {
    std::size_t spans, resources, scopes, events, links, attributes, keys, arena_bytes;
  };
  [[nodiscard]] Mark MarkHere() const;
  /// Takes back everything added since `mark`.
  void RollbackTo(const Mark& mark);

  // Reading.
  /// One span as an object. Resources and scopes are made afresh; use SpanReader to share them.
  [[nodiscard]] Span MakeSpan(std::uint32_t span) const;
  [[nodiscard]] AttributeValue ValueOf(const AttributeCell& cell) const;
  /// Appends a span object: the inverse of MakeSpan. Resources and scopes are shared with the span
  /// before where equal.
  void AppendSpan(const Span& span);

  /// Equal content: same spans, same text, whatever the layout of arena and pools.
  [[nodiscard]] bool SameSpans(const SpanBatch& other) const;

 private:
  AttributeCell& AddCell(std::string_view key, AttributeType type, AttributeRole role);
  // Open addressing over keys[]: index + 1 and the low half of the hash; 0 is free. Slots are
  // filled in the order of keys, so that taking back the last keys first leaves every other probe
  // whole.
  struct KeySlot {
    std::uint32_t key_plus_one = 0;
    std::uint32_t hash = 0;
  };
  [[nodiscard]] std::size_t FindKeySlot(std::string_view key, std::uint32_t hash) const;
  void GrowKeySlots();
  std::vector<KeySlot> key_slots_;
  bool attributes_closed_ = false;
  std::uint32_t open_attributes_begin_ = 0;
  std::uint32_t open_events_begin_ = 0;
  std::uint32_t open_links_begin_ = 0;
};

/// Makes span objects of one batch, sharing its resource and scope objects. The batch must outlive
/// it.
class SpanReader {
 public:
  explicit SpanReader(const SpanBatch& batch) : batch_(batch) {}
  Span Read(std::uint32_t span);

 private:
  const SpanBatch& batch_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const Resource>> resources_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const Scope>> scopes_;
};

}  // namespace fluoro::model
