// Members of a JSON object with a default for what is absent or of another type.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace fluoro::cli {

template <class T>
T ReadMember(simdjson::dom::element object, std::string_view key, T fallback) {
  T value{};
  return object[key].get(value) == simdjson::SUCCESS ? value : fallback;
}

inline std::string ReadText(simdjson::dom::element object, std::string_view key) {
  return std::string(ReadMember<std::string_view>(object, key, {}));
}

}  // namespace fluoro::cli
