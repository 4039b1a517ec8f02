// Values of attributes under the many names and shapes in which instrumentations write them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "model/span.h"

namespace fluoro::genai {

/// Last annotation of that key, else last plain attribute; null if neither.
const model::AttributeValue* FindAny(const model::Span& span, std::string_view key);
bool HasAny(const model::Span& span, std::initializer_list<std::string_view> keys);
/// True if some attribute's key begins so.
bool HasPrefix(const model::Span& span, std::string_view prefix);
/// Text of the attribute, or "". Strings that hold a JSON string (MLflow) lose their quotes.
std::string TextAt(const model::Span& span, std::string_view key);
/// Text of a resource attribute, or "".
std::string ResourceText(const model::Span& span, std::string_view key);
std::string LowerCase(std::string_view text);
bool ContainsIgnoringCase(std::string_view text, std::string_view part);

/// What a canonical field holds.
enum class Form : std::uint8_t {
  kText,     ///< not empty
  kCount,    ///< whole, 0 .. 2^53
  kNumber,   ///< finite, 0 .. 2^53
  kFlag,     ///< boolean
  kContent,  ///< any value that is not null
};

/// The value in that form, if it can be had without loss: `"128"`, `128.0` and 128 are one count.
std::optional<model::AttributeValue> Coerce(const model::AttributeValue& value, Form form);

/// Member of an object that the attribute holds as JSON text, as a Python dict of numbers, or as a
/// list of key and value. Scalars only; "a/b" is member b of member a.
std::optional<model::AttributeValue> MemberOf(const model::AttributeValue& value,
                                              std::string_view member);

/// Sum of the numbers in such an object; null if it holds none, or what is no number.
std::optional<double> SumOfMembers(const model::AttributeValue& value);

/// Calls `visit` with the elements of an array, or of a string that holds a JSON array: an object
/// in it is handed over as JSON text.
void ForEachElement(const model::AttributeValue& value,
                    const std::function<void(const model::AttributeValue&)>& visit);

/// True for a text that begins like a JSON object or array and is none: cut, or printed by another
/// language.
bool IsBrokenJson(const model::AttributeValue& value);

/// Calls `visit` with the texts of an array of strings, of a string holding a JSON array, or of one
/// plain string.
void ForEachText(const model::AttributeValue& value,
                 const std::function<void(std::string_view)>& visit);

/// `2026-08-21T12:00:00.25Z` (zone Z or an offset; quotes around it allowed) as nanoseconds of the
/// Unix epoch.
std::optional<std::int64_t> ParseIsoTime(std::string_view text);

}  // namespace fluoro::genai
