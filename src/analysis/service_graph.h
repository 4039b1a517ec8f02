// The service graph over many traces. Source: X-Ray API, GetServiceGraph, GetTraceGraph,
// GetTimeSeriesServiceStatistics.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analysis/statistics.h"
#include "model/assembly.h"
#include "query/filter.h"
#include "rollup/rollup.h"

namespace fluoro::analysis {

struct GraphEdge {
  std::int32_t to = -1;  ///< index into ServiceGraph::services
  bool link = false;     ///< asynchronous
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  Statistics statistics;           ///< caller's view; of a client edge the root's own
  DurationHistogram received_age;  ///< links only
  std::set<model::ServiceKey> aliases;
};

struct GraphService {
  model::ServiceKey key;
  std::set<std::string> names;
  bool client = false;
  bool inferred = false;  ///< sent no segment of its own in any trace
  bool root = false;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  Statistics statistics;         ///< callee's view; empty on clients
  DurationHistogram durations;   ///< as statistics.histogram, with what went on after the answer
  std::vector<GraphEdge> edges;  ///< by target
};

/// Sorted by key, clients after the service they stand in front of.
struct ServiceGraph {
  std::vector<GraphService> services;
  bool truncated = false;  ///< there was no room for all: what is missing is counted nowhere
};
inline constexpr std::size_t kGraphServicesMax = 10'000;

/// Adds traces one by one, or rollups. In-progress entities are not counted. Not thread-safe.
class ServiceGraphBuilder {
 public:
  ServiceGraphBuilder();
  ~ServiceGraphBuilder();
  /// Counts the segments whose end lies in [from_ns, until_ns); `weight` is 1 / kept probability.
  void Add(const model::AssembledTrace& trace, std::int64_t from_ns = INT64_MIN,
           std::int64_t until_ns = INT64_MAX, double weight = 1);
  /// All its periods.
  void Add(const rollup::Rollup& rollup);
  [[nodiscard]] ServiceGraph Build() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Statistics per window of `period_ns`, aligned to the epoch; windows without data are absent.
class TimeSeriesBuilder {
 public:
  /// No selector: the edges from clients to root services.
  TimeSeriesBuilder(std::int64_t period_ns, std::optional<query::EntitySelector> selector);
  void Add(const model::AssembledTrace& trace, std::int64_t from_ns, std::int64_t until_ns,
           double weight = 1);
  /// Its periods must each lie in one of ours.
  void Add(const rollup::Rollup& rollup);
  /// Start of window -> statistics.
  [[nodiscard]] const std::map<std::int64_t, Statistics>& windows() const { return windows_; }

 private:
  [[nodiscard]] Statistics& WindowAt(std::int64_t ns);
  [[nodiscard]] bool Selects(const model::ServiceKey& key) const;
  [[nodiscard]] bool Selects(const model::ServiceKey& from, const model::ServiceKey& to,
                             bool from_client) const;

  std::int64_t period_ns_;
  std::optional<query::EntitySelector> selector_;
  std::map<std::int64_t, Statistics> windows_;
};

}  // namespace fluoro::analysis
