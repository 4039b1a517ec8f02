#include "model/attribute_reader.h"

#include <cmath>

namespace fluoro::model {
namespace {

constexpr std::size_t kScanMax = 32;

template <class Number>
std::string Printed(Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return {buffer, end};
}

}  // namespace

std::string ScalarText(const AttributeValue& value) {
  switch (value.type()) {
    case AttributeType::kString:
      return *value.AsString();
    case AttributeType::kBool:
      return *value.AsBool() ? "true" : "false";
    case AttributeType::kInt:
      return Printed(*value.AsInt());
    case AttributeType::kDouble:
      return Printed(*value.AsDouble());
    default:
      return {};
  }
}

std::optional<std::int64_t> ScalarInteger(const AttributeValue& value) {
  if (const std::int64_t* number = value.AsInt()) return *number;
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  const auto integral = [](double number) -> std::optional<std::int64_t> {
    if (!(std::abs(number) <= kExactMax) || std::trunc(number) != number) return std::nullopt;
    return static_cast<std::int64_t>(number);
  };
  if (const double* number = value.AsDouble()) return integral(*number);
  if (const std::string* text = value.AsString()) {
    const char* const end = text->data() + text->size();
    std::int64_t number = 0;
    if (const auto [ptr, error] = std::from_chars(text->data(), end, number);
        error == std::errc() && ptr == end) {
      return number;
    }
    double fraction = 0;
    if (const auto [ptr, error] = std::from_chars(text->data(), end, fraction);
        error == std::errc() && ptr == end) {
      return integral(fraction);
    }
  }
  return std::nullopt;
}

AttributeReader::AttributeReader(const std::vector<Attribute>& attributes)
    : attributes_(attributes) {
  if (attributes.size() <= kScanMax) return;
  sorted_.reserve(attributes.size());
  for (const Attribute& attribute : attributes) {
    if (attribute.role == AttributeRole::kPlain) {
      sorted_.push_back({attribute.key, &attribute.value});
    }
  }
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const Entry& a, const Entry& b) { return a.key < b.key; });
}

const AttributeValue* AttributeReader::Find(std::string_view key) const {
  if (sorted_.empty()) {
    for (auto it = attributes_.rbegin(); it != attributes_.rend(); ++it) {
      if (it->key == key && it->role == AttributeRole::kPlain) return &it->value;
    }
    return nullptr;
  }
  const auto after =
      std::upper_bound(sorted_.begin(), sorted_.end(), key,
                       [](std::string_view wanted, const Entry& e) { return wanted < e.key; });
  if (after == sorted_.begin() || std::prev(after)->key != key) return nullptr;
  return std::prev(after)->value;
}

std::string AttributeReader::Text(Names names) const {
  for (const std::string_view name : names) {
    if (const AttributeValue* value = Find(name)) {
      if (std::string text = ScalarText(*value); !text.empty()) return text;
    }
  }
  return {};
}

std::optional<std::int64_t> AttributeReader::Integer(Names names) const {
  for (const std::string_view name : names) {
    if (const AttributeValue* value = Find(name)) {
      if (const auto number = ScalarInteger(*value)) return number;
    }
  }
  return std::nullopt;
}

bool AttributeReader::IsTrue(std::string_view key) const {
  const AttributeValue* value = Find(key);
  const bool* flag = value == nullptr ? nullptr : value->AsBool();
  return flag != nullptr && *flag;
}

bool AttributeReader::HasAny(Names names) const {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return Find(name) != nullptr; });
}

std::vector<std::string> AttributeReader::Strings(std::string_view key) const {
  const AttributeValue* value = Find(key);
  if (value == nullptr) return {};
  if (const std::string* text = value->AsString()) {
    return text->empty() ? std::vector<std::string>{} : std::vector{*text};
  }
  std::vector<std::string> strings;
  if (const AttributeValue::Array* array = value->AsArray()) {
    for (const AttributeValue& element : array->values) {
      if (const std::string* text = element.AsString()) strings.push_back(*text);
    }
  }
  return strings;
}

}  // namespace fluoro::model
