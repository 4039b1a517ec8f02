#include "codec/otlp/encode_json.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "codec/otlp/json_text.h"
#include "codec/otlp/span_view.h"
#include "codec/otlp/wire.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::Attribute;
using model::AttributeType;
using model::AttributeValue;

void AddText(std::string_view key, std::string_view text, JsonWriter& json) {
  if (!text.empty()) json.Key(key).String(text);
}
void AddNumber(std::string_view key, std::uint64_t value, JsonWriter& json) {
  if (value != 0) json.Key(key).Uint(value);
}
// 64-bit numbers are strings in OTLP/JSON.
void AddTime(std::string_view key, std::int64_t ns, JsonWriter& json) {
  if (ns != 0) json.Key(key).String(std::to_string(static_cast<std::uint64_t>(ns)));
}
template <class Id>
void AddId(std::string_view key, const Id& id, JsonWriter& json) {
  if (!id.IsZero()) json.Key(key).String(id.ToHex());
}

void WriteKeyValue(std::string_view key, const AttributeValue& value, JsonWriter& json);

void WriteDouble(double value, JsonWriter& json) {
  if (std::isnan(value)) {
    json.String("NaN");
  } else if (std::isinf(value)) {
    json.String(value < 0 ? "-Infinity" : "Infinity");
  } else {
    json.Double(value);
  }
}

// Values nest at most model::kNestingMax levels deep: decoders refuse more.
void WriteAnyValue(const AttributeValue& value, JsonWriter& json) {
  json.BeginObject();
  switch (value.type()) {
    case AttributeType::kNull:
      break;
    case AttributeType::kString:
      json.Key("stringValue").String(*value.AsString());
      break;
    case AttributeType::kBool:
      json.Key("boolValue").Bool(*value.AsBool());
      break;
    case AttributeType::kInt:
      json.Key("intValue").String(std::to_string(*value.AsInt()));
      break;
    case AttributeType::kDouble:
      json.Key("doubleValue");
      WriteDouble(*value.AsDouble(), json);
      break;
    case AttributeType::kBytes:
      json.Key("bytesValue")
          .String(EncodeBase64(std::get<AttributeValue::Bytes>(value.value).data));
      break;
    case AttributeType::kArray:
      json.Key("arrayValue").BeginObject().Key("values").BeginArray();
      for (const AttributeValue& item : value.AsArray()->values) WriteAnyValue(item, json);
      json.EndArray().EndObject();
      break;
    case AttributeType::kKvList:
      json.Key("kvlistValue").BeginObject().Key("values").BeginArray();
      for (const auto& entry : std::get<AttributeValue::KvList>(value.value).entries) {
        WriteKeyValue(entry.key, entry.value, json);
      }
      json.EndArray().EndObject();
      break;
  }
  json.EndObject();
}

void WriteKeyValue(std::string_view key, const AttributeValue& value, JsonWriter& json) {
  json.BeginObject().Key("key").String(key).Key("value");
  WriteAnyValue(value, json);
  json.EndObject();
}

void AddAttributes(const std::vector<Attribute>& attributes, JsonWriter& json) {
  if (attributes.empty()) return;
  json.Key("attributes").BeginArray();
  for (const Attribute& attribute : attributes) {
    WriteKeyValue(attribute.key, attribute.value, json);
  }
  json.EndArray();
}

void WriteTexts(std::string_view key, const std::vector<std::string_view>& texts,
                JsonWriter& json) {
  if (texts.empty()) return;
  json.Key(key).BeginArray();
  for (const std::string_view text : texts) json.String(text);
  json.EndArray();
}

