#include "query/filter.h"

#include <utility>

#include "query/expression.h"
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

}  // namespace fluoro::query
