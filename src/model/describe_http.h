// Part of DescribeSpan: the `http` block of a span.
#pragma once

#include "model/describe_names.h"

namespace fluoro::model::describe {

HttpFields HttpOf(const Input& in);
/// Response status under its old or new name.
std::optional<std::int64_t> StatusOf(const Input& in);

}  // namespace fluoro::model::describe
