#include "genai/reading.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "genai/json_text.h"
#include "model/attribute_reader.h"

namespace fluoro::genai {

using model::AttributeValue;
using model::Span;

namespace {

constexpr double kNumberMax = 9007199254740992.0;  // 2^53
constexpr JsonLimits kJsonLimits = {.depth_max = 64, .values_max = 100'000};

char Lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

std::string_view Unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

std::optional<double> NumberOf(const AttributeValue& value) {
  if (const std::int64_t* whole = value.AsInt()) return static_cast<double>(*whole);
  if (const double* number = value.AsDouble()) return *number;
  const std::string* text = value.AsString();
  if (text == nullptr) return std::nullopt;
  const std::string_view plain = Unquoted(*text);
  double number = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), number);
  if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
  return number;
}

std::optional<AttributeValue> NumberIn(const AttributeValue& value, bool whole) {
  const std::optional<double> number = NumberOf(value);
  if (!number || !(*number >= 0 && *number <= kNumberMax)) return std::nullopt;
  if (!whole) return AttributeValue{*number};
  if (std::trunc(*number) != *number) return std::nullopt;
  return AttributeValue{static_cast<std::int64_t>(*number)};
}

std::optional<AttributeValue> FlagIn(const AttributeValue& value) {
  if (value.AsBool() != nullptr) return value;
  const std::string text = LowerCase(Unquoted(model::ScalarText(value)));
  if (text == "true" || text == "1") return AttributeValue{true};
  if (text == "false" || text == "0") return AttributeValue{false};
  return std::nullopt;
}

std::optional<AttributeValue> ScalarOf(const JsonView& view) {
  if (const auto text = view.String()) return AttributeValue{std::string(*text)};
  if (const auto flag = view.Bool()) return AttributeValue{*flag};
  if (const auto whole = view.Int()) return AttributeValue{*whole};
  if (const auto number = view.Double()) return AttributeValue{*number};
  return std::nullopt;
}

bool HoldsOnlyNumbers(const JsonView& view) {
  if (view.IsNull() || view.Double()) return true;
  const auto members = view.Members();
  return view.IsObject() && std::all_of(members.begin(), members.end(), [](const auto& member) {
           return HoldsOnlyNumbers(member.value);
         });
}

// Some exporters print a Python dict where JSON is meant: `{'cache_read': 12, 'audio': None}`. What
// holds texts is left alone, since an apostrophe may be part of them.
Result<JsonTree> ParseObject(const std::string& text) {
  auto tree = JsonTree::Parse(text, kJsonLimits);
  if (tree || text.find('\'') == std::string::npos) return tree;
  std::string repaired = text;
  std::replace(repaired.begin(), repaired.end(), '\'', '"');
  for (std::size_t at = 0; (at = repaired.find("None", at)) != std::string::npos;) {
    repaired.replace(at, 4, "null");
  }
  auto numbers = JsonTree::Parse(repaired, kJsonLimits);
  return numbers && HoldsOnlyNumbers(numbers->root()) ? std::move(numbers) : std::move(tree);
}

}  // namespace

const AttributeValue* FindAny(const Span& span, std::string_view key) {
  const AttributeValue* plain = nullptr;
  for (auto it = span.attributes.rbegin(); it != span.attributes.rend(); ++it) {
    if (it->key != key) continue;
    if (it->role == model::AttributeRole::kAnnotation) return &it->value;
    if (plain == nullptr) plain = &it->value;
  }
  return plain;
}

bool HasAny(const Span& span, std::initializer_list<std::string_view> keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](std::string_view key) { return FindAny(span, key) != nullptr; });
}

bool HasPrefix(const Span& span, std::string_view prefix) {
  return std::any_of(span.attributes.begin(), span.attributes.end(),
                     [&](const model::Attribute& a) { return a.key.starts_with(prefix); });
}

std::string TextAt(const Span& span, std::string_view key) {
  const AttributeValue* value = FindAny(span, key);
  return value == nullptr ? std::string() : std::string(Unquoted(model::ScalarText(*value)));
}

std::string ResourceText(const Span& span, std::string_view key) {
  const AttributeValue* value = span.resource ? span.resource->Find(key) : nullptr;
  return value == nullptr ? std::string() : model::ScalarText(*value);
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return lower;
}

bool ContainsIgnoringCase(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return Lower(a) == Lower(b); }) != text.end();
}

std::optional<AttributeValue> Coerce(const AttributeValue& value, Form form) {
  switch (form) {
    case Form::kText: {
      std::string text(Unquoted(model::ScalarText(value)));
      return text.empty() ? std::nullopt : std::optional(AttributeValue{std::move(text)});
    }
    case Form::kCount:
      return NumberIn(value, true);
    case Form::kNumber:
      return NumberIn(value, false);
    case Form::kFlag:
      return FlagIn(value);
    case Form::kContent:
      break;
  }
  const std::string* text = value.AsString();
  const bool nothing = value.type() == model::AttributeType::kNull || (text && text->empty());
  return nothing ? std::nullopt : std::optional(value);
}

