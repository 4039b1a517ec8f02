#include "api/insights/insight_record.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::api::insights {
namespace {

using analysis::AnomalyCategory;
using analysis::ImpactCounts;
using analysis::ImpactGraph;
using analysis::Insight;
using analysis::InsightEvent;
using analysis::InsightState;

// [name, type, account]
void AppendKey(JsonWriter& out, const model::ServiceKey& key) {
  out.BeginArray().String(key.name).String(key.type).String(key.account_id).EndArray();
}

template <class Keys>
void AppendKeys(JsonWriter& out, const Keys& keys) {
  out.BeginArray();
  for (const model::ServiceKey& key : keys) AppendKey(out, key);
  out.EndArray();
}

// [faults, ok, total]
void AppendCounts(JsonWriter& out, const ImpactCounts& counts) {
  out.BeginArray().Double(counts.fault).Double(counts.ok).Double(counts.total).EndArray();
}

std::string Text(JsonView view) { return std::string(view.String().value_or("")); }

model::ServiceKey KeyOf(JsonView view) {
  const auto parts = view.Elements();
  if (parts.size() != 3) return {};
  return {.name = Text(parts[0]), .type = Text(parts[1]), .account_id = Text(parts[2])};
}

std::vector<model::ServiceKey> KeysOf(JsonView view) {
  std::vector<model::ServiceKey> keys;
  for (const JsonView one : view.Elements()) keys.push_back(KeyOf(one));
  return keys;
}

ImpactCounts CountsOf(JsonView view) {
  const auto parts = view.Elements();
  if (parts.size() != 3) return {};
  return {.fault = parts[0].Double().value_or(0),
          .ok = parts[1].Double().value_or(0),
          .total = parts[2].Double().value_or(0)};
}

std::int64_t Number(JsonView view) { return view.Int().value_or(0); }

ImpactGraph GraphOf(JsonView view) {
  ImpactGraph graph;
  for (const JsonView service : view["Services"].Elements()) {
    graph.services.push_back({.key = KeyOf(service["Key"]),
                              .client = service["Client"].Bool().value_or(false),
                              .first_ns = Number(service["FirstNs"]),
                              .last_ns = Number(service["LastNs"])});
  }
  const auto services = static_cast<std::int64_t>(graph.services.size());
  for (const JsonView call : view["Calls"].Elements()) {
    const auto ends = call.Elements();
    if (ends.size() != 2) continue;
    const std::int64_t from = ends[0].Int().value_or(-1);
    const std::int64_t to = ends[1].Int().value_or(-1);
    if (from >= 0 && to >= 0 && from < services && to < services)
      graph.calls.emplace(static_cast<std::int32_t>(from), static_cast<std::int32_t>(to));
  }
  return graph;
}

}  // namespace

std::string_view CategoryName(AnomalyCategory category) {
  return category == AnomalyCategory::kFault ? "FAULT" : "LATENCY";
}

std::string_view StateName(InsightState state) {
  return state == InsightState::kActive ? "ACTIVE" : "CLOSED";
}

