#include "api/xray/render.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace fluoro::api::xray {
namespace {

std::int64_t Rounded(double count) { return std::llround(count); }

/// Sums of seconds lose their tidy decimals in floating point; nanoseconds bring them back.
void AppendSeconds(JsonWriter& out, double seconds) {
  constexpr double kExactSecondsMax = 9e9;
  if (std::abs(seconds) < kExactSecondsMax) {
    out.Seconds(std::llround(seconds * 1e9));
  } else {
    out.Double(seconds);
  }
}

void AppendNames(JsonWriter& out, const std::string& name, const std::set<std::string>& names) {
  out.Key("Name").String(name).Key("Names").BeginArray().String(name);
  for (const std::string& other : names) {
    if (other != name) out.String(other);
  }
  out.EndArray();
}

void AppendEdge(JsonWriter& out, const analysis::GraphEdge& edge) {
  out.BeginObject().Key("ReferenceId").Int(edge.to);
  out.Key("StartTime").Seconds(edge.start_ns).Key("EndTime").Seconds(edge.end_ns);
  out.Key("SummaryStatistics");
  AppendStatistics(out, edge.statistics);
  if (edge.link) {
    out.Key("EdgeType").String("link").Key("ReceivedEventAgeHistogram");
    AppendHistogram(out, edge.received_age);
  } else {
    out.Key("ResponseTimeHistogram");
    AppendHistogram(out, edge.statistics.histogram);
  }
  out.Key("Aliases").BeginArray();
  for (const model::ServiceKey& alias : edge.aliases) {
    out.BeginObject()
        .Key("Name")
        .String(alias.name)
        .Key("Names")
        .BeginArray()
        .String(alias.name)
        .EndArray();
    out.Key("Type").String(alias.type).EndObject();
  }
  out.EndArray().EndObject();
}

std::string RenderService(const analysis::GraphService& service, std::size_t reference_id) {
  JsonWriter out;
  out.BeginObject().Key("ReferenceId").Uint(reference_id);
  AppendNames(out, service.key.name, service.names);
  if (service.root) out.Key("Root").Bool(true);
  if (!service.key.account_id.empty()) out.Key("AccountId").String(service.key.account_id);
  if (!service.key.type.empty()) out.Key("Type").String(service.key.type);
  out.Key("State").String(service.client || service.inferred ? "unknown" : "active");
  out.Key("StartTime").Seconds(service.start_ns).Key("EndTime").Seconds(service.end_ns);
  out.Key("Edges").BeginArray();
  for (const analysis::GraphEdge& edge : service.edges) AppendEdge(out, edge);
  out.EndArray();
  if (!service.client) {
    out.Key("SummaryStatistics");
    AppendStatistics(out, service.statistics);
    out.Key("DurationHistogram");
    AppendHistogram(out, service.durations);
    out.Key("ResponseTimeHistogram");
    AppendHistogram(out, service.statistics.histogram);
  }
  out.EndObject();
  return out.Take();
}

}  // namespace

void AppendStatistics(JsonWriter& out, const analysis::Statistics& statistics) {
  const std::int64_t ok = Rounded(statistics.ok);
  const std::int64_t throttle = Rounded(statistics.throttle);
  const std::int64_t error = Rounded(statistics.error);
  const std::int64_t fault = Rounded(statistics.fault);
  out.BeginObject().Key("OkCount").Int(ok);
  out.Key("ErrorStatistics").BeginObject().Key("ThrottleCount").Int(throttle);
  out.Key("OtherCount").Int(error).Key("TotalCount").Int(throttle + error).EndObject();
  out.Key("FaultStatistics").BeginObject().Key("OtherCount").Int(fault);
  out.Key("TotalCount").Int(fault).EndObject();
  out.Key("TotalCount").Int(ok + throttle + error + fault);
  out.Key("TotalResponseTime");
  AppendSeconds(out, statistics.response_seconds);
  out.EndObject();
}

void AppendHistogram(JsonWriter& out, const analysis::DurationHistogram& histogram) {
  out.BeginArray();
  for (const auto& entry : histogram.Entries()) {
    const std::int64_t count =
        std::min<std::int64_t>(Rounded(entry.count), std::numeric_limits<std::int32_t>::max());
    if (count == 0) continue;
    out.BeginObject().Key("Value");
    AppendSeconds(out, entry.seconds);
    out.Key("Count").Int(count).EndObject();
  }
  out.EndArray();
}

void AppendServiceId(JsonWriter& out, const model::ServiceKey& key) {
  out.BeginObject();
  AppendNames(out, key.name, {});
  if (!key.account_id.empty()) out.Key("AccountId").String(key.account_id);
  if (!key.type.empty()) out.Key("Type").String(key.type);
  out.EndObject();
}

void AppendServiceIds(JsonWriter& out, const model::AssembledTrace& trace,
                      std::span<const std::int32_t> services) {
  out.BeginArray();
  for (const std::int32_t service : services) {
    if (service >= 0) AppendServiceId(out, trace.services[static_cast<std::size_t>(service)].key);
  }
  out.EndArray();
}

std::vector<std::string> RenderServices(const analysis::ServiceGraph& graph) {
  std::vector<std::string> services;
  services.reserve(graph.services.size());
  for (std::size_t i = 0; i < graph.services.size(); ++i)
    services.push_back(RenderService(graph.services[i], i));
  return services;
}

}  // namespace fluoro::api::xray
