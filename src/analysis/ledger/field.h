// Canonical fields of one span as plain values: what is absent, or of another form, is the default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "genai/step.h"

namespace fluoro::analysis {

inline std::string TextField(const model::Span& span, std::string_view field) {
  const auto value = genai::CanonicalField(span, field);
  const std::string* text = value ? value->AsString() : nullptr;
  return text == nullptr ? std::string() : *text;
}

inline std::optional<std::int64_t> CountField(const model::Span& span, std::string_view field) {
  const auto value = genai::CanonicalField(span, field);
  const std::int64_t* count = value ? value->AsInt() : nullptr;
  return count == nullptr ? std::nullopt : std::optional(*count);
}

inline bool FlagField(const model::Span& span, std::string_view field) {
  const auto value = genai::CanonicalField(span, field);
  const bool* flag = value ? value->AsBool() : nullptr;
  return flag != nullptr && *flag;
}

/// A field of milliseconds, in whole nanoseconds.
std::optional<std::int64_t> MillisecondsField(const model::Span& span, std::string_view field);

}  // namespace fluoro::analysis
