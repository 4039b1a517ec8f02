#include "api/ui/cost_api.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "analysis/cost_report.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "cost/records.h"

namespace fluoro::api::ui {
namespace {

using analysis::Day;
using analysis::Dimension;
using analysis::Meter;

struct CostRequest {
  std::optional<Dimension> by;
  Day from = 0;
  Day until = 0;
};

std::unexpected<Error> Wrong(const std::string& member, const std::string& wanted) {
  return Fail(ErrorCode::kInvalidArgument, member + ": " + wanted + " wanted");
}

Result<CostRequest> ParseCostRequest(std::string_view body, std::int64_t now_ns) {
  CostRequest request{.by = std::nullopt,
                      .from = analysis::MonthStart(analysis::DayOf(now_ns)),
                      .until = analysis::DayOf(now_ns) + 1};
  if (body.empty()) return request;
  const auto tree = JsonTree::Parse(body, {.depth_max = 4, .values_max = 64});
  if (!tree || !tree->root().IsObject()) return Wrong("body", "a JSON object");
  for (const JsonView::Member& member : tree->root().Members()) {
    if (member.value.IsNull()) continue;
    if (member.key == "by") {
      const std::string_view name = member.value.String().value_or("");
      request.by = analysis::DimensionNamed(name);
      if (!request.by && name != "day") return Wrong("by", "day, service, group, tenant or rule");
    } else if (member.key == "from" || member.key == "to") {
      const auto time = member.value.Int();
      if (!time || *time < 0) return Wrong(std::string(member.key), "a time in nanoseconds");
      if (member.key == "from") {
        request.from = analysis::DayOf(*time);
      } else {
        request.until = analysis::DayOf(*time - (*time > 0 ? 1 : 0)) + 1;
      }
    }
  }
  if (request.from >= request.until) return Wrong("from", "a time before `to`");
  if (request.until - request.from > kCostDaysMax)
    return Wrong("from", "at most " + std::to_string(kCostDaysMax) + " days before `to`");
  return request;
}

void WriteUsd(JsonWriter& out, std::string_view key, const std::optional<double>& usd) {
  out.Key(key);
  if (usd) {
    out.Double(*usd);
  } else {
    out.Null();
  }
}

void WriteForecast(JsonWriter& out, std::string_view key, const analysis::Forecast& forecast) {
  out.Key(key).BeginObject().Key("expected").Double(forecast.expected);
  out.Key("low").Double(forecast.low).Key("high").Double(forecast.high).EndObject();
}

void WriteReport(JsonWriter& out, const analysis::CostReport& report) {
  out.Key("meters").BeginArray();
  for (const analysis::MeterBill& bill : report.meters) {
    out.BeginObject().Key("meter").String(analysis::MeterName(bill.meter));
    out.Key("units").Double(bill.units).Key("free").Double(bill.free);
    WriteUsd(out, "usd", bill.usd);
    WriteUsd(out, "list_usd", bill.list_usd);
    out.EndObject();
  }
  out.EndArray().Key("usd").Double(report.usd).Key("xray_usd").Double(report.xray_usd);
  out.Key("unpriced").BeginArray();
  for (const Meter meter : report.unpriced) out.String(analysis::MeterName(meter));
  out.EndArray().Key("rows").BeginArray();
  for (const analysis::CostRow& row : report.rows) {
    out.BeginObject().Key("name").String(row.name).Key("units").BeginObject();
    for (std::size_t i = 0; i < analysis::kMeters; ++i) {
      if (row.units.at(i) != 0)
        out.Key(analysis::MeterName(static_cast<Meter>(i))).Double(row.units.at(i));
    }
    out.EndObject().Key("list_usd").Double(row.list_usd);
    if (row.usd) out.Key("usd").Double(*row.usd);
    out.EndObject();
  }
  out.EndArray();
}

// The state as of now: what was watched last, gone on from.
void WriteBudgets(JsonWriter& out, const CostContext& context, const analysis::PriceTable& prices,
                  std::span<const analysis::UsageOfDay> days) {
  const auto states = context.meter.budget_states();
  const std::string& region = context.meter.options().place.region;
  out.Key("budgets").BeginArray();
  for (const analysis::Budget& budget : cost::BudgetsOf(*context.control.Read())) {
    const double usd = analysis::BudgetUsd(budget, prices, region, days, context.now_ns);
    const auto before = states.find(budget.name);
    const analysis::BudgetState state = analysis::NextState(
        budget, before == states.end() ? analysis::BudgetState() : before->second,
        analysis::MonthStart(analysis::DayOf(context.now_ns)), usd);
    std::string text = analysis::PrintBudget(budget);
    text.pop_back();
    JsonWriter more;
    more.BeginObject().Key("used_usd").Double(usd).Key("share").Double(state.Share(budget));
    more.Key("state").String(analysis::BudgetStateName(budget, state)).EndObject();
    out.Raw(text + "," + more.Take().substr(1));
  }
  out.EndArray();
}

Day HistoryFrom(const CostContext& context) {
  const Day today = analysis::DayOf(context.now_ns);
  return std::min(today - static_cast<Day>(analysis::kForecastDaysMax),
                  analysis::MonthStart(today));
}

std::string Done(std::string_view key, std::string_view value) {
  JsonWriter out;
  out.BeginObject().Key(key).String(value).EndObject();
  return out.Take();
}

Result<void> DeleteRecord(const CostContext& context, std::string_view who, std::string_view kind,
                          std::string_view name) {
  return context.control.Write(who, [&](control::Transaction& change) -> Result<void> {
    FLUORO_TRY(const bool was_there, change.Delete(kind, name));
    if (!was_there)
      return Fail(ErrorCode::kNotFound, "no " + std::string(kind) + " '" + std::string(name) + "'");
    return {};
  });
}

}  // namespace

Result<std::string> CostJson(const CostContext& context, std::string_view body) {
  FLUORO_TRY(const CostRequest request, ParseCostRequest(body, context.now_ns));
  const Day from = std::min(analysis::MonthStart(request.from), HistoryFrom(context));
  const Day until = std::max(request.until, analysis::DayOf(context.now_ns) + 1);
  FLUORO_TRY(const cost::CostMeter::Answer usage, context.meter.Usage(from, until));
  const auto& days = usage.days;
  const analysis::PriceTable prices = cost::PricesOf(*context.control.Read());
  const std::string& region = context.meter.options().place.region;
  const analysis::CostReport report =
      analysis::ReportOf(prices, region, days, request.from, request.until, request.by);
  const analysis::MonthForecast forecast =
      analysis::ForecastMonth(prices, region, days, context.now_ns);

  JsonWriter out;
  out.BeginObject().Key("from").String(analysis::DayText(request.from));
  out.Key("to").String(analysis::DayText(request.until - 1)).Key("region").String(region);
  out.Key("by").String(request.by ? analysis::DimensionName(*request.by) : "day");
  out.Key("complete").Bool(usage.complete);
  out.Key("counted_until_ns").Int(context.meter.counted_until_ns());
  WriteReport(out, report);
  out.Key("forecast")
      .BeginObject()
      .Key("month")
      .String(analysis::DayText(forecast.month).substr(0, 7));
  WriteForecast(out, "usd", forecast.usd);
  WriteForecast(out, "traces_recorded", forecast.traces_recorded);
  out.EndObject();
  WriteBudgets(out, context, prices, days);
  out.EndObject();
  return out.Take();
}

std::string PricesJson(const CostContext& context) {
  const auto records = context.control.Read();
  const analysis::PriceTable built_in = analysis::PriceTable::BuiltIn();
  JsonWriter out;
  out.BeginObject().Key("region").String(context.meter.options().place.region);
  const analysis::PriceTable prices = cost::PricesOf(*records);
  out.Key("prices").BeginArray();
  for (const analysis::PriceRow& row : prices.rows()) {
    const bool is_built_in = std::ranges::find(built_in.rows(), row) != built_in.rows().end() &&
                             records->Find(cost::kPriceKind, cost::PriceRecordName(row)) == nullptr;
    std::string text = analysis::PrintPriceRow(row);
    text.pop_back();
    out.Raw(text + ",\"built_in\":" + (is_built_in ? "true}" : "false}"));
  }
  out.EndArray().EndObject();
  return out.Take();
}

Result<std::string> PutPriceJson(const CostContext& context, std::string_view who,
                                 std::string_view body) {
  FLUORO_TRY(const analysis::PriceRow row, analysis::ParsePriceRow(body));
  FLUORO_CHECK_OK(context.control.Write(
      who, [&](control::Transaction& change) { return cost::PutPrice(change, row); }));
  return Done("name", cost::PriceRecordName(row));
}

Result<std::string> DeletePriceJson(const CostContext& context, std::string_view who,
                                    std::string_view name) {
  FLUORO_CHECK_OK(DeleteRecord(context, who, cost::kPriceKind, name));
  return Done("deleted", name);
}

Result<std::string> BudgetsJson(const CostContext& context) {
  FLUORO_TRY(const cost::CostMeter::Answer usage,
             context.meter.Usage(HistoryFrom(context), analysis::DayOf(context.now_ns) + 1));
  JsonWriter out;
  out.BeginObject();
  WriteBudgets(out, context, cost::PricesOf(*context.control.Read()), usage.days);
  out.EndObject();
  return out.Take();
}

Result<std::string> PutBudgetJson(const CostContext& context, std::string_view who,
                                  std::string_view body) {
  FLUORO_TRY(const analysis::Budget budget, analysis::ParseBudget(body));
  FLUORO_CHECK_OK(context.control.Write(
      who, [&](control::Transaction& change) { return cost::PutBudget(change, budget); }));
  return Done("name", budget.name);
}

Result<std::string> DeleteBudgetJson(const CostContext& context, std::string_view who,
                                     std::string_view name) {
  FLUORO_CHECK_OK(DeleteRecord(context, who, cost::kBudgetKind, name));
  return Done("deleted", name);
}

}  // namespace fluoro::api::ui
