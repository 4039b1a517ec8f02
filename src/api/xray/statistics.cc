// GetTimeSeriesServiceStatistics.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/band.h"
#include "analysis/service_graph.h"
#include "api/xray/context.h"
#include "api/xray/forecast.h"
#include "api/xray/render.h"
#include "base/json.h"
#include "query/filter.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kPointsPage = 1'000;
constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kFiveMinutes = 300;

struct Series {
  Window window;
  std::int64_t period_s = kMinute;
  std::optional<query::EntitySelector> selector;
  std::optional<query::Filter> group;
  bool forecast = false;
};

ApiResult<Series> SeriesOf(Context& context, const MembersView& members) {
  Series series;
  series.period_s = members.Int("Period").value_or(kMinute);
  series.forecast = members.Bool("ForecastStatistics").value_or(false);
  if (series.period_s != kMinute && series.period_s != kFiveMinutes)
    return Refuse("Period must be 60 or 300");
  auto window = WindowOf(context, members, series.period_s == kMinute ? 6 : 24);
  if (!window) return std::unexpected(std::move(window).error());
  series.window = *window;
  auto group = GroupFilter(context, members);
  if (!group) return std::unexpected(std::move(group).error());
  series.group = *std::move(group);
  if (const auto text = members.Text("EntitySelectorExpression")) {
    FLUORO_API_TRY(series.selector, query::EntitySelector::Parse(*text));
  }
  if (series.forecast &&
      !(series.selector && series.selector->service && series.selector->service->by_id)) {
    return Refuse(
        "ForecastStatistics needs an EntitySelectorExpression of the form service(id(...))");
  }
  return series;
}

std::string RenderPoint(std::int64_t start_ns, const analysis::Statistics& statistics,
                        bool of_service, const std::optional<Forecast>& forecast) {
  JsonWriter out;
  out.BeginObject().Key("Timestamp").Seconds(start_ns);
  out.Key(of_service ? "ServiceSummaryStatistics" : "EdgeSummaryStatistics");
  AppendStatistics(out, statistics);
  if (forecast) {
    out.Key("ServiceForecastStatistics").BeginObject();
    out.Key("FaultCountHigh").Int(forecast->fault_count_high);
    out.Key("FaultCountLow").Int(forecast->fault_count_low).EndObject();
  }
  out.Key("ResponseTimeHistogram");
  AppendHistogram(out, statistics.histogram);
  out.EndObject();
  return out.Take();
}

ApiResult<std::vector<std::string>> Points(Context& context, const Series& series, Answer& answer) {
  const std::int64_t from_ns =
      series.window.from_ns - (series.forecast ? analysis::kBaselineHistoryNs : 0);
  const std::int64_t period_ns = series.period_s * kNsPerSecond;
  analysis::TimeSeriesBuilder builder(period_ns, series.selector);
  const std::int64_t deadline_ns = context.clock.MonotonicNs() + kQueryDeadlineNs;
  const Window window{.from_ns = from_ns, .until_ns = series.window.until_ns};
  if (series.group) {
    FLUORO_API_TRY(const store::SearchResult found,
                   VisitGroup(context, *series.group, window, deadline_ns,
                              [&](const model::AssembledTrace& trace, double weight) {
                                builder.Add(trace, window.from_ns, window.until_ns, weight);
                              }));
    TellWhatIsMissing(found, answer);
  } else {
    FLUORO_API_TRY(const store::GraphResult found,
                   context.store.Graph({.from_ns = window.from_ns,
                                        .until_ns = window.until_ns,
                                        .period_ns = period_ns,
                                        .deadline_ns = deadline_ns}));
    builder.Add(found.rollup);
    TellWhatIsMissing(found, answer);
  }

  std::map<std::int64_t, Forecast> forecasts;
  if (series.forecast) forecasts = ForecastFaults(builder.windows());
  const bool of_service = series.selector && series.selector->service;
  std::vector<std::string> points;
  for (const auto& [start_ns, statistics] : builder.windows()) {
    if (start_ns + period_ns <= series.window.from_ns || statistics.total() <= 0) continue;
    std::optional<Forecast> forecast;
    if (const auto known = forecasts.find(start_ns); known != forecasts.end())
      forecast = known->second;
    points.push_back(RenderPoint(start_ns, statistics, of_service, forecast));
  }
  return points;
}

}  // namespace

ApiResult<Answer> GetTimeSeriesServiceStatistics(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto series = SeriesOf(context, members);
  if (!series) return std::unexpected(series.error());
  const Fingerprint fingerprint = Fingerprint("GetTimeSeriesServiceStatistics")
                                      .Add(series->window.from_ns)
                                      .Add(series->window.until_ns)
                                      .Add(series->period_s)
                                      .Add(series->forecast ? 1 : 0)
                                      .Add(members.Text("EntitySelectorExpression").value_or(""))
                                      .Add(series->group ? series->group->text() : "");
  Answer answer;
  const auto page = context.pages.Get(members.Text("NextToken"), fingerprint, kPointsPage,
                                      [&] { return Points(context, *series, answer); });
  if (!page) return std::unexpected(page.error());
  JsonWriter out;
  out.BeginObject().Key("TimeSeriesServiceStatistics").Raw(page->Json());
  out.Key("ContainsOldGroupVersions").Bool(false);
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  answer.body = out.Take();
  return answer;
}

}  // namespace fluoro::api::xray
