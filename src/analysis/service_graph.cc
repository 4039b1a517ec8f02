#include "analysis/service_graph.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using rollup::Cell;
using rollup::EdgeSample;
using rollup::KeyId;
using rollup::Measured;
using rollup::NodeSample;
using rollup::Rollup;
using rollup::SeriesKind;

constexpr std::int32_t kNone = -1;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

void AddTo(Statistics& statistics, const EdgeSample& sample, double weight) {
  if (sample.measured.in_progress) return;
  if (sample.link) {
    statistics.Count(sample.measured.outcome, weight);
  } else {
    statistics.Add(sample.measured.outcome, sample.measured.duration_ns(), weight);
  }
}

// A cell of one part of a sum may be below zero; of a whole sum only after damage.
Statistics StatisticsOf(const Cell& cell) {
  const auto count = [](std::int64_t value) {
    return static_cast<double>(std::max<std::int64_t>(value, 0));
  };
  Statistics statistics;
  statistics.ok = count(cell.ok);
  statistics.error = count(cell.error);
  statistics.throttle = count(cell.throttle);
  statistics.fault = count(cell.fault);
  statistics.response_ns = std::max<std::int64_t>(cell.response_ns, 0);
  statistics.response_seconds = static_cast<double>(statistics.response_ns) / 1e9;
  statistics.histogram.Merge(cell.times);
  return statistics;
}

DurationHistogram SecondOf(const Cell& cell, SeriesKind kind) {
  DurationHistogram histogram;
  if (cell.second != nullptr) {
    histogram.Merge(*cell.second);
  } else if (kind == SeriesKind::kNode) {
    histogram.Merge(cell.times);
  }
  return histogram;
}

/// First start and last end of what was seen.
struct Extent {
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  [[nodiscard]] bool empty() const { return start_ns > end_ns; }
  void Add(std::int64_t from_ns, std::int64_t until_ns) {
    start_ns = std::min(start_ns, from_ns);
    end_ns = std::max(end_ns, until_ns);
  }
};

}  // namespace

struct ServiceGraphBuilder::Impl final : rollup::SampleSink {
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
  rollup::KeyTable keys;
  std::unordered_map<KeyId, std::int32_t> by_key;
  std::map<std::int32_t, std::int32_t> clients;  ///< by the service they stand in front of
  Rollup::Window window;                         ///< of the samples that come
  double weight = 1;                             ///< of them
  bool truncated = false;

  Service& ServiceAt(std::int32_t index) { return services[At(index)]; }

  std::int32_t NewService(KeyId key, bool client) {
    if (services.size() == kGraphServicesMax) {
      truncated = true;
      return kNone;
    }
    GraphService& service = services.emplace_back().service;
    service.key = keys.KeyAt(key);
    service.names.insert(service.key.name);
    service.client = client;
    return static_cast<std::int32_t>(services.size()) - 1;
  }

  std::int32_t FindService(KeyId key) {
    const auto found = by_key.find(key);
    if (found != by_key.end()) return found->second;
    const std::int32_t index = NewService(key, false);
    if (index != kNone) by_key.emplace(key, index);
    return index;
  }

  std::int32_t FindClient(KeyId key, std::int32_t in_front_of) {
    const auto found = clients.find(in_front_of);
    if (found != clients.end()) return found->second;
    const std::int32_t index = NewService(key, true);
    if (index == kNone) return kNone;
    clients.emplace(in_front_of, index);
    ServiceAt(index).in_front_of = in_front_of;
    return index;
  }

  void Add(const NodeSample& sample) override {
    const Measured& measured = sample.measured;
    if (!window.Holds(measured.instant_ns())) return;
    const std::int32_t index = FindService(sample.key);
    if (index == kNone) return;
    Service& service = ServiceAt(index);
    service.extent.Add(measured.start_ns, measured.end_ns);
    service.has_segments |= !sample.inferred;
    if (measured.in_progress) return;
    service.service.statistics.Add(measured.outcome, measured.duration_ns(), weight);
    service.service.durations.Add(sample.total_ns(), weight);
  }

