// Recursive descent over the tokens: text -> checked Expression. Users call Filter::Parse.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "query/expression.h"
#include "query/filter.h"

namespace fluoro::query {

/// Conditions a filter may have once its groups are replaced by their filters.
inline constexpr std::size_t kConditionsMax = 65'536;

/// Null for "matches everything". Errors: as Filter::Parse.
Result<std::unique_ptr<Expression>> ParseExpression(std::string_view text,
                                                    const GroupLookup& groups);

/// Errors: as EntitySelector::Parse.
Result<EntitySelector> ParseEntitySelector(std::string_view text);

}  // namespace fluoro::query
