// The text of built_in_model_prices.jsonl, compiled in.
#pragma once

#include <string_view>

namespace fluoro::genai {

extern const std::string_view kBuiltInModelPrices;

}  // namespace fluoro::genai
