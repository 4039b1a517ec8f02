#include <algorithm>
#include <cstddef>
#include <string>

#include "query/filter.h"
#include "query/parser.h"

namespace fluoro::query {

bool EntitySelector::Node::Matches(const model::ServiceKey& key) const {
  return (!name || *name == key.name) && (!type || *type == key.type) &&
         (!account_id || *account_id == key.account_id);
}

Result<EntitySelector> EntitySelector::Parse(std::string_view text) {
  const auto starts_code_point = [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  };
  if (std::ranges::count_if(text, starts_code_point) >
      static_cast<std::ptrdiff_t>(kSelectorCharactersMax)) {
    return Fail(ErrorCode::kTooLarge, "the entity selector is longer than " +
                                          std::to_string(kSelectorCharactersMax) + " characters");
  }
  return ParseEntitySelector(text);
}

}  // namespace fluoro::query
