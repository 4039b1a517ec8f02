#include "api/xray/request.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::size_t kUncountedBytes = std::size_t{1} << 20;
constexpr std::size_t kMessagesMax = 20;
constexpr double kMillisecondsFrom = 1e11;

ApiError SerializationError(std::string message) {
  return {.type = "SerializationException", .message = std::move(message)};
}

std::optional<std::int64_t> ExactInt(element value) {
  std::int64_t whole = 0;
  if (value.get(whole) == simdjson::SUCCESS) return whole;
  double number = 0;
  if (value.type() != element_type::DOUBLE || value.get(number) != simdjson::SUCCESS)
    return std::nullopt;
  if (std::trunc(number) != number || std::abs(number) >= 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<double> AnyNumber(element value) {
  double number = 0;
  if (value.get(number) == simdjson::SUCCESS) return number;
  return std::nullopt;
}

std::size_t CodePoints(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string_view KindName(ShapeKind kind) {
  switch (kind) {
    case ShapeKind::kString:
      return "a string";
    case ShapeKind::kInteger:
    case ShapeKind::kLong:
      return "an integer";
    case ShapeKind::kDouble:
      return "a number";
    case ShapeKind::kBoolean:
      return "a boolean";
    case ShapeKind::kTimestamp:
      return "a number of seconds since the epoch";
    case ShapeKind::kList:
      return "a list";
    case ShapeKind::kMap:
    case ShapeKind::kStructure:
      return "an object";
  }
  return "a value";
}

std::string NumberText(double number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

/// Walks value and shape together. Wrong types end the walk, broken constraints are collected.
class Checker {
 public:
  void CheckStructure(element value, const Shape& shape, const std::string& path) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return WrongType(shape, path);
    for (const Member& member : shape.members) {
      std::string member_path = path.empty() ? "" : path + ".";
      member_path += static_cast<char>(member.name.front() | 0x20);
      member_path += member.name.substr(1);
      element found;
      const bool present =
          object.at_key(member.name).get(found) == simdjson::SUCCESS && !found.is_null();
      if (present) {
        Check(found, *member.shape, member_path);
      } else if (member.required) {
        Broken(member_path, "Member must not be null");
      }
    }
  }

  [[nodiscard]] std::optional<ApiError> Outcome() const {
    if (wrong_type_) return wrong_type_;
    if (broken_count_ == 0) return std::nullopt;
    std::string message = std::to_string(broken_count_) + " validation error" +
                          (broken_count_ == 1 ? "" : "s") + " detected: ";
    for (std::size_t i = 0; i < broken_.size(); ++i) message += (i == 0 ? "" : "; ") + broken_[i];
    return ApiError{.message = std::move(message)};
  }

 private:
  void Check(element value, const Shape& shape, const std::string& path) {
    switch (shape.kind) {
      case ShapeKind::kString: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return WrongType(shape, path);
        CheckBounds(static_cast<double>(CodePoints(text)), shape, path, "length");
        if (!shape.values.empty() && std::ranges::find(shape.values, text) == shape.values.end()) {
          std::string set;
          for (const std::string_view allowed : shape.values)
            set += (set.empty() ? "" : ", ") + std::string(allowed);
          Broken(path, "Member must satisfy enum value set: [" + set + "]");
        }
        if (!shape.pattern.empty() && !RE2::FullMatch(text, RE2(shape.pattern)))
          Broken(path,
                 "Member must satisfy regular expression pattern: " + std::string(shape.pattern));
        return;
      }
      case ShapeKind::kInteger:
      case ShapeKind::kLong: {
        const std::optional<std::int64_t> number = ExactInt(value);
        const bool fits =
            number && (shape.kind == ShapeKind::kLong || std::in_range<std::int32_t>(*number));
        if (!fits) return WrongType(shape, path);
        return CheckBounds(static_cast<double>(*number), shape, path, "value");
      }
      case ShapeKind::kDouble:
      case ShapeKind::kTimestamp: {
        const std::optional<double> number = AnyNumber(value);
        if (!number) return WrongType(shape, path);
        return CheckBounds(*number, shape, path, "value");
      }
      case ShapeKind::kBoolean:
        if (!value.is_bool()) WrongType(shape, path);
        return;
      case ShapeKind::kStructure:
        return CheckStructure(value, shape, path);
      case ShapeKind::kList: {
        simdjson::dom::array list;
        if (value.get(list) != simdjson::SUCCESS) return WrongType(shape, path);
        std::size_t count = 0;
        for (const element item : list) {
          ++count;
          const std::string item_path = path + "." + std::to_string(count) + ".member";
          if (item.is_null()) {
            Broken(item_path, "Member must not be null");
          } else {
            Check(item, *shape.element, item_path);
          }
          if (wrong_type_) return;
        }
        return CheckBounds(static_cast<double>(count), shape, path, "length");
      }
      case ShapeKind::kMap: {
        simdjson::dom::object map;
        if (value.get(map) != simdjson::SUCCESS) return WrongType(shape, path);
        for (const auto& [key, item] : map) {
          CheckBounds(static_cast<double>(CodePoints(key)), *shape.key, path + ".key", "length");
          Check(item, *shape.element, path + "." + std::string(key) + ".value");
          if (wrong_type_) return;
        }
        return CheckBounds(static_cast<double>(map.size()), shape, path, "length");
      }
    }
  }

  void CheckBounds(double measure, const Shape& shape, const std::string& path,
                   std::string_view what) {
    const std::string member = "Member must have " + std::string(what);
    if (shape.min && measure < *shape.min) {
      Broken(path, member + " greater than or equal to " + NumberText(*shape.min));
    }
    if (shape.max && measure > *shape.max) {
      Broken(path, member + " less than or equal to " + NumberText(*shape.max));
    }
  }

  void Broken(const std::string& path, const std::string& constraint) {
    ++broken_count_;
    if (broken_.size() == kMessagesMax) return;
    broken_.push_back("Value at '" + path + "' failed to satisfy constraint: " + constraint);
  }

  void WrongType(const Shape& shape, const std::string& path) {
    if (wrong_type_) return;
    wrong_type_ =
        SerializationError("Value at '" + path + "' must be " + std::string(KindName(shape.kind)));
  }

  std::optional<ApiError> wrong_type_;
  std::vector<std::string> broken_;
  std::size_t broken_count_ = 0;
};

}  // namespace

std::optional<element> MembersView::Find(std::string_view name) const {
  element found;
  if (object_.at_key(name).get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

std::optional<std::string_view> MembersView::Text(std::string_view name) const {
  const std::optional<element> found = Find(name);
  std::string_view text;
  if (!found || found->get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<std::int64_t> MembersView::Int(std::string_view name) const {
  const std::optional<element> found = Find(name);
  return found ? ExactInt(*found) : std::nullopt;
}

std::optional<double> MembersView::Double(std::string_view name) const {
  const std::optional<element> found = Find(name);
  return found ? AnyNumber(*found) : std::nullopt;
}

std::optional<bool> MembersView::Bool(std::string_view name) const {
  const std::optional<element> found = Find(name);
  bool flag = false;
  if (!found || found->get(flag) != simdjson::SUCCESS) return std::nullopt;
  return flag;
}

std::optional<std::int64_t> MembersView::TimeNs(std::string_view name) const {
  const std::optional<double> number = Double(name);
  if (!number) return std::nullopt;
  const double us = *number >= kMillisecondsFrom ? *number * 1e3 : *number * 1e6;
  constexpr double kUsMax = 9.2e15;
  return std::llround(std::clamp(us, -kUsMax, kUsMax)) * kNsPerUs;
}

std::optional<MembersView> MembersView::Structure(std::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found || !found->is_object()) return std::nullopt;
  return MembersView(*found);
}

std::vector<std::string_view> MembersView::Texts(std::string_view name) const {
  std::vector<std::string_view> texts;
  const std::optional<element> found = Find(name);
  simdjson::dom::array list;
  if (!found || found->get(list) != simdjson::SUCCESS) return texts;
  for (const element item : list) {
    std::string_view text;
    if (item.get(text) == simdjson::SUCCESS) texts.push_back(text);
  }
  return texts;
}

std::vector<MembersView> MembersView::Structures(std::string_view name) const {
  std::vector<MembersView> structures;
  const std::optional<element> found = Find(name);
  simdjson::dom::array list;
  if (!found || found->get(list) != simdjson::SUCCESS) return structures;
  for (const element item : list) {
    if (item.is_object()) structures.emplace_back(item);
  }
  return structures;
}

std::optional<std::map<std::string, std::string>> MembersView::Map(std::string_view name) const {
  const std::optional<element> found = Find(name);
  simdjson::dom::object object;
  if (!found || found->get(object) != simdjson::SUCCESS) return std::nullopt;
  std::map<std::string, std::string> entries;
  for (const auto& [key, item] : object) {
    std::string_view text;
    if (item.get(text) == simdjson::SUCCESS) entries[std::string(key)] = text;
  }
  return entries;
}

ApiResult<Request> Request::Parse(std::string_view body, const Shape& input) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) body = "{}";
  if (body.size() > kUncountedBytes && JsonValuesExceed(body, kBodyValuesMax)) {
    return std::unexpected(SerializationError("The request body holds more than 1000000 values"));
  }
  auto parser = std::make_unique<simdjson::dom::parser>();
  element root;
  auto error = parser->allocate(body.size(), kBodyNestingMax);
  if (error == simdjson::SUCCESS) error = parser->parse(body.data(), body.size()).get(root);
  if (error != simdjson::SUCCESS) {
    return std::unexpected(SerializationError("The request body is not valid JSON: " +
                                              std::string(simdjson::error_message(error))));
  }
  if (!root.is_object())
    return std::unexpected(SerializationError("The request body is not a JSON object"));
  Checker checker;
  checker.CheckStructure(root, input, "");
  if (std::optional<ApiError> outcome = checker.Outcome())
    return std::unexpected(*std::move(outcome));
  return Request(std::move(parser), root);
}

}  // namespace fluoro::api::xray
