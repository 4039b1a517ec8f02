// JSON requests: one forward walk over simdjson's on-demand values. Members come in any order; the
// rows of a resource and a scope are filled when their member comes, whatever the spans did before.
#include <simdjson.h>

#include <algorithm>
#include <bit>

#include "codec/otlp/any_value_wire.h"
#include "codec/otlp/batch_builder.h"
#include "codec/otlp/decode.h"
#include "codec/otlp/json_reader.h"
#include "codec/otlp/json_text.h"
#include "model/any_value.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::AttributeCell;
using model::AttributeType;

class JsonDecoder : private JsonReader {
 public:
  JsonDecoder(const model::Limits& limits, bool unsampled, std::size_t body_bytes, bool repaired)
      : JsonReader(builder_.place),
        depth_max_(std::min(limits.nesting_max, model::kNestingMax)),
        builder_(limits, unsampled, body_bytes),
        batch_(builder_.batch()),
        limits_(limits) {
    if (repaired) builder_.set_body_repaired();
  }

  /// `json`: as JsonReader::Open.
  Result<Decoded> Run(const std::string& json) {
    batch_.arena.reserve(json.size() / 8 * 3);
    batch_.attributes.reserve(json.size() / 128);
    if (Open(json) && Request()) return builder_.Take();
    return std::unexpected(TakeError());
  }
  using JsonReader::HasBrokenText;

 private:
  bool Text(Value value, std::string_view what, std::size_t bytes_max, model::TextRef& out) {
    std::string_view text;
    if (!String(value, what, text)) return false;
    out = builder_.Text(text, bytes_max);
    return true;
  }

  bool Request() {
    return Root([&](std::string_view key, Value value) {
      // Grafana Tempo answers with the same message under an older name.
      if (key != "resourceSpans" && key != "batches") return true;
      return Elements(value, key, [&](Value element) {
        set_level(Level::kResource);
        if (!ResourceSpans(element)) return false;
        set_level(Level::kBody);
        ++builder_.place.resource;
        return true;
      });
    });
  }

  bool ResourceSpans(Value value) {
    const auto mark = batch_.MarkHere();
    const std::uint32_t row = batch_.AddResource({});
    const std::size_t spans_begin = builder_.spans();
    std::string_view schema_url;
    std::string entity_refs;
    std::uint64_t dropped = 0;
    std::uint32_t sent_dropped = 0;
    std::uint32_t flags = 0;
    builder_.place.scope = 0;
    const bool ok = Members(value, "resourceSpans", [&](std::string_view key, Value member) {
      if (key == "schemaUrl") return String(member, key, schema_url);
      if (key == "scopeSpans") {
        return Elements(member, key, [&](Value element) {
          if (!ScopeSpans(element, row)) return false;
          ++builder_.place.scope;
          return true;
        });
      }
      if (key != "resource") return true;
      builder_.TakeFlags();
      if (!Members(member, key, [&](std::string_view name, Value field) {
            if (name == "attributes") {
              dropped = 0;
              return Attributes(field, Owner::kResource, batch_.resource_rows[row].attributes,
                                dropped);
            }
            if (name == "droppedAttributesCount") return Uint32(field, name, sent_dropped);
            return name != "entityRefs" || EntityRefs(field, entity_refs);
          })) {
        return false;
      }
      flags |= builder_.TakeFlags();
      return true;
    });
    if (!ok) return false;
    builder_.TakeFlags();
    builder_.FinishResource(batch_.resource_rows[row], schema_url, sent_dropped + dropped,
                            entity_refs);
    flags |= builder_.TakeFlags();
    if (builder_.spans() == spans_begin) {
      builder_.RollbackTo(mark);
    } else {
      builder_.FlagSpans(spans_begin, flags);
    }
    return true;
  }

