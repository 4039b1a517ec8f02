// Graphs and time series of rollups against those of the traces themselves.
#include <gtest/gtest.h>

#include <string>

#include "analysis/service_graph.h"
#include "base/rng.h"
#include "model/testing.h"
#include "rollup/rollup.h"
#include "rollup/testing.h"

namespace fluoro::analysis {
namespace {

std::string Print(const DurationHistogram& histogram) {
  std::string out;
  for (const auto& entry : histogram.Entries())
    out += " " + std::to_string(entry.seconds) + ":" + std::to_string(entry.count);
  for (const double q : {0.1, 0.5, 0.9, 0.99})
    out += " q" + std::to_string(histogram.empty() ? 0 : histogram.QuantileNs(q));
  return out;
}

std::string Print(const Statistics& statistics) {
  return std::to_string(statistics.ok) + " " + std::to_string(statistics.error) + " " +
         std::to_string(statistics.throttle) + " " + std::to_string(statistics.fault) + " " +
         std::to_string(statistics.response_ns) + " " +
         std::to_string(statistics.response_seconds) + Print(statistics.histogram);
}

std::string Print(const ServiceGraph& graph) {
  std::string out = graph.truncated ? "truncated\n" : "";
  for (const GraphService& service : graph.services) {
    out += rollup::testing::Print(service.key) + (service.client ? " client" : "") +
           (service.inferred ? " inferred" : "") + (service.root ? " root" : "");
    for (const std::string& name : service.names) out += " " + name;
    out += " " + std::to_string(service.start_ns) + "-" + std::to_string(service.end_ns) + " " +
           Print(service.statistics) + " /" + Print(service.durations) + "\n";
    for (const GraphEdge& edge : service.edges) {
      out += "  " + std::to_string(edge.to) + (edge.link ? " link " : " ") +
             std::to_string(edge.start_ns) + "-" + std::to_string(edge.end_ns) + " " +
             Print(edge.statistics) + " /" + Print(edge.received_age);
      for (const auto& alias : edge.aliases) out += " alias " + rollup::testing::Print(alias);
      out += "\n";
    }
  }
  return out;
}

std::string Print(const std::map<std::int64_t, Statistics>& windows) {
  std::string out;
  for (const auto& [start_ns, statistics] : windows)
    out += std::to_string(start_ns) + ": " + Print(statistics) + "\n";
  return out;
}

std::vector<model::AssembledTrace> RandomTraces(Rng& rng) {
  std::vector<model::AssembledTrace> traces;
  for (std::uint64_t i = rng.Chance(0.1) ? 300 : 1 + rng.Below(20); i > 0; --i) {
    traces.push_back(model::testing::AssembleSpans(
        rollup::testing::RandomGraphTrace(rng, model::testing::TestTraceId())));
  }
  return traces;
}

rollup::Rollup RollupOf(const std::vector<model::AssembledTrace>& traces, std::int64_t period_ns) {
  rollup::Rollup rollup(period_ns);
  rollup::KeyTable keys;
  rollup::Rollup::Sink sink(rollup, keys);
  for (const model::AssembledTrace& trace : traces) rollup::SampleTrace(trace, keys, sink);
  return rollup;
}

TEST(RollupGraph, EqualsTheGraphOfTheTraces) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Rng rng(seed);
    const auto traces = RandomTraces(rng);
    ServiceGraphBuilder wanted;
    for (const model::AssembledTrace& trace : traces) wanted.Add(trace);
    for (const std::int64_t period_ns : {std::int64_t{0}, rollup::kMinuteNs}) {
      ServiceGraphBuilder got;
      got.Add(RollupOf(traces, period_ns));
      ASSERT_EQ(Print(got.Build()), Print(wanted.Build())) << "seed " << seed;
    }
  }
}

TEST(RollupGraph, MergedRollupsEqualOne) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    const auto traces = RandomTraces(rng);
    const auto others = RandomTraces(rng);
    rollup::Rollup both = RollupOf(traces, rollup::kMinuteNs);
    both.Merge(RollupOf(others, rollup::kMinuteNs));
    auto all = std::vector(traces);
    all.insert(all.end(), others.begin(), others.end());
    const rollup::Rollup one = RollupOf(all, rollup::kMinuteNs);
    ASSERT_EQ(rollup::testing::Print(both), rollup::testing::Print(one)) << "seed " << seed;
    both.Merge(RollupOf(others, rollup::kMinuteNs), {}, -1);
    ServiceGraphBuilder got;
    got.Add(both);
    ServiceGraphBuilder wanted;
    for (const model::AssembledTrace& trace : traces) wanted.Add(trace);
    EXPECT_EQ(got.Build().services.size(), wanted.Build().services.size());
  }
}

TEST(RollupGraph, TimeSeriesEqualThoseOfTheTraces) {
  const std::vector<const char*> selectors = {"", "service(\"web\")", "edge(\"web\", \"cart\")"};
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Rng rng(seed);
    const auto traces = RandomTraces(rng);
    const rollup::Rollup rollup = RollupOf(traces, rollup::kMinuteNs);
    for (const char* text : selectors) {
      std::optional<query::EntitySelector> selector;
      if (*text != '\0') selector = *query::EntitySelector::Parse(text);
      for (const std::int64_t minutes : {1, 5}) {
        TimeSeriesBuilder wanted(minutes * rollup::kMinuteNs, selector);
        for (const model::AssembledTrace& trace : traces) wanted.Add(trace, INT64_MIN, INT64_MAX);
        TimeSeriesBuilder got(minutes * rollup::kMinuteNs, selector);
        got.Add(rollup);
        ASSERT_EQ(Print(got.windows()), Print(wanted.windows())) << "seed " << seed << text;
      }
    }
  }
}

}  // namespace
}  // namespace fluoro::analysis
