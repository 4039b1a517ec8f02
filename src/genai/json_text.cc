#include "genai/json_text.h"

#include "model/attribute_reader.h"

namespace fluoro::genai {
namespace {

using model::AttributeValue;

void Write(JsonWriter& out, const AttributeValue& value) {
  if (const AttributeValue::Array* array = value.AsArray()) {
    out.BeginArray();
    for (const AttributeValue& element : array->values) Write(out, element);
    out.EndArray();
  } else if (const auto* list = std::get_if<AttributeValue::KvList>(&value.value)) {
    out.BeginObject();
    for (const model::KeyValue& entry : list->entries) {
      out.Key(entry.key);
      Write(out, entry.value);
    }
    out.EndObject();
  } else if (const std::string* text = value.AsString()) {
    out.String(*text);
  } else if (const std::int64_t* whole = value.AsInt()) {
    out.Int(*whole);
  } else if (const double* number = value.AsDouble()) {
    out.Double(*number);
  } else if (const bool* flag = value.AsBool()) {
    out.Bool(*flag);
  } else {
    out.Null();
  }
}

}  // namespace

// Depth is bounded by that of the parser.
// NOLINTNEXTLINE(misc-no-recursion): bounded
void WriteJson(JsonWriter& out, const JsonView& view) {
  switch (view.type()) {
    case JsonType::kNull:
      out.Null();
      return;
    case JsonType::kBool:
      out.Bool(*view.Bool());
      return;
    case JsonType::kInt:
      out.Int(*view.Int());
      return;
    case JsonType::kDouble:
      out.Double(*view.Double());
      return;
    case JsonType::kString:
      out.String(*view.String());
      return;
    case JsonType::kArray:
      out.BeginArray();
      for (const JsonView& element : view.Elements()) WriteJson(out, element);
      out.EndArray();
      return;
    case JsonType::kObject:
      out.BeginObject();
      for (const auto& member : view.Members()) {
        out.Key(member.key);
        WriteJson(out, member.value);
      }
      out.EndObject();
      return;
  }
}

std::string JsonText(const JsonView& view) {
  JsonWriter out;
  WriteJson(out, view);
  return out.Take();
}

std::string JsonOrText(const AttributeValue& value) {
  if (const std::string* text = value.AsString()) return *text;
  JsonWriter out;
  Write(out, value);
  return out.Take();
}

}  // namespace fluoro::genai