std::optional<AttributeValue> MemberOf(const AttributeValue& value, std::string_view member) {
  const std::size_t slash = member.find('/');
  const std::string_view first = member.substr(0, slash);
  if (const auto* list = std::get_if<AttributeValue::KvList>(&value.value)) {
    for (const model::KeyValue& entry : list->entries) {
      if (entry.key != first) continue;
      if (slash == std::string_view::npos) return entry.value;
      return MemberOf(entry.value, member.substr(slash + 1));
    }
    return std::nullopt;
  }
  const std::string* text = value.AsString();
  if (text == nullptr || text->find(first) == std::string::npos) return std::nullopt;
  const auto tree = ParseObject(*text);
  if (!tree) return std::nullopt;
  JsonView view = tree->root()[first];
  if (slash != std::string_view::npos) view = view[member.substr(slash + 1)];
  return ScalarOf(view);
}

std::optional<double> SumOfMembers(const AttributeValue& value) {
  const std::string* text = value.AsString();
  if (text == nullptr) return std::nullopt;
  const auto tree = ParseObject(*text);
  if (!tree || !tree->root().IsObject()) return std::nullopt;
  std::optional<double> sum;
  for (const auto& member : tree->root().Members()) {
    const auto number = member.value.Double();
    if (!number || *number < 0) return std::nullopt;
    sum = sum.value_or(0) + *number;
  }
  return sum;
}

void ForEachElement(const AttributeValue& value,
                    const std::function<void(const AttributeValue&)>& visit) {
  if (const AttributeValue::Array* array = value.AsArray()) {
    for (const AttributeValue& element : array->values) visit(element);
    return;
  }
  const std::string* text = value.AsString();
  if (text == nullptr || !text->starts_with('[')) return;
  const auto tree = JsonTree::Parse(*text, kJsonLimits);
  if (!tree) return;
  for (const JsonView& element : tree->root().Elements()) {
    if (const auto scalar = ScalarOf(element)) {
      visit(*scalar);
    } else {
      visit({JsonText(element)});
    }
  }
}

bool IsBrokenJson(const AttributeValue& value) {
  const std::string* text = value.AsString();
  if (text == nullptr) return false;
  const std::size_t begin = text->find_first_not_of(" \t\r\n");
  if (begin == std::string::npos || ((*text)[begin] != '{' && (*text)[begin] != '[')) return false;
  return !ParseObject(*text);
}

void ForEachText(const AttributeValue& value, const std::function<void(std::string_view)>& visit) {
  if (const AttributeValue::Array* array = value.AsArray()) {
    for (const AttributeValue& element : array->values) {
      if (const std::string* text = element.AsString()) visit(*text);
    }
    return;
  }
  const std::string* text = value.AsString();
  if (text == nullptr) return;
  if (text->starts_with('[')) {
    if (const auto tree = JsonTree::Parse(*text, kJsonLimits)) {
      for (const JsonView& element : tree->root().Elements()) {
        if (const auto inner = element.String()) visit(*inner);
      }
      return;
    }
  }
  visit(Unquoted(*text));
}

std::optional<std::int64_t> ParseIsoTime(std::string_view text) {
  text = Unquoted(text);
  const auto digits = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    int number = 0;
    if (at + count > text.size()) return std::nullopt;
    const char* const end = text.data() + at + count;
    const auto [stop, error] = std::from_chars(text.data() + at, end, number);
    return error == std::errc() && stop == end && number >= 0 ? std::optional(number)
                                                              : std::nullopt;
  };
  const auto year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  const auto hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  // Other years do not fit into nanoseconds.
  constexpr int kYearMin = 1969;
  constexpr int kYearMax = 2261;
  if (!date.ok() || *year < kYearMin || *year > kYearMax) return std::nullopt;
  std::size_t at = 19;
  std::int64_t fraction_ns = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t place = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, place /= 10) {
      fraction_ns += place * (text[at] - '0');
    }
  }
  std::int64_t offset_minutes = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const auto hours = digits(at + 1, 2);
    const auto minutes = digits(at + (text.size() > at + 3 && text[at + 3] == ':' ? 4 : 3), 2);
    if (!hours || !minutes) return std::nullopt;
    offset_minutes = (std::int64_t{*hours} * 60 + *minutes) * (text[at] == '-' ? -1 : 1);
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t minutes = days * 1440 + std::int64_t{*hour} * 60 + *minute - offset_minutes;
  return (minutes * 60 + *second) * 1'000'000'000 + fraction_ns;
}

}  // namespace fluoro::genai
