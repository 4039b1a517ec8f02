#include "analysis/service_graph.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using model::Call;
using model::Entity;
using model::EntityRole;

constexpr std::int32_t kNone = -1;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

struct Window {
  std::int64_t from_ns;
  std::int64_t until_ns;
  /// A completed entity lies where it ends, one in progress where it started.
  [[nodiscard]] bool Holds(const Entity& entity) const {
    const std::int64_t instant = entity.in_progress ? entity.start_ns : entity.end_ns;
    return instant >= from_ns && instant < until_ns;
  }
};

bool IsNodeEntity(const Entity& entity) { return entity.IsSegment() && entity.service >= 0; }

/// Whose time and outcome a call has: the caller's view, or the receiver's where nobody waited.
const Entity& MeasuredEntity(const AssembledTrace& trace, const Call& call) {
  const bool callers = !call.link && call.caller_entity >= 0;
  return trace.entities[At(callers ? call.caller_entity : call.callee_entity)];
}

void AddCallTo(Statistics& statistics, const Call& call, const Entity& measured, double weight) {
  if (measured.in_progress) return;
  if (call.link) {
    statistics.Count(measured.outcome(), weight);
  } else {
    statistics.Add(measured.outcome(), measured.duration_ns(), weight);
  }
}

/// By segment: when the last subsegment ended that belongs to it. Those that nobody waited for end
/// after it.
std::vector<std::int64_t> LastEnds(const AssembledTrace& trace) {
  std::vector<std::int64_t> last_ends(trace.entities.size(), INT64_MIN);
  for (const Entity& entity : trace.entities) {
    if (entity.role != EntityRole::kSubsegment || entity.in_progress || entity.segment == kNone)
      continue;
    std::int64_t& last_end_ns = last_ends[At(entity.segment)];
    last_end_ns = std::max(last_end_ns, entity.end_ns);
  }
  return last_ends;
}

/// First start and last end of what was seen.
struct Extent {
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  [[nodiscard]] bool empty() const { return start_ns > end_ns; }
  void Add(const Entity& entity) {
    start_ns = std::min(start_ns, entity.start_ns);
    end_ns = std::max(end_ns, entity.in_progress ? entity.start_ns : entity.end_ns);
  }
};

}  // namespace

struct ServiceGraphBuilder::Impl {
  struct Edge {
    GraphEdge edge;
    Extent extent;
  };
  struct Service {
    GraphService service;
    Extent extent;        ///< of its segments
    Extent calls_extent;  ///< of the calls from and to it, where no segment lies in the window
    bool has_segments = false;
    std::int32_t in_front_of = kNone;  ///< clients only
    std::map<std::pair<std::int32_t, bool>, Edge> edges;
  };

  std::vector<Service> services;
  std::map<model::ServiceKey, std::int32_t> by_key;
  std::map<std::int32_t, std::int32_t> clients;  ///< by the service they stand in front of
  bool truncated = false;

  Service& ServiceAt(std::int32_t index) { return services[At(index)]; }

  std::int32_t NewService(const model::ServiceKey& key, bool client) {
    if (services.size() == kGraphServicesMax) {
      truncated = true;
      return kNone;
    }
    GraphService& service = services.emplace_back().service;
    service.key = key;
    service.names.insert(key.name);
    service.client = client;
    return static_cast<std::int32_t>(services.size()) - 1;
  }

  std::int32_t FindService(const model::ServiceKey& key) {
    const auto found = by_key.find(key);
    if (found != by_key.end()) return found->second;
    const std::int32_t index = NewService(key, false);
    if (index != kNone) by_key.emplace(key, index);
    return index;
  }

  std::int32_t FindClient(const model::ServiceKey& key, std::int32_t in_front_of) {
    const auto found = clients.find(in_front_of);
    if (found != clients.end()) return found->second;
    const std::int32_t index = NewService(key, true);
    if (index == kNone) return kNone;
    clients.emplace(in_front_of, index);
    ServiceAt(index).in_front_of = in_front_of;
    return index;
  }

  void AddSegment(const model::ServiceNode& node, const Entity& entity, std::int64_t last_end_ns,
                  double weight) {
    const std::int32_t index = FindService(node.key);
    if (index == kNone) return;
    Service& service = ServiceAt(index);
    service.extent.Add(entity);
    service.has_segments |= !node.inferred;
    if (entity.in_progress) return;
    service.service.statistics.Add(entity.outcome(), entity.duration_ns(), weight);
    service.service.durations.Add(std::max(entity.end_ns, last_end_ns) - entity.start_ns, weight);
  }

