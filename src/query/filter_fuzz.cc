// Any bytes as a filter and as an entity selector: no crash, and what parses prints to text that
// parses to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "query/expression.h"
#include "query/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::query::Filter;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Filter::Options options{.case_insensitive_strings = false,
                                .groups = [](std::string_view name) -> std::optional<std::string> {
                                  if (name == "a") return "fault AND group.name = \"b\"";
                                  if (name == "b") return "ok";
                                  if (name == "loop") return "group.name = loop";
                                  return std::nullopt;
                                }};
  if (const auto filter = Filter::Parse(text, options); filter && !filter->matches_all()) {
    const std::string printed = fluoro::query::Print(*filter->root());
    // Escapes may make the printed text longer than what may be parsed.
    if (printed.size() <= fluoro::query::kExpressionBytesMax) {
      const auto again = Filter::Parse(printed, options);
      FLUORO_ASSERT(again.has_value());
      FLUORO_ASSERT(fluoro::query::Print(*again->root()) == printed);
    }
  }
  static_cast<void>(fluoro::query::EntitySelector::Parse(text));
  return 0;
}
