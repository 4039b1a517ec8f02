#include "api/ui/insights_json.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "api/insights/insight_record.h"
#include "base/json.h"
#include "net/http.h"

namespace fluoro::api::ui {
namespace {

using insights::StoredInsight;

void WriteService(JsonWriter& out, const model::ServiceKey& key) {
  out.BeginObject().Key("name").String(key.name).Key("type").String(key.type).EndObject();
}

void WriteServices(JsonWriter& out, const std::vector<model::ServiceKey>& services) {
  out.Key("services").BeginArray();
  for (const model::ServiceKey& key : services) WriteService(out, key);
  out.EndArray();
}

void WriteCounts(JsonWriter& out, std::string_view name, const analysis::ImpactCounts& counts) {
  out.Key(name).BeginObject().Key("fault").Int(std::llround(counts.fault));
  out.Key("ok").Int(std::llround(counts.ok));
  out.Key("total").Int(std::llround(counts.total)).EndObject();
}

void WriteMembers(JsonWriter& out, const StoredInsight& stored) {
  const analysis::Insight& insight = stored.insight;
  out.Key("id").String(insight.id).Key("group").String(stored.group_name);
  out.Key("category").String(net::LowerCase(insights::CategoryName(insight.category)));
  out.Key("state").String(net::LowerCase(insights::StateName(insight.state)));
  out.Key("root_cause");
  WriteService(out, insight.root_cause);
  out.Key("from").Int(insight.start_ns).Key("to");
  if (insight.state == analysis::InsightState::kActive) {
    out.Null();
  } else {
    out.Int(insight.end_ns);
  }
  out.Key("updated").Int(insight.update_ns).Key("summary").String(insight.summary);
  out.Key("seen").Double(insight.seen).Key("usual_max").Double(insight.usual_max);
  WriteCounts(out, "clients", insight.clients);
  WriteCounts(out, "root_cause_requests", insight.root_cause_counts);
  WriteServices(out, insight.top_services);
}

}  // namespace

std::string InsightsJson(const control::Snapshot& snapshot, const InsightQuery& query) {
  const auto fits = [](std::string_view wanted, std::string_view name) {
    return wanted.empty() || wanted == net::LowerCase(name);
  };
  JsonWriter out;
  out.BeginObject().Key("insights").BeginArray();
  for (const StoredInsight& stored : insights::ReadInsights(snapshot)) {
    const bool in_group =
        query.group.empty() || query.group == stored.group_name || query.group == stored.group_arn;
    if (!in_group || !fits(query.state, insights::StateName(stored.insight.state)) ||
        !fits(query.category, insights::CategoryName(stored.insight.category)))
      continue;
    out.BeginObject();
    WriteMembers(out, stored);
    out.EndObject();
  }
  out.EndArray().EndObject();
  return out.Take();
}

std::optional<std::string> InsightJson(const control::Snapshot& snapshot, std::string_view id) {
  const auto stored = insights::FindInsight(snapshot, id);
  if (!stored) return std::nullopt;
  JsonWriter out;
  out.BeginObject();
  WriteMembers(out, *stored);
  out.Key("events").BeginArray();
  for (const analysis::InsightEvent& event : std::views::reverse(stored->insight.events)) {
    out.BeginObject().Key("at").Int(event.time_ns).Key("summary").String(event.summary);
    WriteCounts(out, "clients", event.clients);
    WriteCounts(out, "root_cause_requests", event.root_cause);
    WriteServices(out, event.top_services);
    out.EndObject();
  }
  out.EndArray().Key("graph").BeginObject().Key("services").BeginArray();
  for (const analysis::ImpactGraph::Service& service : stored->insight.graph.services) {
    out.BeginObject().Key("name").String(service.key.name).Key("type").String(service.key.type);
    out.Key("client").Bool(service.client).Key("from").Int(service.first_ns);
    out.Key("to").Int(service.last_ns + analysis::AnomalyDetector::kMinuteNs).EndObject();
  }
  out.EndArray().Key("edges").BeginArray();
  for (const auto& [from, to] : stored->insight.graph.calls)
    out.BeginObject().Key("from").Int(from).Key("to").Int(to).EndObject();
  out.EndArray().EndObject().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
