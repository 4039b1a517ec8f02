#include "codec/common/text.h"

#include <array>
#include <charconv>

#include "base/base64.h"
#include "base/hex.h"

namespace fluoro::codec::common {
namespace {

using model::AttributeType;
using model::AttributeValue;

template <class Id>
Result<Id> ParsePadded(std::string_view text) {
  Id id;
  const std::size_t digits = id.bytes.size() * 2;
  std::string padded(digits, '0');
  bool good = !text.empty() && text.size() <= digits;
  if (good) {
    padded.replace(digits - text.size(), text.size(), text);
    good = FromHex(padded, id.bytes);
  }
  if (good && !id.IsZero()) return id;
  return Fail(ErrorCode::kInvalidArgument,
              "1 to " + std::to_string(digits) + " hex digits, not all zero, were expected");
}

}  // namespace

void AppendValueJson(const AttributeValue& value, JsonWriter& out) {
  switch (value.type()) {
    case AttributeType::kNull:
      out.Null();
      return;
    case AttributeType::kString:
      out.String(*value.AsString());
      return;
    case AttributeType::kBool:
      out.Bool(*value.AsBool());
      return;
    case AttributeType::kInt:
      out.Int(*value.AsInt());
      return;
    case AttributeType::kDouble:
      out.Double(*value.AsDouble());
      return;
    case AttributeType::kBytes:
      out.String(ToBase64(std::get<AttributeValue::Bytes>(value.value).data));
      return;
    case AttributeType::kArray:
      out.BeginArray();
      for (const AttributeValue& item : value.AsArray()->values) AppendValueJson(item, out);
      out.EndArray();
      return;
    case AttributeType::kKvList:
      out.BeginObject();
      for (const auto& entry : std::get<AttributeValue::KvList>(value.value).entries) {
        out.Key(entry.key);
        AppendValueJson(entry.value, out);
      }
      out.EndObject();
      return;
  }
}

std::string ValueText(const AttributeValue& value) {
  switch (value.type()) {
    case AttributeType::kNull:
      return {};
    case AttributeType::kString:
      return *value.AsString();
    case AttributeType::kBool:
      return *value.AsBool() ? "true" : "false";
    case AttributeType::kInt:
      return std::to_string(*value.AsInt());
    case AttributeType::kDouble: {
      std::array<char, 32> text;
      return {text.data(),
              std::to_chars(text.data(), text.data() + text.size(), *value.AsDouble()).ptr};
    }
    case AttributeType::kBytes:
      return ToBase64(std::get<AttributeValue::Bytes>(value.value).data);
    case AttributeType::kArray:
    case AttributeType::kKvList: {
      JsonWriter out;
      AppendValueJson(value, out);
      return out.Take();
    }
  }
  return {};
}

Result<model::TraceId> ParseTraceIdPadded(std::string_view text) {
  return ParsePadded<model::TraceId>(text);
}
Result<model::SpanId> ParseSpanIdPadded(std::string_view text) {
  return ParsePadded<model::SpanId>(text);
}

std::string ShortTraceId(const model::TraceId& id) {
  const std::string text = id.ToHex();
  return text.starts_with("0000000000000000") ? text.substr(16) : text;
}

}  // namespace fluoro::codec::common
