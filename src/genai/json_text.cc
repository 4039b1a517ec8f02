#include "genai/json_text.h"

#include "base/json_copy.h"
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

std::string JsonText(const JsonView& view) {
  JsonWriter out;
  CopyJson(out, view);
  return out.Take();
}

std::string JsonOrText(const AttributeValue& value) {
  if (const std::string* text = value.AsString()) return *text;
  JsonWriter out;
  Write(out, value);
  return out.Take();
}

}  // namespace fluoro::genai