// One EntityRef message.
void WriteEntityRef(std::string_view bytes, JsonWriter& json) {
  WireError error;
  WireReader reader(bytes, error);
  std::string_view schema_url;
  std::string_view type;
  std::vector<std::string_view> id_keys;
  std::vector<std::string_view> description_keys;
  std::uint32_t tag = 0;
  std::string_view text;
  while (!reader.done() && reader.ReadTag(tag)) {
    if ((tag & 7) != std::to_underlying(WireType::kBytes)) {
      if (!reader.Skip(tag)) break;
      continue;
    }
    if (!reader.ReadBytes(text)) break;
    switch (tag >> 3) {
      case 1:
        schema_url = text;
        break;
      case 2:
        type = text;
        break;
      case 3:
        id_keys.push_back(text);
        break;
      case 4:
        description_keys.push_back(text);
        break;
      default:
        break;
    }
  }
  json.BeginObject();
  AddText("schemaUrl", schema_url, json);
  AddText("type", type, json);
  WriteTexts("idKeys", id_keys, json);
  WriteTexts("descriptionKeys", description_keys, json);
  json.EndObject();
}

}  // namespace

void WriteResource(const model::Resource& resource, JsonWriter& json) {
  json.BeginObject();
  AddAttributes(resource.attributes, json);
  AddNumber("droppedAttributesCount", resource.dropped_attributes, json);
  if (!resource.entity_refs.empty()) {
    json.Key("entityRefs").BeginArray();
    WireError error;
    WireReader reader(resource.entity_refs, error);
    std::uint32_t tag = 0;
    std::string_view bytes;
    while (!reader.done() && reader.ReadTag(tag) && tag == Tag(3, WireType::kBytes) &&
           reader.ReadBytes(bytes)) {
      WriteEntityRef(bytes, json);
    }
    json.EndArray();
  }
  json.EndObject();
}

void WriteScope(const model::Scope& scope, JsonWriter& json) {
  json.BeginObject();
  AddText("name", scope.name, json);
  AddText("version", scope.version, json);
  AddAttributes(scope.attributes, json);
  AddNumber("droppedAttributesCount", scope.dropped_attributes, json);
  json.EndObject();
}

void WriteSpan(const model::Span& span, JsonWriter& json) {
  const SpanView view(span);
  json.BeginObject();
  AddId("traceId", span.trace_id, json);
  AddId("spanId", span.span_id, json);
  AddText("traceState", span.trace_state, json);
  AddId("parentSpanId", span.parent_id, json);
  AddText("name", span.name, json);
  AddNumber("kind", std::to_underlying(span.kind), json);
  AddTime("startTimeUnixNano", span.start_ns, json);
  AddTime("endTimeUnixNano", view.end_ns(), json);
  if (!view.attributes().empty()) {
    json.Key("attributes").BeginArray();
    for (const ViewAttribute& attribute : view.attributes()) {
      WriteKeyValue(attribute.key, *attribute.value, json);
    }
    json.EndArray();
  }
  AddNumber("droppedAttributesCount", span.dropped_attributes, json);
  if (!span.events.empty()) {
    json.Key("events").BeginArray();
    for (const model::Event& event : span.events) {
      json.BeginObject();
      AddTime("timeUnixNano", event.time_ns, json);
      AddText("name", event.name, json);
      AddAttributes(event.attributes, json);
      AddNumber("droppedAttributesCount", event.dropped_attributes, json);
      json.EndObject();
    }
    json.EndArray();
  }
  AddNumber("droppedEventsCount", span.dropped_events, json);
  if (!span.links.empty()) {
    json.Key("links").BeginArray();
    for (const model::Link& link : span.links) {
      json.BeginObject();
      AddId("traceId", link.trace_id, json);
      AddId("spanId", link.span_id, json);
      AddText("traceState", link.trace_state, json);
      AddAttributes(link.attributes, json);
      AddNumber("droppedAttributesCount", link.dropped_attributes, json);
      AddNumber("flags", link.otel_flags, json);
      json.EndObject();
    }
    json.EndArray();
  }
  AddNumber("droppedLinksCount", span.dropped_links, json);
  if (span.status != model::StatusCode::kUnset || !span.status_message.empty()) {
    json.Key("status").BeginObject();
    AddText("message", span.status_message, json);
    AddNumber("code", std::to_underlying(span.status), json);
    json.EndObject();
  }
  AddNumber("flags", span.otel_flags, json);
  json.EndObject();
}

}  // namespace fluoro::codec::otlp::internal
