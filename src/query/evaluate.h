// Whether a trace satisfies an expression. Users call Filter::Matches.
#pragma once

#include "query/expression.h"
#include "query/filter.h"

namespace fluoro::query {

/// Pure. The stack is bounded by the nesting of the expression; time is linear in its conditions
/// times the trace's entities.
/// @param fold_case  compare string values without regard to the case of ASCII letters.
bool Evaluate(const Expression& expression, const TraceView& trace, bool fold_case);

}  // namespace fluoro::query
