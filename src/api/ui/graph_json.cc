#include "api/ui/graph_json.h"

#include "api/ui/request.h"
#include "base/json.h"

namespace fluoro::api::ui {
namespace {

void WriteStatistics(JsonWriter& out, const analysis::Statistics& statistics) {
  WriteWeighted(out, "ok", statistics.ok);
  WriteWeighted(out, "error", statistics.error);
  WriteWeighted(out, "fault", statistics.fault);
  WriteWeighted(out, "throttle", statistics.throttle);
  WriteWeighted(out, "total", statistics.total());
  out.Key("sum_ns").Int(statistics.response_ns);
  out.Key("p50_ns").Int(statistics.histogram.QuantileNs(0.50));
  out.Key("p95_ns").Int(statistics.histogram.QuantileNs(0.95));
  out.Key("p99_ns").Int(statistics.histogram.QuantileNs(0.99));
}

}  // namespace

std::string GraphJson(const analysis::ServiceGraph& graph, std::int64_t from_ns,
                      std::int64_t until_ns) {
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", from_ns);
  WriteTime(out, "to", until_ns);
  out.Key("services").BeginArray();
  for (const auto& service : graph.services) {
    if (service.client) continue;
    out.BeginObject().Key("name").String(service.key.name).Key("type").String(service.key.type);
    WriteStatistics(out, service.statistics);
    out.EndObject();
  }
  out.EndArray();
  out.Key("edges").BeginArray();
  for (const auto& service : graph.services) {
    if (service.client) continue;
    for (const auto& edge : service.edges) {
      out.BeginObject().Key("from").String(service.key.name);
      out.Key("to").String(graph.services[static_cast<std::size_t>(edge.to)].key.name);
      out.Key("type").String(edge.link ? "async" : "sync");
      WriteStatistics(out, edge.statistics);
      out.EndObject();
    }
  }
  out.EndArray();
  out.Key("truncated").Bool(graph.truncated);
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
