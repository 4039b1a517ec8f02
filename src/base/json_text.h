// A part of a JSON text as it stands.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.h"

namespace fluoro {

/// The object or array that begins at byte `offset` of a valid JSON text.
inline std::string_view JsonTextAt(std::string_view json, std::size_t offset) {
  const std::string_view rest = json.substr(offset);
  std::size_t depth = 0;
  const std::size_t end = FindOutsideStrings(rest, 0, [&](char c) {
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    return depth == 0;
  });
  return rest.substr(0, end + 1);
}

}  // namespace fluoro
