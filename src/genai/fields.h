// Where each canonical field is read from: the table behind CanonicalField.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "genai/reading.h"

namespace fluoro::genai {

enum class Reading : std::uint8_t {
  kValue,
  kMember,     ///< member `part` of an object; "a/b": member b of member a
  kSum,        ///< of all members of an object
  kLargest,    ///< the largest of several sums of members: `part` is "a|b+c"
  kSeconds,    ///< seconds where the field is milliseconds
  kPerSecond,  ///< a rate where the field is milliseconds each
  kFromOne,    ///< counts from one where the field counts from zero
  kTag,        ///< element of a list of texts that begins with `part`
};

struct Source {
  std::string_view key;
  Reading reading = Reading::kValue;
  std::string_view part = {};
  bool (*when)(const model::Span&) = nullptr;  ///< null: always
};

using Value = std::optional<model::AttributeValue>;

struct Field {
  std::string_view name;
  Form form = Form::kText;
  std::span<const Source> sources = {};             ///< span attributes, best first
  std::span<const std::string_view> resource = {};  ///< resource attributes, after those
  Value (*derive)(const model::Span&) = nullptr;    ///< after both
  /// Puts what was found into canonical form; null where it is in that form.
  Value (*finish)(const model::Span&, model::AttributeValue, const Source*) = nullptr;
};

/// All fields, in the order of docs/genai.md.
std::span<const Field> Fields();
/// The row of a canonical name.
const Field& FieldNamed(std::string_view name);

/// What one source of a field of that form says.
Value ReadSource(const model::Span& span, const Source& source, Form form);

/// The value under its other names; the canonical name itself is CanonicalField's business.
Value ReadSources(const model::Span& span, const Field& field);

}  // namespace fluoro::genai