  /// What both kinds of edges do to their ends. Null: there is no room.
  struct Call {
    KeyId from = 0;
    KeyId to = 0;
    bool from_client = false;
    bool link = false;
    bool from_real = false;
    bool to_real = false;
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
  };
  Edge* AddCall(const Call& call) {
    const std::int32_t to = FindService(call.to);
    if (to == kNone) return nullptr;
    const std::int32_t from = call.from_client ? FindClient(call.from, to) : FindService(call.from);
    if (from == kNone) return nullptr;
    ServiceAt(to).service.root |= call.from_client;
    ServiceAt(to).has_segments |= call.to_real;
    ServiceAt(from).has_segments |= call.from_real;
    ServiceAt(to).calls_extent.Add(call.start_ns, call.end_ns);
    ServiceAt(from).calls_extent.Add(call.start_ns, call.end_ns);
    Edge& edge = ServiceAt(from).edges[{to, call.link}];
    edge.extent.Add(call.start_ns, call.end_ns);
    return &edge;
  }

  static void AddAlias(Edge& edge, const std::string& name, const model::ServiceKey& callee) {
    edge.edge.aliases.insert({.name = name, .type = callee.type, .account_id = ""});
  }

  void Add(const EdgeSample& sample) override {
    if (!window.Holds(sample.measured.instant_ns())) return;
    Edge* const edge = AddCall({.from = sample.from,
                                .to = sample.to,
                                .from_client = sample.from_client,
                                .link = sample.link,
                                .from_real = !sample.from_inferred,
                                .to_real = !sample.to_inferred,
                                .start_ns = sample.measured.start_ns,
                                .end_ns = sample.measured.end_ns});
    if (edge == nullptr) return;
    AddTo(edge->edge.statistics, sample, weight);
    if (sample.link && !sample.measured.in_progress)
      edge->edge.received_age.Add(sample.age_ns, weight);
    if (sample.alias != 0) AddAlias(*edge, keys.TextAt(sample.alias), keys.KeyAt(sample.to));
  }

  void AddRow(const Rollup& from, const rollup::Series& series, const Cell& cell) {
    if (cell.seen <= 0) return;  // taken away again
    if (series.kind == SeriesKind::kOther) {
      truncated = true;
      return;
    }
    const KeyId to = keys.Find(from.keys().KeyAt(series.to));
    if (series.kind == SeriesKind::kNode) {
      const std::int32_t index = FindService(to);
      if (index == kNone) return;
      Service& service = ServiceAt(index);
      service.extent.Add(cell.start_ns, cell.end_ns);
      service.has_segments |= cell.real > 0;
      service.service.statistics.Merge(StatisticsOf(cell));
      service.service.durations.Merge(SecondOf(cell, series.kind));
      return;
    }
    const KeyId caller = keys.Find(from.keys().KeyAt(series.from));
    if (series.kind == SeriesKind::kAlias) {
      const std::int32_t callee = FindService(to);
      if (callee == kNone) return;
      const std::int32_t index = series.client ? FindClient(caller, callee) : FindService(caller);
      if (index == kNone) return;
      AddAlias(ServiceAt(index).edges[{callee, series.link}], from.keys().TextAt(series.alias),
               keys.KeyAt(to));
      return;
    }
    Edge* const edge = AddCall({.from = caller,
                                .to = to,
                                .from_client = series.client,
                                .link = series.link,
                                .from_real = cell.from_real > 0,
                                .to_real = cell.real > 0,
                                .start_ns = cell.start_ns,
                                .end_ns = cell.end_ns});
    if (edge == nullptr) return;
    edge->edge.statistics.Merge(StatisticsOf(cell));
    if (series.link) edge->edge.received_age.Merge(SecondOf(cell, series.kind));
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
      const auto order_of_keys = left.first.get() <=> right.first.get();
      return order_of_keys != 0 ? order_of_keys < 0 : left.second < right.second;
    });
    return order;
  }
};

