#include "api/ui/model_prices_api.h"

#include "base/json.h"
#include "cost/model_prices.h"

namespace fluoro::api::ui {

std::string ModelPricesJson(const genai::ModelPrices& prices) {
  JsonWriter out;
  out.BeginObject().Key("date").String(DayText(prices.date()));
  out.Key("built_in_date").String(DayText(genai::ModelPrices::BuiltInDate()));
  out.Key("prices").BeginArray();
  for (const genai::ModelPrice& price : prices.entries()) {
    std::string text = genai::PrintModelPrice(price);
    text.pop_back();
    JsonWriter more;
    more.BeginObject().Key("name").String(cost::ModelPriceRecordName(price));
    more.Key("built_in").Bool(price.built_in).EndObject();
    out.Raw(text + "," + more.Take().substr(1));
  }
  out.EndArray().EndObject();
  return out.Take();
}

Result<std::string> PutModelPriceJson(control::Repository& control, std::string_view who,
                                      std::string_view body, std::int64_t now_ns) {
  FLUORO_TRY(const genai::ModelPrice price, genai::ParseModelPrice(body, DayOf(now_ns)));
  FLUORO_CHECK_OK(control.Write(
      who, [&](control::Transaction& change) { return cost::PutModelPrice(change, price); }));
  JsonWriter out;
  out.BeginObject().Key("name").String(cost::ModelPriceRecordName(price)).EndObject();
  return out.Take();
}

Result<std::string> DeleteModelPriceJson(control::Repository& control, std::string_view who,
                                         std::string_view name) {
  FLUORO_CHECK_OK(control.Write(who, [&](control::Transaction& change) -> Result<void> {
    FLUORO_TRY(const bool was_there, change.Delete(cost::kModelPriceKind, name));
    if (!was_there)
      return Fail(ErrorCode::kNotFound, "no model price '" + std::string(name) +
                                            "' of your own (ID@DATE; built-in ones stay, and are "
                                            "overridden by an entry of their id)");
    return {};
  }));
  JsonWriter out;
  out.BeginObject().Key("deleted").String(name).EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
