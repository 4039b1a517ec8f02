// GetInsightSummaries, GetInsight, GetInsightEvents, GetInsightImpactGraph.
#include <algorithm>
#include <cmath>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "api/insights/insight_record.h"
#include "api/xray/context.h"
#include "api/xray/render.h"
#include "base/json.h"
#include "control/groups.h"

namespace fluoro::api::xray {
namespace {

using analysis::AnomalyCategory;
using analysis::ImpactCounts;
using analysis::ImpactGraph;
using analysis::Insight;
using analysis::InsightEvent;
using analysis::InsightState;
using insights::StoredInsight;

constexpr std::size_t kSummariesPage = 50;
constexpr std::size_t kEventsPage = 25;
constexpr std::size_t kServicesPage = 100;
/// A client's clock may be a little ahead of the request's way here.
constexpr std::int64_t kRetentionSlackNs = 300 * kNsPerSecond;
constexpr int kRetentionHours = 31 * 24;
constexpr std::int64_t kImpactWindowNs = 6LL * 3600 * kNsPerSecond;

ApiResult<Window> InsightWindow(const Context& context, const MembersView& members) {
  auto window = WindowOf(context, members, kRetentionHours);
  if (!window) return window;
  if (window->from_ns < context.clock.UnixNs() - insights::kRetentionNs - kRetentionSlackNs)
    return Refuse("StartTime cannot be more than 30 days ago");
  return window;
}

/// Latency is a category of our own: X-Ray's clients know FAULT alone.
ApiResult<StoredInsight> FaultInsight(Context& context, const MembersView& members) {
  std::string id(members.Text("InsightId").value_or(""));
  std::ranges::transform(
      id, id.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  auto stored = insights::FindInsight(*context.control.Read(), id);
  if (!stored || stored->insight.category != AnomalyCategory::kFault)
    return Refuse("Insight not found");
  return *std::move(stored);
}

void AppendCounts(JsonWriter& out, const ImpactCounts& counts) {
  out.BeginObject().Key("FaultCount").Int(std::llround(counts.fault));
  out.Key("OkCount").Int(std::llround(counts.ok));
  out.Key("TotalCount").Int(std::llround(counts.total)).EndObject();
}

void AppendTop(JsonWriter& out, const std::vector<model::ServiceKey>& services) {
  out.Key("TopAnomalousServices").BeginArray();
  for (const model::ServiceKey& key : services) {
    out.BeginObject().Key("ServiceId");
    AppendServiceId(out, key);
    out.EndObject();
  }
  out.EndArray();
}

/// The members that Insight and InsightSummary share.
void AppendInsight(JsonWriter& out, const StoredInsight& stored) {
  const Insight& insight = stored.insight;
  out.Key("InsightId").String(insight.id).Key("GroupARN").String(stored.group_arn);
  out.Key("GroupName").String(stored.group_name).Key("RootCauseServiceId");
  AppendServiceId(out, insight.root_cause);
  out.Key("Categories").BeginArray().String(insights::CategoryName(insight.category)).EndArray();
  out.Key("State").String(insights::StateName(insight.state));
  out.Key("StartTime").Seconds(insight.start_ns);
  if (insight.state == InsightState::kClosed) out.Key("EndTime").Seconds(insight.end_ns);
  out.Key("Summary").String(insight.summary).Key("ClientRequestImpactStatistics");
  AppendCounts(out, insight.clients);
  out.Key("RootCauseServiceRequestImpactStatistics");
  AppendCounts(out, insight.root_cause_counts);
  AppendTop(out, insight.top_services);
}

std::string EventText(const InsightEvent& event) {
  JsonWriter out;
  out.BeginObject().Key("Summary").String(event.summary).Key("EventTime").Seconds(event.time_ns);
  out.Key("ClientRequestImpactStatistics");
  AppendCounts(out, event.clients);
  out.Key("RootCauseServiceRequestImpactStatistics");
  AppendCounts(out, event.root_cause);
  AppendTop(out, event.top_services);
  out.EndObject();
  return out.Take();
}

/// When an insight's last affected minute ended; active ones go on.
std::int64_t EndOf(const Insight& insight) {
  return insight.state == InsightState::kActive ? INT64_MAX : insight.end_ns;
}

/// Services that were affected in the window, and calls among them: no statistics.
std::vector<std::string> ImpactServices(const ImpactGraph& graph, const Window& window) {
  std::vector<std::int32_t> places(graph.services.size(), -1);
  std::int32_t count = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ImpactGraph::Service& service = graph.services[i];
    const std::int64_t end_ns = service.last_ns + analysis::AnomalyDetector::kMinuteNs;
    if (service.first_ns < window.until_ns && end_ns > window.from_ns) places[i] = count++;
  }
  std::vector<std::string> services;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0) continue;
    const ImpactGraph::Service& service = graph.services[i];
    JsonWriter out;
    out.BeginObject().Key("ReferenceId").Int(places[i]);
    out.Key("Type").String(service.client ? "client" : service.key.type);
    out.Key("Name").String(service.key.name).Key("Names").BeginArray().String(service.key.name);
    out.EndArray();
    if (!service.key.account_id.empty()) out.Key("AccountId").String(service.key.account_id);
    out.Key("Edges").BeginArray();
    for (const auto& [from, to] : graph.calls) {
      const std::int32_t callee = places[static_cast<std::size_t>(to)];
      if (static_cast<std::size_t>(from) == i && callee >= 0)
        out.BeginObject().Key("ReferenceId").Int(callee).EndObject();
    }
    out.EndArray().EndObject();
    services.push_back(out.Take());
  }
  return services;
}