ServiceGraphBuilder::ServiceGraphBuilder() : impl_(std::make_unique<Impl>()) {}
ServiceGraphBuilder::~ServiceGraphBuilder() = default;

void ServiceGraphBuilder::Add(const AssembledTrace& trace, std::int64_t from_ns,
                              std::int64_t until_ns, double weight) {
  impl_->window = {.from_ns = from_ns, .until_ns = until_ns};
  impl_->weight = weight;
  rollup::SampleTrace(trace, impl_->keys, *impl_);
}

void ServiceGraphBuilder::Add(const Rollup& rollup) {
  for (const Rollup::Row& row : rollup.Rows())
    impl_->AddRow(rollup, rollup.series()[row.series], *row.cell);
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

Statistics& TimeSeriesBuilder::WindowAt(std::int64_t ns) {
  const std::int64_t remainder = ns % period_ns_;
  return windows_[ns - remainder - (remainder < 0 ? period_ns_ : 0)];
}

bool TimeSeriesBuilder::Selects(const model::ServiceKey& key) const {
  return selector_ && selector_->service && selector_->service->Matches(key);
}

bool TimeSeriesBuilder::Selects(const model::ServiceKey& from, const model::ServiceKey& to,
                                bool from_client) const {
  if (selector_ && selector_->service) return false;
  if (!selector_ || !selector_->edge) return from_client;
  return selector_->edge->first.Matches(from) && selector_->edge->second.Matches(to);
}

void TimeSeriesBuilder::Add(const AssembledTrace& trace, std::int64_t from_ns,
                            std::int64_t until_ns, double weight) {
  struct Sink final : rollup::SampleSink {
    Sink(TimeSeriesBuilder& builder, Rollup::Window within, double of)
        : series(builder), window(within), weight(of) {}
    TimeSeriesBuilder& series;
    Rollup::Window window;
    double weight;
    rollup::KeyTable keys;
    [[nodiscard]] bool Wants(const Measured& measured) const {
      return !measured.in_progress && window.Holds(measured.end_ns);
    }
    void Add(const NodeSample& sample) override {
      const Measured& measured = sample.measured;
      if (!Wants(measured) || !series.Selects(keys.KeyAt(sample.key))) return;
      series.WindowAt(measured.end_ns).Add(measured.outcome, measured.duration_ns(), weight);
    }
    void Add(const EdgeSample& sample) override {
      if (!Wants(sample.measured) ||
          !series.Selects(keys.KeyAt(sample.from), keys.KeyAt(sample.to), sample.from_client))
        return;
      AddTo(series.WindowAt(sample.measured.end_ns), sample, weight);
    }
  };
  Sink sink(*this, {.from_ns = from_ns, .until_ns = until_ns}, weight);
  rollup::SampleTrace(trace, sink.keys, sink);
}

void TimeSeriesBuilder::Add(const Rollup& rollup) {
  FLUORO_ASSERT(rollup.period_ns() > 0 && period_ns_ % rollup.period_ns() == 0);
  std::vector<bool> selected(rollup.series().size());
  for (std::size_t i = 0; i < selected.size(); ++i) {
    const rollup::Series& series = rollup.series()[i];
    const auto key = [&](KeyId id) { return rollup.keys().KeyAt(id); };
    if (series.kind == SeriesKind::kNode) selected[i] = Selects(key(series.to));
    if (series.kind == SeriesKind::kEdge)
      selected[i] = Selects(key(series.from), key(series.to), series.client);
  }
  for (const Rollup::Row& row : rollup.Rows()) {
    if (!selected[row.series]) continue;
    const Statistics statistics = StatisticsOf(*row.cell);
    if (statistics.total() > 0) WindowAt(row.period_ns).Merge(statistics);
  }
}

}  // namespace fluoro::analysis
