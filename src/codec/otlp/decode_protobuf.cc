// Protobuf requests: one walk over the wire bytes, straight into columns.
#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/otlp/any_value_wire.h"
#include "codec/otlp/batch_builder.h"
#include "codec/otlp/decode.h"
#include "codec/otlp/wire.h"
#include "model/any_value.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::AttributeCell;
using model::AttributeType;

constexpr std::uint32_t Bytes(std::uint32_t field) { return Tag(field, WireType::kBytes); }
constexpr std::uint32_t Varint(std::uint32_t field) { return Tag(field, WireType::kVarint); }
constexpr std::uint32_t Fixed64(std::uint32_t field) { return Tag(field, WireType::kFixed64); }
constexpr std::uint32_t Fixed32(std::uint32_t field) { return Tag(field, WireType::kFixed32); }

template <class Id>
bool CopyId(std::string_view bytes, Id& id) {
  if (bytes.size() != id.bytes.size()) {
    id = {};
    return false;
  }
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return !id.IsZero();
}

class ProtobufDecoder {
 public:
  ProtobufDecoder(std::string_view body, const model::Limits& limits, bool unsampled)
      : body_(body),
        depth_max_(std::min(limits.nesting_max, model::kNestingMax)),
        builder_(limits, unsampled, body.size()),
        batch_(builder_.batch()),
        limits_(limits) {}

  Result<Decoded> Run() {
    batch_.arena.reserve(body_.size() / 8 * 5);
    batch_.attributes.reserve(body_.size() / 40);
    builder_.ExpectSpans(CountSpans(body_));
    if (!Request()) {
      if (!failure_.message.empty()) return std::unexpected(std::move(failure_));
      return Fail(error_.code, "OTLP request, byte " + std::to_string(error_.at - body_.data()) +
                                   ": " + error_.what);
    }
    return builder_.Take();
  }

 private:
  bool Request() {
    return ForEachField(body_, [&](std::uint32_t tag, WireReader& reader) {
      if (tag != Bytes(1)) return reader.Skip(tag);
      std::string_view field;
      if (!reader.ReadBytes(field) || !ResourceSpans(field)) return false;
      ++builder_.place.resource;
      return true;
    });
  }

  /// Calls on_field(tag, reader) for each field of a message; it must read or skip the field.
  template <class OnField>
  [[gnu::always_inline]] bool ForEachField(std::string_view message, OnField&& on_field) {
    WireReader reader(message, error_);
    std::uint32_t tag = 0;
    while (!reader.done()) {
      if (!reader.ReadTag(tag) || !on_field(tag, reader)) return false;
    }
    return true;
  }

  template <class Count>
  static bool ReadCount(WireReader& reader, Count& count) {
    std::uint64_t number = 0;
    if (!reader.ReadVarint(number)) return false;
    count = static_cast<std::uint32_t>(number);
    return true;
  }
  static bool ReadKind(WireReader& reader, model::SpanKind& kind) {
    std::uint64_t number = 0;
    if (!reader.ReadVarint(number)) return false;
    kind = KindFrom(number);
    return true;
  }
  template <class Id>
  static bool ReadId(WireReader& reader, Id& id, bool& is_valid) {
    std::string_view bytes;
    if (!reader.ReadBytes(bytes)) return false;
    is_valid = CopyId(bytes, id);
    return true;
  }
  template <class Id>
  static bool ReadId(WireReader& reader, Id& id) {
    bool is_valid = false;
    return ReadId(reader, id, is_valid);
  }
  static bool ReadPart(WireReader& reader, std::vector<std::string_view>& parts) {
    std::string_view part;
    if (!reader.ReadBytes(part)) return false;
    parts.push_back(part);
    return true;
  }

  /// A resource or scope has been read: what was noted of its texts is for its spans; without any
  /// it goes.
  void FlagOrForget(const model::SpanBatch::Mark& mark, std::size_t spans_begin) {
    const std::uint32_t flags = builder_.TakeFlags();
    if (builder_.spans() == spans_begin) {
      builder_.RollbackTo(mark);
    } else {
      builder_.FlagSpans(spans_begin, flags);
    }
  }

