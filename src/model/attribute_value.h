// The value of one attribute, as an owned tree (read side).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace fluoro::model {

enum class AttributeType : std::uint8_t {
  kNull,
  kString,
  kBool,
  kInt,
  kDouble,
  kBytes,
  kArray,
  kKvList
};

/// Whether a batch keeps such a value as bytes in its arena.
constexpr bool IsText(AttributeType type) {
  return type == AttributeType::kString ||
         (type >= AttributeType::kBytes && type <= AttributeType::kKvList);
}

struct KeyValue;

/// Everything OTLP's AnyValue can hold. The alternatives stand in the order of AttributeType.
struct AttributeValue {
  struct Bytes {
    std::string data;
    bool operator==(const Bytes&) const = default;
  };
  struct Array {
    std::vector<AttributeValue> values;
    bool operator==(const Array&) const;
  };
  struct KvList {
    std::vector<KeyValue> entries;
    bool operator==(const KvList&) const;
  };

  std::variant<std::monostate, std::string, bool, std::int64_t, double, Bytes, Array, KvList> value;

  [[nodiscard]] AttributeType type() const { return static_cast<AttributeType>(value.index()); }
  [[nodiscard]] const std::string* AsString() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const std::int64_t* AsInt() const { return std::get_if<std::int64_t>(&value); }
  [[nodiscard]] const double* AsDouble() const { return std::get_if<double>(&value); }
  [[nodiscard]] const bool* AsBool() const { return std::get_if<bool>(&value); }
  [[nodiscard]] const Array* AsArray() const { return std::get_if<Array>(&value); }
  bool operator==(const AttributeValue&) const = default;
};

struct KeyValue {
  std::string key;
  AttributeValue value;
  bool operator==(const KeyValue&) const = default;
};

inline bool AttributeValue::Array::operator==(const Array&) const = default;
inline bool AttributeValue::KvList::operator==(const KvList&) const = default;

}  // namespace fluoro::model
