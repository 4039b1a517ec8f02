// Values as JSON text.
#pragma once

#include <string>

#include "base/json.h"
#include "base/json_tree.h"
#include "model/attribute_value.h"

namespace fluoro::genai {

std::string JsonText(const JsonView& view);

/// Strings as they stand, since they mostly hold JSON; arrays and lists as JSON; bytes as null.
std::string JsonOrText(const model::AttributeValue& value);

}  // namespace fluoro::genai
