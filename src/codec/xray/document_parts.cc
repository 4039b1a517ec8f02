#include "codec/xray/document_parts.h"

#include <cmath>

#include "base/base64.h"
#include "base/utf8.h"

namespace fluoro::codec::xray {
namespace {

void WriteText(JsonWriter& json, std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    json.String(text);
  } else {
    json.String(std::string(TruncateUtf8(text, bytes_max)) + "...[truncated]");
  }
}

}  // namespace

void WriteValue(JsonWriter& json, const model::AttributeValue& value,
                std::size_t string_bytes_max) {
  using model::AttributeType;
  using model::AttributeValue;
  switch (value.type()) {
    case AttributeType::kNull:
      json.Null();
      break;
    case AttributeType::kString:
      WriteText(json, *value.AsString(), string_bytes_max);
      break;
    case AttributeType::kBool:
      json.Bool(*value.AsBool());
      break;
    case AttributeType::kInt:
      json.Int(*value.AsInt());
      break;
    case AttributeType::kDouble: {
      const double number = *value.AsDouble();
      if (std::isfinite(number)) {
        json.Double(number);
      } else {
        json.String(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
      }
      break;
    }
    case AttributeType::kBytes:
      WriteText(json, ToBase64(std::get<AttributeValue::Bytes>(value.value).data),
                string_bytes_max);
      break;
    case AttributeType::kArray:
      json.BeginArray();
      for (const AttributeValue& item : value.AsArray()->values)
        WriteValue(json, item, string_bytes_max);
      json.EndArray();
      break;
    case AttributeType::kKvList:
      json.BeginObject();
      for (const model::KeyValue& entry : std::get<AttributeValue::KvList>(value.value).entries) {
        json.Key(entry.key);
        WriteValue(json, entry.value, string_bytes_max);
      }
      json.EndObject();
      break;
  }
}

std::string JsonText(std::string_view text) {
  JsonWriter json;
  json.String(text);
  return json.Take();
}

std::string WriteDocument(const DocumentPlace& place, const DocumentParts& parts) {
  std::string out = "{\"id\":\"" + place.id.ToHex() + "\"";
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out.append(",\"").append(name).append("\":").append(value);
  };
  const auto add_text = [&](std::string_view name, const std::string& text) {
    add(name, "\"" + text + "\"");
  };
  add("name", parts.name);
  add("start_time", parts.start_time);
  add("end_time", parts.end_time);
  add("in_progress", parts.in_progress);
  if (!place.nested && !place.parent_id.IsZero()) add_text("parent_id", place.parent_id.ToHex());
  if (!place.nested && place.subsegment) add("type", "\"subsegment\"");
  if (place.inferred) add("inferred", "true");
  add("namespace", parts.name_space);
  add("error", parts.error);
  add("throttle", parts.throttle);
  add("fault", parts.fault);
  add("http", parts.http);
  add("aws", parts.aws);
  add("sql", parts.sql);
  add("cause", parts.cause);
  add("service", parts.service);
  if (!place.nested) add_text("trace_id", place.trace_id.ToXRay());
  add("user", parts.user);
  add("origin", parts.origin);
  add("resource_arn", parts.resource_arn);
  add("annotations", parts.annotations);
  add("metadata", parts.metadata);
  add("links", parts.links);
  out += '}';
  return out;
}

}  // namespace fluoro::codec::xray
