// What the webhook is told when a budget reaches a threshold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/place.h"
#include "cost/meter.h"

namespace fluoro::app {

/// An event as insights have them (docs/insights.md): `source` fluoro.cost, `detail-type` "Budget
/// Alert", detail {"name","month","state","used_usd","usd_month","share","on","by","of"}.
std::string BudgetAlertBody(const cost::BudgetAlert& alert, std::string_view event_id,
                            std::int64_t now_ns, const control::Place& place);

}  // namespace fluoro::app
