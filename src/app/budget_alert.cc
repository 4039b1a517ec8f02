#include "app/budget_alert.h"

#include "api/insights/webhook.h"
#include "base/json.h"

namespace fluoro::app {

std::string BudgetAlertBody(const cost::BudgetAlert& alert, std::string_view event_id,
                            std::int64_t now_ns, const control::Place& place) {
  const analysis::Budget& budget = alert.budget;
  JsonWriter out;
  api::insights::BeginEvent(
      out,
      {.id = event_id, .detail_type = "Budget Alert", .source = "fluoro.cost", .time_ns = now_ns},
      place);
  out.Key("name").String(budget.name);
  out.Key("month").String(analysis::DayText(alert.state.month).substr(0, 7));
  out.Key("state").String(analysis::BudgetStateName(budget, alert.state));
  out.Key("used_usd").Double(alert.state.used_usd).Key("usd_month").Double(budget.usd_month);
  out.Key("share").Double(alert.state.Share(budget));
  out.Key("on").String(budget.on_forecast ? "forecast" : "actual");
  if (budget.dimension) {
    out.Key("by").String(analysis::DimensionName(*budget.dimension)).Key("of").String(budget.of);
  }
  out.EndObject().EndObject();
  return out.Take();
}

}  // namespace fluoro::app
