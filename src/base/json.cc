#include "base/json.h"

#define RAPIDJSON_HAS_STDSTRING 1
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/clock.h"
#include "base/utf8.h"

namespace fluoro {

struct JsonWriter::Impl {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonWriter::JsonWriter() : impl_(std::make_unique<Impl>()) {}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter& JsonWriter::operator=(JsonWriter&&) noexcept = default;

JsonWriter& JsonWriter::BeginObject() {
  impl_->writer.StartObject();
  return *this;
}
JsonWriter& JsonWriter::EndObject() {
  impl_->writer.EndObject();
  return *this;
}
JsonWriter& JsonWriter::BeginArray() {
  impl_->writer.StartArray();
  return *this;
}
JsonWriter& JsonWriter::EndArray() {
  impl_->writer.EndArray();
  return *this;
}
JsonWriter& JsonWriter::Key(std::string_view key) {
  if (IsValidUtf8(key)) {
    impl_->writer.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  } else {
    const std::string repaired = RepairUtf8(key);
    impl_->writer.Key(repaired.data(), static_cast<rapidjson::SizeType>(repaired.size()));
  }
  return *this;
}
JsonWriter& JsonWriter::String(std::string_view value) {
  if (IsValidUtf8(value)) {
    impl_->writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  } else {
    const std::string repaired = RepairUtf8(value);
    impl_->writer.String(repaired.data(), static_cast<rapidjson::SizeType>(repaired.size()));
  }
  return *this;
}
JsonWriter& JsonWriter::Int(std::int64_t value) {
  impl_->writer.Int64(value);
  return *this;
}
JsonWriter& JsonWriter::Uint(std::uint64_t value) {
  impl_->writer.Uint64(value);
  return *this;
}
JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  impl_->writer.RawValue(text.data(), static_cast<std::size_t>(end - text.data()),
                         rapidjson::kNumberType);
  return *this;
}
JsonWriter& JsonWriter::Bool(bool value) {
  impl_->writer.Bool(value);
  return *this;
}
JsonWriter& JsonWriter::Null() {
  impl_->writer.Null();
  return *this;
}
JsonWriter& JsonWriter::Raw(std::string_view json) {
  impl_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}
JsonWriter& JsonWriter::Seconds(std::int64_t ns) { return Raw(DecimalSeconds(ns)); }

std::string JsonWriter::Take() {
  std::string text(impl_->buffer.GetString(), impl_->buffer.GetSize());
  impl_->buffer.Clear();
  impl_->writer.Reset(impl_->buffer);
  return text;
}
std::size_t JsonWriter::size() const { return impl_->buffer.GetSize(); }

std::string DecimalSeconds(std::int64_t ns) {
  const bool negative = ns < 0;
  const std::uint64_t magnitude =
      negative ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  std::string text = negative ? "-" : "";
  text += std::to_string(magnitude / static_cast<std::uint64_t>(kNsPerSecond));
  std::string fraction = std::to_string(magnitude % static_cast<std::uint64_t>(kNsPerSecond));
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) text += "." + fraction;
  return text;
}

bool JsonDepthExceeds(std::string_view json, std::size_t depth_max) {
  std::size_t depth = 0;
  const auto is_too_deep = [&](char c) {
    if (c == '{' || c == '[') return ++depth > depth_max;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    return false;
  };
  return FindOutsideStrings(json, 0, is_too_deep) < json.size();
}

bool JsonValuesExceed(std::string_view json, std::size_t values_max) {
  std::size_t values = 1;
  const auto is_too_many = [&](char c) {
    return (c == ',' || c == ':' || c == '[' || c == '{') && ++values > values_max;
  };
  return FindOutsideStrings(json, 0, is_too_many) < json.size();
}

}  // namespace fluoro
