// /ui/api/model-prices: the table of prices that calls of models are paid by. docs/genai.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/repository.h"
#include "genai/model_prices.h"

namespace fluoro::api::ui {

/// GET: {"date","built_in_date","prices":[{"name",entry...,"built_in"}]}, by id and date.
std::string ModelPricesJson(const genai::ModelPrices& prices);
/// POST: one entry (genai::ParseModelPrice); from today where it names no day. Errors:
/// kInvalidArgument naming the member, kTooLarge, those of the repository.
Result<std::string> PutModelPriceJson(control::Repository& control, std::string_view who,
                                      std::string_view body, std::int64_t now_ns);
/// DELETE ?name=ID@DATE: what held before holds again. Errors: kNotFound.
Result<std::string> DeleteModelPriceJson(control::Repository& control, std::string_view who,
                                         std::string_view name);

}  // namespace fluoro::api::ui