std::string InsightBody(const StoredInsight& stored) {
  const Insight& insight = stored.insight;
  JsonWriter out;
  out.BeginObject().Key("GroupName").String(stored.group_name);
  out.Key("GroupARN").String(stored.group_arn);
  out.Key("Category").String(CategoryName(insight.category));
  out.Key("State").String(StateName(insight.state)).Key("RootCause");
  AppendKey(out, insight.root_cause);
  out.Key("StartNs").Int(insight.start_ns).Key("EndNs").Int(insight.end_ns);
  out.Key("UpdateNs").Int(insight.update_ns).Key("Summary").String(insight.summary);
  out.Key("Clients");
  AppendCounts(out, insight.clients);
  out.Key("RootCauseCounts");
  AppendCounts(out, insight.root_cause_counts);
  out.Key("TopServices");
  AppendKeys(out, insight.top_services);
  out.Key("Affected");
  AppendKeys(out, insight.affected);
  out.Key("Seen").Double(insight.seen).Key("UsualMax").Double(insight.usual_max);
  out.Key("MergedInto").String(insight.merged_into).Key("Events").BeginArray();
  for (const InsightEvent& event : insight.events) {
    out.BeginObject().Key("TimeNs").Int(event.time_ns).Key("Summary").String(event.summary);
    out.Key("Clients");
    AppendCounts(out, event.clients);
    out.Key("RootCauseCounts");
    AppendCounts(out, event.root_cause);
    out.Key("TopServices");
    AppendKeys(out, event.top_services);
    out.EndObject();
  }
  out.EndArray().Key("Graph").BeginObject().Key("Services").BeginArray();
  for (const ImpactGraph::Service& service : insight.graph.services) {
    out.BeginObject().Key("Key");
    AppendKey(out, service.key);
    out.Key("Client").Bool(service.client).Key("FirstNs").Int(service.first_ns);
    out.Key("LastNs").Int(service.last_ns).EndObject();
  }
  out.EndArray().Key("Calls").BeginArray();
  for (const auto& [from, to] : insight.graph.calls) out.BeginArray().Int(from).Int(to).EndArray();
  out.EndArray().EndObject().EndObject();
  return out.Take();
}

Result<StoredInsight> ParseInsight(std::string_view id, std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  const JsonView root = tree.root();
  StoredInsight stored{.group_name = Text(root["GroupName"]), .group_arn = Text(root["GroupARN"])};
  Insight& insight = stored.insight;
  insight.id = id;
  insight.category =
      Text(root["Category"]) == "LATENCY" ? AnomalyCategory::kLatency : AnomalyCategory::kFault;
  insight.state = Text(root["State"]) == "ACTIVE" ? InsightState::kActive : InsightState::kClosed;
  insight.root_cause = KeyOf(root["RootCause"]);
  insight.start_ns = Number(root["StartNs"]);
  insight.end_ns = Number(root["EndNs"]);
  insight.update_ns = Number(root["UpdateNs"]);
  insight.summary = Text(root["Summary"]);
  insight.clients = CountsOf(root["Clients"]);
  insight.root_cause_counts = CountsOf(root["RootCauseCounts"]);
  insight.top_services = KeysOf(root["TopServices"]);
  for (model::ServiceKey& key : KeysOf(root["Affected"])) insight.affected.insert(std::move(key));
  insight.seen = root["Seen"].Double().value_or(0);
  insight.usual_max = root["UsualMax"].Double().value_or(0);
  insight.merged_into = Text(root["MergedInto"]);
  for (const JsonView event : root["Events"].Elements()) {
    insight.events.push_back({.time_ns = Number(event["TimeNs"]),
                              .summary = Text(event["Summary"]),
                              .clients = CountsOf(event["Clients"]),
                              .root_cause = CountsOf(event["RootCauseCounts"]),
                              .top_services = KeysOf(event["TopServices"])});
  }
  insight.graph = GraphOf(root["Graph"]);
  if (stored.group_arn.empty() || insight.top_services.empty()) {
    return Fail(ErrorCode::kCorruption,
                "insight " + std::string(id) + ": GroupARN and TopServices wanted");
  }
  return stored;
}

std::vector<StoredInsight> ReadInsights(const control::Snapshot& snapshot) {
  std::vector<StoredInsight> insights;
  for (const control::Record& record : snapshot.List(kInsightKind)) {
    if (auto insight = ParseInsight(record.name, record.body))
      insights.push_back(*std::move(insight));
  }
  std::ranges::sort(insights, [](const StoredInsight& a, const StoredInsight& b) {
    return std::pair(a.insight.start_ns, a.insight.id) >
           std::pair(b.insight.start_ns, b.insight.id);
  });
  return insights;
}

std::optional<StoredInsight> FindInsight(const control::Snapshot& snapshot, std::string_view id) {
  const control::Record* record = snapshot.Find(kInsightKind, id);
  if (record == nullptr) return std::nullopt;
  auto insight = ParseInsight(record->name, record->body);
  if (!insight) return std::nullopt;
  return *std::move(insight);
}

}  // namespace fluoro::api::insights
