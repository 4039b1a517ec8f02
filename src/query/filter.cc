#include "query/filter.h"

#include <algorithm>
#include <utility>

#include "query/expression.h"
#include "query/lexer.h"
#include "query/parser.h"

namespace fluoro::query {

Result<Filter> Filter::Parse(std::string_view text, const Options& options) {
  FLUORO_TRY(std::unique_ptr<Expression> root, ParseExpression(text, options.groups));
  Filter filter;
  filter.text_ = text;
  filter.case_insensitive_ = options.case_insensitive_strings;
  filter.root_ = std::move(root);
  return filter;
}

Result<Filter> Filter::Parse(std::string_view text) { return Parse(text, Options{}); }

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