  bool EntityRefs(Value value, std::string& out) {
    return Elements(value, "entityRefs", [&](Value element) {
      std::string ref;
      const auto add = [&](std::uint32_t field, Value text_value, std::string_view what) {
        std::string_view text;
        if (!String(text_value, what, text)) return false;
        AppendField(field, text, ref);
        return true;
      };
      if (!Members(element, "entityRefs", [&](std::string_view key, Value member) {
            if (key == "schemaUrl") return add(1, member, key);
            if (key == "type") return add(2, member, key);
            const std::uint32_t field = key == "idKeys" ? 3 : key == "descriptionKeys" ? 4 : 0;
            return field == 0 ||
                   Elements(member, key, [&](Value item) { return add(field, item, key); });
          })) {
        return false;
      }
      if (out.size() + ref.size() > limits_.value_bytes_max) {
        builder_.NoteTruncated();
      } else {
        AppendField(3, ref, out);
      }
      return true;
    });
  }

  bool ScopeSpans(Value value, std::uint32_t resource) {
    const auto mark = batch_.MarkHere();
    const std::uint32_t row = batch_.AddScope({});
    const std::size_t spans_begin = builder_.spans();
    std::string_view schema_url;
    std::uint64_t dropped = 0;
    std::uint32_t sent_dropped = 0;
    std::uint32_t flags = 0;
    builder_.place.span = 0;
    const bool ok = Members(value, "scopeSpans", [&](std::string_view key, Value member) {
      if (key == "schemaUrl") return String(member, key, schema_url);
      if (key == "spans") {
        return Elements(member, key, [&](Value element) {
          set_level(Level::kSpan);
          if (!Span(element, resource, row)) return false;
          set_level(Level::kResource);
          ++builder_.place.span;
          return true;
        });
      }
      if (key != "scope") return true;
      builder_.TakeFlags();
      if (!Members(member, key, [&](std::string_view name, Value field) {
            model::ScopeRow& scope = batch_.scope_rows[row];
            if (name == "name") return Text(field, name, limits_.name_bytes_max, scope.name);
            if (name == "version") return Text(field, name, limits_.name_bytes_max, scope.version);
            if (name == "attributes") {
              dropped = 0;
              return Attributes(field, Owner::kScope, scope.attributes, dropped);
            }
            return name != "droppedAttributesCount" || Uint32(field, name, sent_dropped);
          })) {
        return false;
      }
      flags |= builder_.TakeFlags();
      return true;
    });
    if (!ok) return false;
    builder_.TakeFlags();
    model::ScopeRow& scope = batch_.scope_rows[row];
    scope.schema_url = builder_.Text(schema_url, limits_.value_bytes_max);
    scope.dropped_attributes = Saturate(sent_dropped + dropped);
    flags |= builder_.TakeFlags();
    if (builder_.spans() == spans_begin) {
      builder_.RollbackTo(mark);
    } else {
      builder_.FlagSpans(spans_begin, flags);
    }
    return true;
  }

  bool Span(Value value, std::uint32_t resource, std::uint32_t scope) {
    builder_.BeginSpan();
    PendingSpan span;
    span.events.begin = span.events.end = static_cast<std::uint32_t>(batch_.events.size());
    span.links.begin = span.links.end = static_cast<std::uint32_t>(batch_.links.size());
    if (!Members(value, "spans", [&](std::string_view key, Value member) {
          return SpanMember(key, member, span);
        })) {
      return false;
    }
    span.events.end = static_cast<std::uint32_t>(batch_.events.size());
    span.links.end = static_cast<std::uint32_t>(batch_.links.size());
    if (!builder_.CheckSpan(span)) return true;
    if (auto added = builder_.AddSpan(span, resource, scope); !added) {
      Note(std::move(added).error());
      return false;
    }
    return true;
  }