  void AddCall(const AssembledTrace& trace, const Call& call, const Entity& measured,
               double weight) {
    const model::ServiceNode& caller = trace.services[At(call.from)];
    const model::ServiceNode& callee = trace.services[At(call.to)];
    const std::int32_t to = FindService(callee.key);
    if (to == kNone) return;
    const std::int32_t from = caller.client ? FindClient(caller.key, to) : FindService(caller.key);
    if (from == kNone) return;
    ServiceAt(to).service.root |= caller.client;
    ServiceAt(to).has_segments |= !callee.inferred;
    ServiceAt(from).has_segments |= !caller.inferred;
    ServiceAt(to).calls_extent.Add(measured);
    ServiceAt(from).calls_extent.Add(measured);
    Edge& edge = ServiceAt(from).edges[{to, call.link}];
    edge.extent.Add(measured);
    AddCallTo(edge.edge.statistics, call, measured, weight);
    if (call.link && !measured.in_progress) edge.edge.received_age.Add(call.age_ns, weight);
    if (!callee.inferred && measured.role == EntityRole::kSubsegment &&
        measured.name_space == "remote" && measured.name != callee.key.name) {
      edge.edge.aliases.insert({.name = measured.name, .type = callee.key.type, .account_id = ""});
    }
  }

  /// Indexes in the order of the answer.
  [[nodiscard]] std::vector<std::int32_t> Order() const {
    std::vector<std::int32_t> order(services.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
    const auto rank = [&](std::int32_t index) {
      const Service& service = services[At(index)];
      const bool client = service.in_front_of != kNone;
      return std::pair(
          std::cref(client ? services[At(service.in_front_of)].service.key : service.service.key),
          client);
    };
    std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
      const auto left = rank(a);
      const auto right = rank(b);
      const auto keys = left.first.get() <=> right.first.get();
      return keys != 0 ? keys < 0 : left.second < right.second;
    });
    return order;
  }
};

ServiceGraphBuilder::ServiceGraphBuilder() : impl_(std::make_unique<Impl>()) {}
ServiceGraphBuilder::~ServiceGraphBuilder() = default;

void ServiceGraphBuilder::Add(const AssembledTrace& trace, std::int64_t from_ns,
                              std::int64_t until_ns, double weight) {
  const Window window{.from_ns = from_ns, .until_ns = until_ns};
  const std::vector<std::int64_t> last_ends = LastEnds(trace);
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& entity = trace.entities[i];
    if (!IsNodeEntity(entity) || !window.Holds(entity)) continue;
    impl_->AddSegment(trace.services[At(entity.service)], entity, last_ends[i], weight);
  }
  for (const Call& call : trace.calls) {
    const Entity& measured = MeasuredEntity(trace, call);
    if (window.Holds(measured)) impl_->AddCall(trace, call, measured, weight);
  }
}

ServiceGraph ServiceGraphBuilder::Build() const {
  const std::vector<std::int32_t> order = impl_->Order();
  std::vector<std::int32_t> places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    places[At(order[i])] = static_cast<std::int32_t>(i);

  ServiceGraph graph;
  graph.truncated = impl_->truncated;
  graph.services.reserve(order.size());
  for (const std::int32_t index : order) {
    const Impl::Service& from = impl_->services[At(index)];
    GraphService& service = graph.services.emplace_back(from.service);
    service.inferred = !service.client && !from.has_segments;
    const Extent& extent = from.extent.empty() ? from.calls_extent : from.extent;
    service.start_ns = extent.start_ns;
    service.end_ns = extent.end_ns;
    for (const auto& [target, edge] : from.edges) {
      GraphEdge& added = service.edges.emplace_back(edge.edge);
      added.to = places[At(target.first)];
      added.link = target.second;
      added.start_ns = edge.extent.start_ns;
      added.end_ns = edge.extent.end_ns;
    }
    std::ranges::sort(service.edges, {},
                      [](const GraphEdge& edge) { return std::pair(edge.to, edge.link); });
  }
  return graph;
}

TimeSeriesBuilder::TimeSeriesBuilder(std::int64_t period_ns,
                                     std::optional<query::EntitySelector> selector)
    : period_ns_(period_ns), selector_(std::move(selector)) {
  FLUORO_ASSERT(period_ns > 0);
}

void TimeSeriesBuilder::Add(const AssembledTrace& trace, std::int64_t from_ns,
                            std::int64_t until_ns, double weight) {
  const Window window{.from_ns = from_ns, .until_ns = until_ns};
  const auto statistics_at = [&](const Entity& entity) -> Statistics& {
    const std::int64_t remainder = entity.end_ns % period_ns_;
    return windows_[entity.end_ns - remainder - (remainder < 0 ? period_ns_ : 0)];
  };
  if (selector_ && selector_->service) {
    for (const Entity& entity : trace.entities) {
      if (!IsNodeEntity(entity) || entity.in_progress || !window.Holds(entity)) continue;
      if (!selector_->service->Matches(trace.services[At(entity.service)].key)) continue;
      statistics_at(entity).Add(entity.outcome(), entity.duration_ns(), weight);
    }
    return;
  }
  for (const Call& call : trace.calls) {
    const Entity& measured = MeasuredEntity(trace, call);
    if (measured.in_progress || !window.Holds(measured)) continue;
    const model::ServiceNode& from = trace.services[At(call.from)];
    const bool selected = selector_ && selector_->edge
                              ? selector_->edge->first.Matches(from.key) &&
                                    selector_->edge->second.Matches(trace.services[At(call.to)].key)
                              : from.client;
    if (selected) AddCallTo(statistics_at(measured), call, measured, weight);
  }
}

}  // namespace fluoro::analysis