std::size_t PageSize(const MembersView& members, std::size_t otherwise) {
  return static_cast<std::size_t>(
      members.Int("MaxResults").value_or(static_cast<std::int64_t>(otherwise)));
}

}  // namespace

ApiResult<Answer> GetInsightSummaries(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto name = members.Text("GroupName");
  const auto arn = members.Text("GroupARN");
  if (!name && !arn) return Refuse("Specify a group by GroupName or GroupARN");
  const auto window = InsightWindow(context, members);
  if (!window) return std::unexpected(window.error());
  const auto snapshot = context.control.Read();
  const auto group = control::FindGroup(*snapshot, context.place, arn ? *arn : *name);
  if (!group || (name && group->name != *name)) return Refuse("Group not found");
  const auto states = members.Texts("States");

  Fingerprint fingerprint("GetInsightSummaries");
  fingerprint.Add(group->arn).Add(window->from_ns).Add(window->until_ns);
  fingerprint.Add(states.empty() ? std::string_view() : states.front());
  const auto list = [&]() -> ApiResult<std::vector<std::string>> {
    std::vector<std::string> summaries;
    for (const StoredInsight& stored : insights::ReadInsights(*snapshot)) {
      const Insight& insight = stored.insight;
      if (stored.group_arn != group->arn || insight.category != AnomalyCategory::kFault ||
          insight.start_ns >= window->until_ns || EndOf(insight) <= window->from_ns ||
          (!states.empty() && states.front() != insights::StateName(insight.state)))
        continue;
      JsonWriter out;
      out.BeginObject();
      AppendInsight(out, stored);
      out.Key("LastUpdateTime").Seconds(insight.update_ns).EndObject();
      summaries.push_back(out.Take());
    }
    return summaries;
  };
  const auto page = context.pages.Get(members.Text("NextToken"), fingerprint,
                                      PageSize(members, kSummariesPage), list);
  if (!page) return std::unexpected(page.error());
  JsonWriter out;
  out.BeginObject().Key("InsightSummaries").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> GetInsight(Context& context, const Request& request) {
  const auto stored = FaultInsight(context, request.members());
  if (!stored) return std::unexpected(stored.error());
  JsonWriter out;
  out.BeginObject().Key("Insight").BeginObject();
  AppendInsight(out, *stored);
  out.EndObject().EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> GetInsightEvents(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto stored = FaultInsight(context, members);
  if (!stored) return std::unexpected(stored.error());
  const auto list = [&]() -> ApiResult<std::vector<std::string>> {
    std::vector<std::string> events;
    for (const InsightEvent& event : std::views::reverse(stored->insight.events))
      events.push_back(EventText(event));
    return events;
  };
  const auto page = context.pages.Get(members.Text("NextToken"),
                                      Fingerprint("GetInsightEvents").Add(stored->insight.id),
                                      PageSize(members, kEventsPage), list);
  if (!page) return std::unexpected(page.error());
  JsonWriter out;
  out.BeginObject().Key("InsightEvents").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> GetInsightImpactGraph(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto window = InsightWindow(context, members);
  if (!window) return std::unexpected(window.error());
  if (window->until_ns - window->from_ns > kImpactWindowNs)
    return Refuse("Time range cannot be longer than 6 hours");
  const auto stored = FaultInsight(context, members);
  if (!stored) return std::unexpected(stored.error());
  const Insight& insight = stored->insight;
  const Fingerprint fingerprint = Fingerprint("GetInsightImpactGraph")
                                      .Add(insight.id)
                                      .Add(window->from_ns)
                                      .Add(window->until_ns);
  const auto list = [&]() -> ApiResult<std::vector<std::string>> {
    return ImpactServices(insight.graph, *window);
  };
  const auto page = context.pages.Get(members.Text("NextToken"), fingerprint, kServicesPage, list);
  if (!page) return std::unexpected(page.error());
  // What of the window the insight was watched in.
  const std::int64_t from_ns = std::clamp(insight.start_ns, window->from_ns, window->until_ns);
  const std::int64_t until_ns =
      std::clamp(insight.state == InsightState::kActive ? insight.update_ns : insight.end_ns,
                 from_ns, window->until_ns);
  JsonWriter out;
  out.BeginObject().Key("InsightId").String(insight.id);
  out.Key("StartTime").Seconds(window->from_ns).Key("EndTime").Seconds(window->until_ns);
  out.Key("ServiceGraphStartTime").Seconds(from_ns);
  out.Key("ServiceGraphEndTime").Seconds(until_ns).Key("Services").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