  bool ResourceSpans(std::string_view bytes) {
    const auto mark = batch_.MarkHere();
    const std::uint32_t row = batch_.AddResource({});
    const std::size_t spans_begin = builder_.spans();
    resource_parts_.clear();
    std::string_view schema_url;
    builder_.place.scope = 0;
    std::string_view field;
    const bool whole = ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Bytes(1):
          return ReadPart(reader, resource_parts_);
        case Bytes(2):
          if (!reader.ReadBytes(field) || !ScopeSpans(field, row)) return false;
          ++builder_.place.scope;
          return true;
        case Bytes(3):
          return reader.ReadBytes(schema_url);
        default:
          return reader.Skip(tag);
      }
    });
    if (!whole) return false;
    if (!Resource(schema_url, batch_.resource_rows[row])) return false;
    FlagOrForget(mark, spans_begin);
    return true;
  }

  // A resource may come in several parts, which merge.
  bool Resource(std::string_view schema_url, model::ResourceRow& row) {
    std::uint64_t dropped = 0;
    std::string entity_refs;
    builder_.TakeFlags();
    builder_.BeginOwner(Owner::kResource);
    for (const std::string_view part : resource_parts_) {
      std::string_view field;
      const bool whole = ForEachField(part, [&](std::uint32_t tag, WireReader& reader) {
        switch (tag) {
          case Bytes(1):
            return reader.ReadBytes(field) && KeyValue(field);
          case Varint(2):
            return ReadCount(reader, dropped);
          case Bytes(3):
            if (!reader.ReadBytes(field)) return false;
            if (entity_refs.size() + field.size() > limits_.value_bytes_max) {
              builder_.NoteTruncated();
            } else {
              AppendField(3, field, entity_refs);
            }
            return true;
          default:
            return reader.Skip(tag);
        }
      });
      if (!whole) return false;
    }
    row.attributes = builder_.EndOwner(dropped);
    builder_.FinishResource(row, schema_url, dropped, entity_refs);
    return true;
  }

  bool ScopeSpans(std::string_view bytes, std::uint32_t resource) {
    const auto mark = batch_.MarkHere();
    const std::uint32_t row = batch_.AddScope({});
    const std::size_t spans_begin = builder_.spans();
    scope_parts_.clear();
    std::string_view schema_url;
    builder_.place.span = 0;
    std::string_view field;
    const bool whole = ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Bytes(1):
          return ReadPart(reader, scope_parts_);
        case Bytes(2):
          if (!reader.ReadBytes(field) || !Span(field, resource, row)) return false;
          ++builder_.place.span;
          return true;
        case Bytes(3):
          return reader.ReadBytes(schema_url);
        default:
          return reader.Skip(tag);
      }
    });
    if (!whole) return false;
    builder_.TakeFlags();
    if (!Scope(schema_url, batch_.scope_rows[row])) return false;
    FlagOrForget(mark, spans_begin);
    return true;
  }

  // At most as many as the bytes can be. What is broken is found later.
  static std::size_t CountSpans(std::string_view request) {
    constexpr std::size_t kSpanBytesMin = 2 + 18 + 10 + 9;  // ids and start
    std::size_t count = 0;
    ForEachBytes(request, 1, [&count](std::string_view resource_spans) {
      ForEachBytes(resource_spans, 2, [&count](std::string_view scope_spans) {
        ForEachBytes(scope_spans, 2, [&count](std::string_view) { ++count; });
      });
    });
    return std::min(count, request.size() / kSpanBytesMin);
  }

  // Stops at what is broken.
  template <class Visit>
  static void ForEachBytes(std::string_view message, std::uint32_t field, const Visit& visit) {
    WireError ignored;
    WireReader reader(message, ignored);
    std::uint32_t tag = 0;
    std::string_view bytes;
    while (!reader.done() && reader.ReadTag(tag)) {
      if (tag != Bytes(field)) {
        if (!reader.Skip(tag)) return;
      } else if (reader.ReadBytes(bytes)) {
        visit(bytes);
      } else {
        return;
      }
    }
  }

  bool Scope(std::string_view schema_url, model::ScopeRow& row) {
    std::uint64_t dropped = 0;
    std::string_view name;
    std::string_view version;
    builder_.BeginOwner(Owner::kScope);
    for (const std::string_view part : scope_parts_) {
      std::string_view field;
      const bool whole = ForEachField(part, [&](std::uint32_t tag, WireReader& reader) {
        switch (tag) {
          case Bytes(1):
            return reader.ReadBytes(name);
          case Bytes(2):
            return reader.ReadBytes(version);
          case Bytes(3):
            return reader.ReadBytes(field) && KeyValue(field);
          case Varint(4):
            return ReadCount(reader, dropped);
          default:
            return reader.Skip(tag);
        }
      });
      if (!whole) return false;
    }
    row.attributes = builder_.EndOwner(dropped);
    row.name = builder_.Text(name, limits_.name_bytes_max);
    row.version = builder_.Text(version, limits_.name_bytes_max);
    row.schema_url = builder_.Text(schema_url, limits_.value_bytes_max);
    row.dropped_attributes = Saturate(dropped);
    return true;
  }

  bool Span(std::string_view bytes, std::uint32_t resource, std::uint32_t scope) {
    builder_.BeginSpan();
    builder_.BeginOwner(Owner::kSpan);
    PendingSpan span;
    StatusFields status;
    events_.clear();
    links_.clear();
    std::string_view name;
    std::string_view trace_state;
    std::string_view field;
    // Out of line this costs the decoder a tenth of its speed.
    const auto on_field = [&] [[gnu::always_inline]] (std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Bytes(1):
          return ReadId(reader, span.trace_id, span.trace_id_valid);
        case Bytes(2):
          return ReadId(reader, span.span_id, span.span_id_valid);
        case Bytes(3):
          return reader.ReadBytes(trace_state);
        case Bytes(4):
          return ReadId(reader, span.parent_id);
        case Bytes(5):
          return reader.ReadBytes(name);
        case Varint(6):
          return ReadKind(reader, span.kind);
        case Fixed64(7):
          return reader.ReadFixed64(span.start_ns);
        case Fixed64(8):
          return reader.ReadFixed64(span.end_ns);
        case Bytes(9):
          return reader.ReadBytes(field) && KeyValue(field);
        case Varint(10):
          return ReadCount(reader, span.sent_dropped_attributes);
        case Bytes(11):
          if (!reader.ReadBytes(field)) return false;
          if (builder_.TakesEvent(span, events_.size())) events_.push_back(field);
          return true;
        case Varint(12):
          return ReadCount(reader, span.sent_dropped_events);
        case Bytes(13):
          if (!reader.ReadBytes(field)) return false;
          if (builder_.TakesLink(span, links_.size())) links_.push_back(field);
          return true;
        case Varint(14):
          return ReadCount(reader, span.sent_dropped_links);
        case Bytes(15):
          return reader.ReadBytes(field) && Status(field, status);
        case Fixed32(16):
          return reader.ReadFixed32(span.otel_flags);
        default:
          return reader.Skip(tag);
      }
    };
    if (!ForEachField(bytes, on_field)) return false;
    span.attributes = builder_.EndOwner(span.dropped_attributes);
    if (!builder_.CheckSpan(span)) return true;
    builder_.RestoreView(span);
    span.name = builder_.Text(name, limits_.name_bytes_max);
    span.trace_state = builder_.Text(trace_state, limits_.value_bytes_max);
    span.status = StatusFrom(status.code);
    span.status_message = builder_.Text(status.message, limits_.value_bytes_max);
    span.events.begin = static_cast<std::uint32_t>(batch_.events.size());
    for (const std::string_view event : events_) {
      if (!Event(event)) return false;
    }
    span.events.end = static_cast<std::uint32_t>(batch_.events.size());
    span.links.begin = static_cast<std::uint32_t>(batch_.links.size());
    for (const std::string_view link : links_) {
      if (!Link(link)) return false;
    }
    span.links.end = static_cast<std::uint32_t>(batch_.links.size());
    if (auto added = builder_.AddSpan(span, resource, scope); !added) {
      failure_ = std::move(added).error();
      return false;
    }
    return true;
  }

  bool HasRoom() {
    if (!builder_.IsFull()) return true;
    failure_ = builder_.FullError();
    return false;
  }

  struct StatusFields {
    std::string_view message;
    std::uint64_t code = 0;
  };

  bool Status(std::string_view bytes, StatusFields& status) {
    return ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      if (tag == Bytes(2)) return reader.ReadBytes(status.message);
      if (tag == Varint(3)) return reader.ReadVarint(status.code);
      return reader.Skip(tag);
    });
  }

  bool Event(std::string_view bytes) {
    builder_.BeginOwner(Owner::kEvent);
    model::EventRow row;
    std::string_view name;
    std::uint64_t time = 0;
    std::uint64_t dropped = 0;
    std::string_view field;
    const bool whole = ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Fixed64(1):
          return reader.ReadFixed64(time);
        case Bytes(2):
          return reader.ReadBytes(name);
        case Bytes(3):
          return reader.ReadBytes(field) && KeyValue(field);
        case Varint(4):
          return ReadCount(reader, dropped);
        default:
          return reader.Skip(tag);
      }
    });
    if (!whole) return false;
    row.attributes = builder_.EndOwner(dropped);
    row.time_ns = TimeFrom(time);
    row.name = builder_.Text(name, limits_.name_bytes_max);
    row.dropped_attributes = Saturate(dropped);
    batch_.events.push_back(row);
    return HasRoom();
  }

  bool Link(std::string_view bytes) {
    builder_.BeginOwner(Owner::kLink);
    model::LinkRow row;
    std::string_view trace_state;
    std::uint64_t dropped = 0;
    std::string_view field;
    const bool whole = ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Bytes(1):
          return ReadId(reader, row.trace_id);
        case Bytes(2):
          return ReadId(reader, row.span_id);
        case Bytes(3):
          return reader.ReadBytes(trace_state);
        case Bytes(4):
          return reader.ReadBytes(field) && KeyValue(field);
        case Varint(5):
          return ReadCount(reader, dropped);
        case Fixed32(6):
          return reader.ReadFixed32(row.otel_flags);
        default:
          return reader.Skip(tag);
      }
    });
    if (!whole) return false;
    row.attributes = builder_.EndOwner(dropped);
    row.trace_state = builder_.Text(trace_state, limits_.value_bytes_max);
    row.dropped_attributes = Saturate(dropped);
    batch_.links.push_back(row);
    return HasRoom();
  }

  [[gnu::always_inline]] bool KeyValue(std::string_view bytes) {
    // What every exporter writes: a key, then a value, with lengths of one byte.
    std::string_view value;
    AttributeCell* const cell = builder_.ForeseenCell(bytes, value);
    if (cell == nullptr) [[unlikely]]
      return OtherKeyValue(bytes);
    if (value.size() >= 2) {
      const auto tag = static_cast<unsigned char>(value[0]);
      if (tag == Bytes(kStringField) &&
          static_cast<unsigned char>(value[1]) + std::size_t{2} == value.size()) {
        builder_.SetString(*cell, {value.data() + 2, value.size() - 2});
        return true;
      }
      if (tag == Varint(kIntField) &&
          WholeVarint({value.data() + 1, value.size() - 1}, cell->payload)) {
        cell->type = AttributeType::kInt;
        return true;
      }
    }
    return AnyValue(value, *cell);
  }

  // False: the bytes are not one number of at most nine bytes; then it is not set.
  static bool WholeVarint(std::string_view bytes, std::uint64_t& number) {
    const std::size_t last = bytes.size() - 1;
    if (last > 8 || static_cast<unsigned char>(bytes[last]) >= 0x80) return false;
    std::uint64_t result = 0;
    for (std::size_t i = 0; i < last; ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      if (byte < 0x80) return false;
      result |= std::uint64_t{byte & 0x7fU} << (7 * i);
    }
    number = result | std::uint64_t{static_cast<unsigned char>(bytes[last])} << (7 * last);
    return true;
  }

  // Any key, with lengths of one or two bytes.
  bool OtherKeyValue(std::string_view bytes) {
    std::string_view rest = bytes;
    std::string_view key;
    std::string_view value;
    if (!TakeShort(Bytes(1), rest, key) || !TakeShort(Bytes(2), rest, value) || !rest.empty()) {
      return KeyValueInFull(bytes);
    }
    AttributeCell* const cell = builder_.Cell(key);
    return cell == nullptr || AnyValue(value, *cell);
  }

  // Takes a field of a one-byte tag and less than 16 KiB off the front.
  static bool TakeShort(std::uint32_t tag, std::string_view& rest, std::string_view& field) {
    if (rest.size() < 2 || static_cast<unsigned char>(rest[0]) != tag) return false;
    std::size_t size = static_cast<unsigned char>(rest[1]);
    std::size_t at = 2;
    if (size >= 0x80) {
      if (rest.size() < 3 || static_cast<unsigned char>(rest[2]) >= 0x80) return false;
      size = (size & 0x7f) | static_cast<std::size_t>(static_cast<unsigned char>(rest[2])) << 7;
      at = 3;
    }
    if (size > rest.size() - at) return false;
    field = std::string_view(rest.data() + at, size);
    rest = std::string_view(rest.data() + at + size, rest.size() - at - size);
    return true;
  }

  bool KeyValueInFull(std::string_view bytes) {
    std::string_view key;
    std::string_view value;
    std::string merged;  // where `value` comes more than once
    bool has_value = false;
    const bool whole = ForEachField(bytes, [&](std::uint32_t tag, WireReader& reader) {
      if (tag == Bytes(1)) return reader.ReadBytes(key);
      if (tag != Bytes(2)) return reader.Skip(tag);
      std::string_view field;
      if (!reader.ReadBytes(field)) return false;
      if (has_value) [[unlikely]] {
        merged = std::string(value) + std::string(field);
        value = merged;
      } else {
        value = field;
        has_value = true;
      }
      return true;
    });
    if (!whole) return false;
    AttributeCell* const cell = builder_.Cell(key);
    if (cell == nullptr) return true;
    if (AnyValue(value, *cell)) return true;
    if (!merged.empty()) error_.at = bytes.data();  // not inside the body
    return false;
  }

  bool AnyValue(std::string_view bytes, AttributeCell& cell) {
    WireReader reader(bytes, error_);
    std::uint32_t tag = 0;
    std::string_view view;
    std::uint64_t number = 0;
    while (!reader.done()) {
      if (!reader.ReadTag(tag)) return false;
      switch (tag) {
        case Bytes(kStringField):
          if (!reader.ReadBytes(view)) return false;
          builder_.SetString(cell, view);
          break;
        case Varint(kBoolField):
          if (!reader.ReadVarint(number)) return false;
          cell.type = AttributeType::kBool;
          cell.payload = number != 0 ? 1 : 0;
          break;
        case Varint(kIntField):
          if (!reader.ReadVarint(number)) return false;
          cell.type = AttributeType::kInt;
          cell.payload = number;
          break;
        case Fixed64(kDoubleField):
          if (!reader.ReadFixed64(number)) return false;
          cell.type = AttributeType::kDouble;
          cell.payload = number;
          break;
        case Bytes(kArrayField):
        case Bytes(kKvListField):
          return NestedValue(bytes, cell);
        case Bytes(kBytesField):
          if (!reader.ReadBytes(view)) return false;
          builder_.SetBytes(cell, view);
          break;
        default:
          if (!reader.Skip(tag)) return false;
      }
    }
    return true;
  }

  // A value in which an array or a list occurs, kept as the bytes of the whole AnyValue.
  bool NestedValue(std::string_view bytes, AttributeCell& cell) {
    bool canonical = true;
    if (!ScanAnyValue(bytes, depth_max_, error_, canonical)) return false;
    const std::size_t bytes_max = builder_.ValueBytesMax(cell);
    std::string rewritten;
    if (!canonical || bytes.size() > bytes_max) {
      rewritten = RewriteAnyValue(bytes, bytes_max, builder_);
      bytes = rewritten;
    }
    // Canonical bytes hold one member; only a list or an array is kept as bytes.
    if (bytes.front() == Bytes(kArrayField) || bytes.front() == Bytes(kKvListField)) {
      builder_.SetEncoded(
          cell,
          bytes.front() == Bytes(kArrayField) ? AttributeType::kArray : AttributeType::kKvList,
          bytes);
      return true;
    }
    return AnyValue(bytes, cell);
  }

  std::string_view body_;
  const int depth_max_;
  BatchBuilder builder_;
  model::SpanBatch& batch_;
  const model::Limits& limits_;
  WireError error_;
  Error failure_{.code = ErrorCode::kInternal, .message = {}};
  // Parts of the messages being read, reused.
  std::vector<std::string_view> resource_parts_;
  std::vector<std::string_view> scope_parts_;
  std::vector<std::string_view> events_;
  std::vector<std::string_view> links_;
};

}  // namespace

Result<Decoded> DecodeProtobuf(std::string_view body, const model::Limits& limits, bool unsampled) {
  return ProtobufDecoder(body, limits, unsampled).Run();
}

}  // namespace fluoro::codec::otlp::internal
