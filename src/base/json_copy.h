// A value that was read, written again.
#pragma once

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro {

/// Every value and key as it was read; of numbers the value, not how it was spelt. Pure.
void CopyJson(JsonWriter& out, const JsonView& view);

}  // namespace fluoro
