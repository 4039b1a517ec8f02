// JSON literals of `rootcause.json = #[...]`: reading, matching, writing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace fluoro {
class JsonWriter;
}

namespace fluoro::query {

/// A JSON value. As a pattern: the members an object names must match, others are free.
struct JsonPattern {
  using Array = std::vector<JsonPattern>;
  using Object = std::vector<std::pair<std::string, JsonPattern>>;
  std::variant<std::monostate, bool, double, std::string, Array, Object> value;
  bool operator==(const JsonPattern&) const;
};

struct JsonLiteral {
  JsonPattern pattern;
  std::size_t end = 0;  ///< index of the first byte behind the value
};

/// What is wrong with a literal and where.
struct JsonFault {
  std::size_t offset = 0;
  bool too_deep = false;
};

/// Reads one JSON array that starts at `text[begin]`; whatever follows it is left alone. Bounded
/// stack: arrays and objects nest at most `nesting_max` deep.
std::expected<JsonLiteral, JsonFault> ReadJsonArray(std::string_view text, std::size_t begin,
                                                    std::size_t nesting_max);

/// Objects: every member of the pattern matches the member of that name; `null` matches null and
/// absent. Arrays: equal length, element by element. Scalars: equal.
bool JsonMatches(const JsonPattern& pattern, const JsonPattern& value);

void WriteJson(const JsonPattern& value, JsonWriter& writer);

}  // namespace fluoro::query
