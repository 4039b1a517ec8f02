#include "codec/otlp/encode_protobuf.h"

#include <bit>
#include <utility>

#include "codec/otlp/span_view.h"
#include "codec/otlp/wire.h"
#include "model/any_value.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::Attribute;
using model::AttributeValue;

// Defaults are left out, as proto3 asks.
void AddText(std::uint32_t field, std::string_view text, std::string& out) {
  if (!text.empty()) AppendField(field, text, out);
}
void AddVarint(std::uint32_t field, std::uint64_t value, std::string& out) {
  if (value != 0) AppendVarintField(field, value, out);
}
void AddFixed64(std::uint32_t field, std::int64_t value, std::string& out) {
  if (value != 0) AppendFixed64Field(field, static_cast<std::uint64_t>(value), out);
}
void AddFixed32(std::uint32_t field, std::uint32_t value, std::string& out) {
  if (value != 0) AppendFixed32Field(field, value, out);
}

template <class Id>
std::string_view IdBytes(const Id& id) {
  if (id.IsZero()) return {};
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::size_t VarintBytes(std::size_t value) {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}
// Bytes of a field with a one-byte tag.
std::size_t FieldBytes(std::size_t bytes) { return 1 + VarintBytes(bytes) + bytes; }

// One KeyValue as field `field`. Lengths are computed first, so that nothing is copied twice.
void AddKeyValue(std::uint32_t field, std::string_view key, const AttributeValue& value,
                 std::string& out) {
  const std::string* const text = value.AsString();
  std::string any_value;
  if (text == nullptr) model::EncodeAnyValue(value, any_value);
  const std::size_t value_bytes = text != nullptr ? FieldBytes(text->size()) : any_value.size();
  const std::size_t key_bytes = key.empty() ? 0 : FieldBytes(key.size());
  AppendVarint(Tag(field, WireType::kBytes), out);
  AppendVarint(key_bytes + FieldBytes(value_bytes), out);
  AddText(1, key, out);
  AppendVarint(Tag(2, WireType::kBytes), out);
  AppendVarint(value_bytes, out);
  if (text != nullptr) {
    AppendField(kStringField, *text, out);
  } else {
    out += any_value;
  }
}

void AddAttributes(std::uint32_t field, const std::vector<Attribute>& attributes,
                   std::string& out) {
  for (const Attribute& attribute : attributes) {
    AddKeyValue(field, attribute.key, attribute.value, out);
  }
}

}  // namespace

void AppendResource(const model::Resource& resource, std::string& out) {
  AddAttributes(1, resource.attributes, out);
  AddVarint(2, resource.dropped_attributes, out);
  out += resource.entity_refs;  // fields 3, as they came
}

void AppendScope(const model::Scope& scope, std::string& out) {
  AddText(1, scope.name, out);
  AddText(2, scope.version, out);
  AddAttributes(3, scope.attributes, out);
  AddVarint(4, scope.dropped_attributes, out);
}

void AppendSpan(const model::Span& span, std::string& out) {
  const SpanView view(span);
  AddText(1, IdBytes(span.trace_id), out);
  AddText(2, IdBytes(span.span_id), out);
  AddText(3, span.trace_state, out);
  AddText(4, IdBytes(span.parent_id), out);
  AddText(5, span.name, out);
  AddVarint(6, std::to_underlying(span.kind), out);
  AddFixed64(7, span.start_ns, out);
  AddFixed64(8, view.end_ns(), out);
  for (const ViewAttribute& attribute : view.attributes()) {
    AddKeyValue(9, attribute.key, *attribute.value, out);
  }
  AddVarint(10, span.dropped_attributes, out);
  std::string part;
  for (const model::Event& event : span.events) {
    part.clear();
    AddFixed64(1, event.time_ns, part);
    AddText(2, event.name, part);
    AddAttributes(3, event.attributes, part);
    AddVarint(4, event.dropped_attributes, part);
    AppendField(11, part, out);
  }
  AddVarint(12, span.dropped_events, out);
  for (const model::Link& link : span.links) {
    part.clear();
    AddText(1, IdBytes(link.trace_id), part);
    AddText(2, IdBytes(link.span_id), part);
    AddText(3, link.trace_state, part);
    AddAttributes(4, link.attributes, part);
    AddVarint(5, link.dropped_attributes, part);
    AddFixed32(6, link.otel_flags, part);
    AppendField(13, part, out);
  }
  AddVarint(14, span.dropped_links, out);
  part.clear();
  AddText(2, span.status_message, part);
  AddVarint(3, std::to_underlying(span.status), part);
  AddText(15, part, out);
  AddFixed32(16, span.otel_flags, out);
}

}  // namespace fluoro::codec::otlp::internal