  bool SpanMember(std::string_view key, Value value, PendingSpan& span) {
    bool valid = false;
    if (key == "traceId") return HexId(value, key, span.trace_id, span.trace_id_valid);
    if (key == "spanId") return HexId(value, key, span.span_id, span.span_id_valid);
    if (key == "parentSpanId") return HexId(value, key, span.parent_id, valid);
    if (key == "name") return Text(value, key, limits_.name_bytes_max, span.name);
    if (key == "kind") {
      static constexpr std::string_view kNames[] = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                                    "CLIENT",      "PRODUCER", "CONSUMER"};
      std::uint64_t number = 0;
      if (!Enum(value, key, "SPAN_KIND_", kNames, number)) return false;
      span.kind = KindFrom(number);
      return true;
    }
    if (key == "startTimeUnixNano") return Integer(value, key, span.start_ns);
    if (key == "endTimeUnixNano") return Integer(value, key, span.end_ns);
    if (key == "attributes") {
      span.dropped_attributes = 0;
      if (!Attributes(value, Owner::kSpan, span.attributes, span.dropped_attributes)) return false;
      builder_.RestoreView(span);
      return true;
    }
    if (key == "events") {
      return Elements(value, key, [&](Value element) {
        return !builder_.TakesEvent(span, batch_.events.size() - span.events.begin) ||
               Event(element);
      });
    }
    if (key == "links") {
      return Elements(value, key, [&](Value element) {
        return !builder_.TakesLink(span, batch_.links.size() - span.links.begin) || Link(element);
      });
    }
    if (key == "status") {
      return Members(value, key, [&](std::string_view name, Value field) {
        if (name == "message") {
          return Text(field, name, limits_.value_bytes_max, span.status_message);
        }
        if (name != "code") return true;
        static constexpr std::string_view kNames[] = {"UNSET", "OK", "ERROR"};
        std::uint64_t number = 0;
        if (!Enum(field, name, "STATUS_CODE_", kNames, number)) return false;
        span.status = StatusFrom(number);
        return true;
      });
    }
    if (key == "traceState") return Text(value, key, limits_.value_bytes_max, span.trace_state);
    if (key == "flags") return Uint32(value, key, span.otel_flags);
    if (key == "droppedAttributesCount") return Uint32(value, key, span.sent_dropped_attributes);
    if (key == "droppedEventsCount") return Uint32(value, key, span.sent_dropped_events);
    if (key == "droppedLinksCount") return Uint32(value, key, span.sent_dropped_links);
    return true;
  }

  bool Event(Value value) {
    model::EventRow row;
    std::uint64_t dropped = 0;
    std::uint32_t sent_dropped = 0;
    if (!Members(value, "events", [&](std::string_view key, Value member) {
          if (key == "timeUnixNano") {
            std::uint64_t time = 0;
            if (!Integer(member, key, time)) return false;
            row.time_ns = TimeFrom(time);
            return true;
          }
          if (key == "name") return Text(member, key, limits_.name_bytes_max, row.name);
          if (key == "attributes") {
            dropped = 0;
            return Attributes(member, Owner::kEvent, row.attributes, dropped);
          }
          return key != "droppedAttributesCount" || Uint32(member, key, sent_dropped);
        })) {
      return false;
    }
    row.dropped_attributes = Saturate(sent_dropped + dropped);
    batch_.events.push_back(row);
    return HasRoom();
  }

  bool HasRoom() {
    if (!builder_.IsFull()) return true;
    Note(builder_.FullError());
    return false;
  }

  bool Link(Value value) {
    model::LinkRow row;
    std::uint64_t dropped = 0;
    std::uint32_t sent_dropped = 0;
    bool valid = false;
    if (!Members(value, "links", [&](std::string_view key, Value member) {
          if (key == "traceId") return HexId(member, key, row.trace_id, valid);
          if (key == "spanId") return HexId(member, key, row.span_id, valid);
          if (key == "traceState") {
            return Text(member, key, limits_.value_bytes_max, row.trace_state);
          }
          if (key == "attributes") {
            dropped = 0;
            return Attributes(member, Owner::kLink, row.attributes, dropped);
          }
          if (key == "flags") return Uint32(member, key, row.otel_flags);
          return key != "droppedAttributesCount" || Uint32(member, key, sent_dropped);
        })) {
      return false;
    }
    row.dropped_attributes = Saturate(sent_dropped + dropped);
    batch_.links.push_back(row);
    return HasRoom();
  }

  bool Attributes(Value value, Owner owner, model::Range& range, std::uint64_t& dropped) {
    builder_.BeginOwner(owner);
    if (!Elements(value, "attributes", [&](Value element) { return Attribute(element); })) {
      return false;
    }
    range = builder_.EndOwner(dropped);
    return true;
  }

  // `value` may stand before `key`, so that it is kept until both are known. Usually the key is
  // first.
  bool Attribute(Value value) {
    std::string_view key;
    bool has_key = false;
    AttributeCell* cell = nullptr;
    std::string kept;  // AnyValue bytes of a value that came before its key
    if (!Members(value, "attributes", [&](std::string_view name, Value member) {
          if (name == "key") {
            has_key = true;
            return String(member, name, key);
          }
          if (name != "value") return true;
          if (!has_key) {
            kept.clear();
            return EncodeAnyValue(member, depth_max_, kept);
          }
          if (cell == nullptr) cell = builder_.Cell(key);
          return cell == nullptr || AnyValue(member, *cell);
        })) {
      return false;
    }
    if (cell == nullptr) cell = builder_.Cell(key);
    if (cell == nullptr || kept.empty()) return true;
    return SetKept(kept, *cell);
  }

  bool AnyValue(Value value, AttributeCell& cell) {
    return Members(value, "value", [&](std::string_view key, Value member) {
      if (key == "stringValue") {
        std::string_view text;
        if (!String(member, key, text)) return false;
        builder_.SetString(cell, text);
        return true;
      }
      if (key == "intValue") {
        std::int64_t number = 0;
        if (!Integer(member, key, number)) return false;
        cell.type = AttributeType::kInt;
        cell.payload = static_cast<std::uint64_t>(number);
        return true;
      }
      if (key == "boolValue") {
        bool flag = false;
        if (!Bool(member, key, flag)) return false;
        cell.type = AttributeType::kBool;
        cell.payload = flag ? 1 : 0;
        return true;
      }
      if (key == "doubleValue") {
        double number = 0;
        if (!Double(member, key, number)) return false;
        cell.type = AttributeType::kDouble;
        cell.payload = std::bit_cast<std::uint64_t>(number);
        return true;
      }
      std::string encoded;
      if (!EncodeAnyMember(key, member, depth_max_, encoded)) return false;
      return encoded.empty() || SetKept(encoded, cell);
    });
  }

  // Takes over canonical AnyValue bytes.
  bool SetKept(std::string_view bytes, AttributeCell& cell) {
    const std::size_t bytes_max = builder_.ValueBytesMax(cell);
    std::string scratch;
    const bool nested = (static_cast<std::uint32_t>(bytes.front()) >> 3) == kArrayField ||
                        (static_cast<std::uint32_t>(bytes.front()) >> 3) == kKvListField;
    if (nested) {
      if (bytes.size() > bytes_max || builder_.body_repaired()) {
        scratch = RewriteAnyValue(bytes, bytes_max, builder_);
        bytes = scratch;
      }
      builder_.SetEncoded(cell,
                          (static_cast<std::uint32_t>(bytes.front()) >> 3) == kArrayField
                              ? AttributeType::kArray
                              : AttributeType::kKvList,
                          bytes);
      return true;
    }
    WireError error;
    WireReader reader(bytes, error);
    std::uint32_t tag = 0;
    std::uint64_t number = 0;
    std::string_view view;
    if (!reader.ReadTag(tag)) return true;
    switch (tag >> 3) {
      case kStringField:
        if (reader.ReadBytes(view)) builder_.SetString(cell, view);
        break;
      case kBytesField:
        if (reader.ReadBytes(view)) builder_.SetBytes(cell, view);
        break;
      case kDoubleField:
        reader.ReadFixed64(number);
        cell.type = AttributeType::kDouble;
        cell.payload = number;
        break;
      default:
        reader.ReadVarint(number);
        cell.type = tag >> 3 == kBoolField ? AttributeType::kBool : AttributeType::kInt;
        cell.payload = number;
    }
    return true;
  }

  bool EncodeAnyValue(Value value, int depth, std::string& out) {
    if (depth <= 0) {
      return Wrong("value", "AnyValue nests deeper than 64 levels", ErrorCode::kTooLarge);
    }
    return Members(value, "value", [&](std::string_view key, Value member) {
      std::string encoded;
      if (!EncodeAnyMember(key, member, depth, encoded)) return false;
      if (!encoded.empty()) out = std::move(encoded);  // the last member is the one that is set
      return true;
    });
  }

  bool EncodeAnyMember(std::string_view key, Value member, int depth, std::string& out) {
    std::string_view text;
    if (key == "stringValue") {
      if (!String(member, key, text)) return false;
      AppendField(kStringField, text, out);
    } else if (key == "boolValue") {
      bool flag = false;
      if (!Bool(member, key, flag)) return false;
      AppendVarintField(kBoolField, flag ? 1 : 0, out);
    } else if (key == "intValue") {
      std::int64_t number = 0;
      if (!Integer(member, key, number)) return false;
      AppendVarintField(kIntField, static_cast<std::uint64_t>(number), out);
    } else if (key == "doubleValue") {
      double number = 0;
      if (!Double(member, key, number)) return false;
      AppendFixed64Field(kDoubleField, std::bit_cast<std::uint64_t>(number), out);
    } else if (key == "bytesValue") {
      if (!String(member, key, text)) return false;
      const auto bytes = DecodeBase64(text);
      if (!bytes) return Wrong(key, "base64 wanted");
      AppendField(kBytesField, *bytes, out);
    } else if (key == "arrayValue" || key == "kvlistValue") {
      std::string list;
      if (!EncodeList(member, key, depth - 1, list)) return false;
      AppendField(key == "arrayValue" ? kArrayField : kKvListField, list, out);
    }
    return true;
  }

  bool EncodeList(Value value, std::string_view what, int depth, std::string& out) {
    const bool pairs = what == "kvlistValue";
    return Members(value, what, [&](std::string_view key, Value member) {
      if (key != "values") return true;
      return Elements(member, key, [&](Value element) {
        std::string item;
        bool is_null = false;
        if (const auto error = element.is_null().get(is_null)) return Failed(error);
        if (!is_null &&
            !(pairs ? EncodePair(element, depth, item) : EncodeAnyValue(element, depth, item))) {
          return false;
        }
        AppendField(1, item, out);
        return true;
      });
    });
  }

  bool EncodePair(Value value, int depth, std::string& out) {
    std::string key;
    std::string any_value;
    bool has_value = false;
    if (!Members(value, "kvlistValue", [&](std::string_view name, Value member) {
          if (name == "key") {
            std::string_view text;
            if (!String(member, name, text)) return false;
            key = text;
            return true;
          }
          if (name != "value") return true;
          has_value = true;
          any_value.clear();
          return EncodeAnyValue(member, depth, any_value);
        })) {
      return false;
    }
    if (!key.empty()) AppendField(1, key, out);
    if (has_value) AppendField(2, any_value, out);
    return true;
  }

  const int depth_max_;
  BatchBuilder builder_;
  model::SpanBatch& batch_;
  const model::Limits& limits_;
};

}  // namespace

Result<Decoded> DecodeJson(std::string_view body, const model::Limits& limits, bool unsampled) {
  std::string padded;
  padded.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  padded = body;
  JsonDecoder decoder(limits, unsampled, body.size(), /*repaired=*/false);
  auto decoded = decoder.Run(padded);
  if (decoded || !decoder.HasBrokenText()) return decoded;
  const std::string repaired = RepairJson(body);
  padded.reserve(repaired.size() + simdjson::SIMDJSON_PADDING);
  padded = repaired;
  return JsonDecoder(limits, unsampled, padded.size(), /*repaired=*/true).Run(padded);
}

}  // namespace fluoro::codec::otlp::internal
