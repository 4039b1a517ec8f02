#include "analysis/service_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "model/testing.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using model::Span;
using model::SpanFlag;
using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;

constexpr std::int64_t kMs = 1'000'000;

ServiceGraph GraphOf(const std::vector<AssembledTrace>& traces) {
  ServiceGraphBuilder builder;
  for (const auto& trace : traces) builder.Add(trace);
  return builder.Build();
}

const GraphService& Node(const ServiceGraph& graph, std::string_view name, std::string_view type) {
  const auto found = std::ranges::find_if(graph.services, [&](const GraphService& service) {
    return service.key.name == name && service.key.type == type;
  });
  EXPECT_NE(found, graph.services.end()) << name << " " << type;
  static const GraphService kMissing;
  return found == graph.services.end() ? kMissing : *found;
}

const GraphEdge& Edge(const ServiceGraph& graph, const GraphService& from, std::string_view to) {
  const auto found = std::ranges::find_if(from.edges, [&](const GraphEdge& edge) {
    return graph.services[static_cast<std::size_t>(edge.to)].key.name == to;
  });
  EXPECT_NE(found, from.edges.end()) << from.key.name << " -> " << to;
  static const GraphEdge kMissing;
  return found == from.edges.end() ? kMissing : *found;
}

std::vector<double> Milliseconds(const DurationHistogram& histogram) {
  std::vector<double> values;
  for (const auto& entry : histogram.Entries()) {
    for (int i = 0; i < static_cast<int>(entry.count); ++i)
      values.push_back(std::round(entry.seconds * 1e3));
  }
  return values;
}

// The shape of the developer guide's answer of GetServiceGraph: four requests to a web server that
// writes a table and publishes to a topic in two of them.

AssembledTrace SampleRequest(std::int64_t start_ms, std::int64_t duration_ms, bool error,
                             std::int64_t table_ms, std::int64_t topic_ms) {
  SpanBuilder web = XRaySegment(1, "sample.example.com");
  web.Resource("aws.xray.origin", "AWS::EC2::Instance").Between(start_ms, start_ms + duration_ms);
  if (error) web.Set("http.response.status_code", 404);
  std::vector<Span> spans = {web};
  if (table_ms > 0) {
    spans.push_back(XRaySubsegment(2, 1, "DynamoDB", "aws")
                        .Set("aws.table_name", "signups")
                        .Between(start_ms, start_ms + table_ms));
  }
  if (topic_ms > 0)
    spans.push_back(XRaySubsegment(3, 1, "SNS", "aws").Between(start_ms, start_ms + topic_ms));
  return AssembleSpans(std::move(spans));
}

TEST(ServiceGraph, DurationsHoldWhatWentOnAfterTheAnswer) {
  std::vector<Span> spans = {XRaySegment(1, "web").Between(1'000, 1'100),
                             XRaySubsegment(2, 1, "mail", "").Between(1'050, 1'300),
                             XRaySubsegment(3, 2, "api", "remote").Between(1'060, 1'250),
                             XRaySegment(4, "api").Parent(3).Between(1'070, 1'500)};
  const ServiceGraph graph = GraphOf({AssembleSpans(std::move(spans))});
  const GraphService& web = Node(graph, "web", "");
  EXPECT_THAT(Milliseconds(web.statistics.histogram), ::testing::ElementsAre(100));
  EXPECT_THAT(Milliseconds(web.durations), ::testing::ElementsAre(300));
  const GraphService& api = Node(graph, "api", "");
  EXPECT_THAT(Milliseconds(api.statistics.histogram), ::testing::ElementsAre(430));
  EXPECT_THAT(Milliseconds(api.durations), ::testing::ElementsAre(430));
}

ServiceGraph SampleGraph() {
  std::vector<AssembledTrace> traces;
  traces.push_back(SampleRequest(1'000, 5, false, 0, 0));
  traces.push_back(SampleRequest(2'000, 15, true, 0, 0));
  traces.push_back(SampleRequest(3'000, 157, false, 76, 49));
  traces.push_back(SampleRequest(4'000, 96, false, 44, 76));
  return GraphOf(traces);
}

TEST(ServiceGraph, HasTheNodesOfTheDeveloperGuidesAnswer) {
  const ServiceGraph graph = SampleGraph();
  ASSERT_EQ(graph.services.size(), 4U);
  EXPECT_FALSE(graph.truncated);
  const GraphService& web = Node(graph, "sample.example.com", "AWS::EC2::Instance");
  EXPECT_TRUE(web.root);
  EXPECT_FALSE(web.inferred);
  EXPECT_FALSE(web.client);
  EXPECT_THAT(web.names, ::testing::ElementsAre("sample.example.com"));
  EXPECT_EQ(web.start_ns, 1'000 * kMs);
  EXPECT_EQ(web.end_ns, 4'096 * kMs);
  EXPECT_EQ(web.statistics.ok, 3);
  EXPECT_EQ(web.statistics.error, 1);
  EXPECT_EQ(web.statistics.total(), 4);
  EXPECT_DOUBLE_EQ(web.statistics.response_seconds, 0.273);
  EXPECT_THAT(Milliseconds(web.statistics.histogram), ::testing::ElementsAre(5, 15, 96, 157));

  const GraphService& table = Node(graph, "signups", "AWS::DynamoDB::Table");
  EXPECT_TRUE(table.inferred);
  EXPECT_FALSE(table.root);
  EXPECT_TRUE(table.edges.empty());
  EXPECT_EQ(table.statistics.ok, 2);
  EXPECT_DOUBLE_EQ(table.statistics.response_seconds, 0.12);
  EXPECT_EQ(table.start_ns, 3'000 * kMs);
  EXPECT_EQ(table.end_ns, 4'044 * kMs);
  EXPECT_TRUE(Node(graph, "SNS", "AWS::SNS").inferred);
}

TEST(ServiceGraph, AClientStandsBehindItsRootAndCarriesTheRootsNumbersOnItsEdge) {
  const ServiceGraph graph = SampleGraph();
  const GraphService& client = Node(graph, "sample.example.com", "client");
  EXPECT_TRUE(client.client);
  EXPECT_FALSE(client.inferred);
  EXPECT_EQ(client.statistics.total(), 0);
  EXPECT_TRUE(client.statistics.histogram.empty());
  ASSERT_EQ(client.edges.size(), 1U);
  EXPECT_EQ(client.edges[0].statistics.ok, 3);
  EXPECT_EQ(client.edges[0].statistics.error, 1);
  EXPECT_DOUBLE_EQ(client.edges[0].statistics.response_seconds, 0.273);
  EXPECT_EQ(client.edges[0].start_ns, 1'000 * kMs);
  EXPECT_EQ(client.edges[0].end_ns, 4'096 * kMs);
  const auto at = static_cast<std::size_t>(&client - graph.services.data());
  EXPECT_EQ(client.edges[0].to, static_cast<std::int32_t>(at) - 1);
  EXPECT_EQ(graph.services[at - 1].key.type, "AWS::EC2::Instance");
}

TEST(ServiceGraph, EdgesShowTheCallersTimesAndNodesTheCallees) {
  std::vector<AssembledTrace> traces;
  traces.push_back(AssembleSpans(
      {XRaySegment(1, "web").Between(0, 100),
       XRaySubsegment(2, 1, "api.internal", "remote").Between(10, 90).Flags(SpanFlag::kFault),
       XRaySegment(3, "api").Parent(2).Between(20, 50)}));
  const ServiceGraph graph = GraphOf(traces);
  ASSERT_EQ(graph.services.size(), 3U);
  const GraphEdge& edge = Edge(graph, Node(graph, "web", ""), "api");
  EXPECT_EQ(edge.statistics.fault, 1);
  EXPECT_EQ(edge.statistics.response_ns, 80 * kMs);
  EXPECT_EQ(edge.start_ns, 10 * kMs);
  EXPECT_EQ(edge.end_ns, 90 * kMs);
  EXPECT_FALSE(edge.link);
  ASSERT_EQ(edge.aliases.size(), 1U);
  EXPECT_EQ(edge.aliases.begin()->name, "api.internal");
  const GraphService& api = Node(graph, "api", "");
  EXPECT_EQ(api.statistics.ok, 1);
  EXPECT_EQ(api.statistics.response_ns, 30 * kMs);
  EXPECT_FALSE(api.inferred);
  EXPECT_FALSE(api.root);
}

TEST(ServiceGraph, ASegmentCalledByASegmentGivesTheEdgeItsOwnNumbers) {
  std::vector<AssembledTrace> traces;
  traces.push_back(AssembleSpans(
      {XRaySegment(1, "fn").Resource("aws.xray.origin", "AWS::Lambda").Between(0, 100),
       XRaySegment(2, "fn")
           .Resource("aws.xray.origin", "AWS::Lambda::Function")
           .Parent(1)
           .Between(10, 40)}));
  const ServiceGraph graph = GraphOf(traces);
  const GraphEdge& edge = Edge(graph, Node(graph, "fn", "AWS::Lambda"), "fn");
  EXPECT_EQ(edge.statistics.response_ns, 30 * kMs);
  EXPECT_TRUE(edge.aliases.empty());
  EXPECT_EQ(graph.services[static_cast<std::size_t>(edge.to)].key.type, "AWS::Lambda::Function");
}

TEST(ServiceGraph, ANodeIsInferredOnlyIfNoTraceHasASegmentOfIt) {
  std::vector<AssembledTrace> traces;
  const auto call = XRaySubsegment(2, 1, "api", "remote").Between(10, 90);
  traces.push_back(AssembleSpans({XRaySegment(1, "web").Between(0, 100), call}));
  traces.push_back(AssembleSpans(
      {XRaySegment(1, "web").Between(0, 100), call,
       XRaySegment(3, "api").Resource("aws.xray.origin", "remote").Parent(2).Between(20, 50)}));
  EXPECT_TRUE(Node(GraphOf({traces[0]}), "api", "remote").inferred);
  const ServiceGraph both = GraphOf(traces);
  EXPECT_FALSE(Node(both, "api", "remote").inferred);
  EXPECT_EQ(Node(both, "api", "remote").statistics.ok, 2);
}

TEST(ServiceGraph, AccountsSeparateNodes) {
  std::vector<AssembledTrace> traces;
  for (const char* account : {"1", "2"}) {
    traces.push_back(
        AssembleSpans({XRaySegment(1, "web").Resource("cloud.account.id", account).Between(0, 1)}));
  }
  const ServiceGraph graph = GraphOf(traces);
  ASSERT_EQ(graph.services.size(), 4U);
  EXPECT_EQ(graph.services[0].key.account_id, "1");
  EXPECT_TRUE(graph.services[1].client);
  EXPECT_EQ(graph.services[1].edges[0].to, 0);
  EXPECT_EQ(graph.services[2].key.account_id, "2");
  EXPECT_EQ(graph.services[3].edges[0].to, 2);
}

TEST(ServiceGraph, EveryRootHasAClientOfItsOwn) {
  std::vector<AssembledTrace> traces;
  for (const char* origin : {"AWS::EC2::Instance", "AWS::ECS::Container"}) {
    traces.push_back(
        AssembleSpans({XRaySegment(1, "web").Resource("aws.xray.origin", origin).Between(0, 1)}));
  }
  const ServiceGraph graph = GraphOf(traces);
  ASSERT_EQ(graph.services.size(), 4U);
  for (const std::size_t client : {1U, 3U}) {
    EXPECT_TRUE(graph.services[client].client);
    ASSERT_EQ(graph.services[client].edges.size(), 1U);
    EXPECT_EQ(graph.services[client].edges[0].to, static_cast<std::int32_t>(client) - 1);
  }
}

TEST(ServiceGraph, ClassesAreTestedInTheOrderFaultThrottleErrorOk) {
  const auto outcome_of = [](std::uint32_t flags, std::int64_t status) {
    SpanBuilder segment = XRaySegment(1, "web");
    segment.Between(0, 10).Flags(flags);
    if (status != 0) segment.Set("http.response.status_code", status);
    return Node(GraphOf({AssembleSpans({segment})}), "web", "").statistics;
  };
  EXPECT_EQ(outcome_of(SpanFlag::kFault | SpanFlag::kError | SpanFlag::kThrottle, 0).fault, 1);
  EXPECT_EQ(outcome_of(SpanFlag::kError | SpanFlag::kThrottle, 0).throttle, 1);
  EXPECT_EQ(outcome_of(SpanFlag::kError, 0).error, 1);
  EXPECT_EQ(outcome_of(0, 429).throttle, 1);
  EXPECT_EQ(outcome_of(0, 404).error, 1);
  EXPECT_EQ(outcome_of(0, 503).fault, 1);
  EXPECT_EQ(outcome_of(0, 302).ok, 1);
}

TEST(ServiceGraph, EntitiesInProgressAreShownButNotCounted) {
  std::vector<AssembledTrace> traces;
  traces.push_back(AssembleSpans({XRaySegment(1, "web").InProgressSince(5),
                                  XRaySubsegment(2, 1, "api", "remote").InProgressSince(6)}));
  const ServiceGraph graph = GraphOf(traces);
  ASSERT_EQ(graph.services.size(), 3U);
  for (const auto& service : graph.services) {
    EXPECT_EQ(service.statistics.total(), 0) << service.key.name;
    for (const auto& edge : service.edges) EXPECT_EQ(edge.statistics.total(), 0);
  }
  EXPECT_EQ(Node(graph, "web", "").start_ns, 5 * kMs);
}

TEST(ServiceGraph, LinksAreEdgesWithAnAgeAndWithoutResponseTimes) {
  std::vector<AssembledTrace> traces;
  traces.push_back(AssembleSpans(
      {OtelSpan(1, SpanKind::kServer, "in").Service("web").Between(0, 10),
       OtelSpan(2, SpanKind::kConsumer, "out").Service("worker").Between(250, 300).LinkTo(1)}));
  const ServiceGraph graph = GraphOf(traces);
  const auto web = std::ranges::find_if(
      graph.services, [](const auto& s) { return s.key.name == "web" && !s.client; });
  ASSERT_NE(web, graph.services.end());
  const GraphEdge& edge = Edge(graph, *web, "worker");
  EXPECT_TRUE(edge.link);
  EXPECT_EQ(edge.statistics.ok, 1);
  EXPECT_EQ(edge.statistics.response_ns, 0);
  EXPECT_TRUE(edge.statistics.histogram.empty());
  EXPECT_THAT(Milliseconds(edge.received_age), ::testing::ElementsAre(240));
}

TEST(ServiceGraph, CountsWhatEndsInTheWindow) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySegment(1, "web").Between(0, 100), XRaySubsegment(2, 1, "api", "remote").Between(10, 49),
       XRaySubsegment(3, 1, "api", "remote").Between(10, 50)});
  const auto window = [&](std::int64_t from_ms, std::int64_t until_ms) {
    ServiceGraphBuilder builder;
    builder.Add(trace, from_ms * kMs, until_ms * kMs);
    return builder.Build();
  };
  const ServiceGraph early = window(0, 50);
  EXPECT_EQ(Node(early, "api", "remote").statistics.total(), 1);
  EXPECT_EQ(Node(early, "web", "").statistics.total(), 0);
  EXPECT_EQ(Edge(early, Node(early, "web", ""), "api").statistics.response_ns, 39 * kMs);
  const ServiceGraph late = window(50, 101);
  EXPECT_EQ(Node(late, "api", "remote").statistics.total(), 1);
  EXPECT_EQ(Node(late, "web", "").statistics.total(), 1);
  EXPECT_EQ(Edge(late, Node(late, "web", ""), "api").statistics.response_ns, 40 * kMs);
  EXPECT_TRUE(window(101, 200).services.empty());
}

TEST(ServiceGraph, WeightsMultiplyCounts) {
  ServiceGraphBuilder builder;
  builder.Add(AssembleSpans({XRaySegment(1, "web").Between(0, 100)}), INT64_MIN, INT64_MAX, 20);
  const ServiceGraph graph = builder.Build();
  EXPECT_EQ(Node(graph, "web", "").statistics.ok, 20);
  EXPECT_DOUBLE_EQ(Node(graph, "web", "").statistics.response_seconds, 2);
  EXPECT_EQ(Node(graph, "web", "").statistics.histogram.Entries().at(0).count, 20);
}

TEST(ServiceGraph, StopsAtTenThousandServicesAndSaysSo) {
  ServiceGraphBuilder builder;
  for (std::size_t i = 0; i < 6'000; ++i) {
    builder.Add(AssembleSpans({XRaySegment(1, "service" + std::to_string(i)).Between(0, 1)}));
  }
  const ServiceGraph graph = builder.Build();
  EXPECT_EQ(graph.services.size(), kGraphServicesMax);
  EXPECT_TRUE(graph.truncated);
}

std::vector<AssembledTrace> RandomTraces(Rng& rng) {
  std::vector<AssembledTrace> traces;
  for (std::uint64_t t = 1 + rng.Below(20); t > 0; --t) {
    std::vector<Span> spans;
    const std::uint64_t count = 1 + rng.Below(15);
    for (std::uint64_t id = 1; id <= count; ++id) {
      const std::uint64_t parent = id == 1 ? 0 : 1 + rng.Below(id - 1);
      const bool segment = id == 1 || rng.Chance(0.4);
      const std::string name = "s" + std::to_string(rng.Below(5));
      SpanBuilder span = segment
                             ? XRaySegment(id, name)
                             : XRaySubsegment(id, parent, name, rng.Chance(0.5) ? "remote" : "");
      if (segment && parent != 0) span.Parent(parent);
      const auto start = static_cast<std::int64_t>(rng.Below(1'000));
      span.Between(start, start + static_cast<std::int64_t>(rng.Below(500)));
      span.Flags(static_cast<std::uint32_t>(rng.Below(8)));
      if (rng.Chance(0.1)) span.Flags(SpanFlag::kInProgress);
      spans.push_back(span);
    }
    traces.push_back(AssembleSpans(std::move(spans)));
  }
  return traces;
}

TEST(ServiceGraph, NodesOfWindowsAddUpToTheWhole) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    const auto traces = RandomTraces(rng);
    double segments = 0;
    for (const auto& trace : traces) {
      for (const auto& entity : trace.entities)
        segments += entity.IsSegment() && !entity.in_progress ? 1 : 0;
    }
    double whole = 0;
    for (const auto& service : GraphOf(traces).services) {
      whole += service.statistics.total();
      EXPECT_EQ(service.statistics.total(), service.statistics.ok + service.statistics.error +
                                                service.statistics.throttle +
                                                service.statistics.fault);
      double counted = 0;
      for (const auto& entry : service.statistics.histogram.Entries()) counted += entry.count;
      EXPECT_DOUBLE_EQ(counted, service.statistics.total());
    }
    EXPECT_EQ(whole, segments) << "seed " << seed;
    double windows = 0;
    for (std::int64_t from = 0; from < 1'600; from += 100) {
      ServiceGraphBuilder builder;
      for (const auto& trace : traces) builder.Add(trace, from * kMs, (from + 100) * kMs);
      for (const auto& service : builder.Build().services) windows += service.statistics.total();
    }
    EXPECT_EQ(windows, segments) << "seed " << seed;
  }
}

TEST(ServiceGraph, DoesNotDependOnTheOrderOfTraces) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    auto traces = RandomTraces(rng);
    const ServiceGraph forward = GraphOf(traces);
    std::ranges::reverse(traces);
    const ServiceGraph backward = GraphOf(traces);
    ASSERT_EQ(forward.services.size(), backward.services.size());
    for (std::size_t i = 0; i < forward.services.size(); ++i) {
      const GraphService& a = forward.services[i];
      const GraphService& b = backward.services[i];
      EXPECT_EQ(a.key, b.key) << "seed " << seed;
      EXPECT_EQ(a.root, b.root);
      EXPECT_EQ(a.inferred, b.inferred);
      EXPECT_EQ(a.start_ns, b.start_ns);
      EXPECT_EQ(a.statistics.response_ns, b.statistics.response_ns);
      ASSERT_EQ(a.edges.size(), b.edges.size());
      for (std::size_t e = 0; e < a.edges.size(); ++e) {
        EXPECT_EQ(a.edges[e].to, b.edges[e].to);
        EXPECT_EQ(a.edges[e].statistics.total(), b.edges[e].statistics.total());
        EXPECT_EQ(a.edges[e].aliases, b.edges[e].aliases);
      }
    }
  }
}

// Time series.

std::map<std::int64_t, Statistics> Series(const std::vector<AssembledTrace>& traces,
                                          const char* selector,
                                          std::int64_t from_ms = INT64_MIN / kMs,
                                          std::int64_t until_ms = INT64_MAX / kMs) {
  std::optional<query::EntitySelector> parsed;
  if (selector != nullptr) {
    auto result = query::EntitySelector::Parse(selector);
    EXPECT_TRUE(result) << selector;
    if (result) parsed = *std::move(result);
  }
  TimeSeriesBuilder builder(60'000 * kMs, parsed);
  for (const auto& trace : traces) builder.Add(trace, from_ms * kMs, until_ms * kMs);
  return builder.windows();
}

std::vector<AssembledTrace> ThreeRequests() {
  std::vector<AssembledTrace> traces;
  for (const std::int64_t start : {0, 59'950, 180'000}) {
    traces.push_back(AssembleSpans(
        {XRaySegment(1, "web").Between(start, start + 100), XRaySubsegment(2, 1, "api", "remote")
                                                                .Between(start + 10, start + 40)
                                                                .Flags(SpanFlag::kFault)}));
  }
  return traces;
}

TEST(TimeSeries, WithoutSelectorCountsClientEdgesInAlignedWindows) {
  const auto windows = Series(ThreeRequests(), nullptr);
  ASSERT_EQ(windows.size(), 3U);
  for (const std::int64_t start : {0, 60'000, 180'000}) {
    ASSERT_TRUE(windows.contains(start * kMs)) << start;
    EXPECT_EQ(windows.at(start * kMs).ok, 1);
    EXPECT_EQ(windows.at(start * kMs).response_ns, 100 * kMs);
  }
}

TEST(TimeSeries, SelectsServicesAndEdges) {
  const auto web = Series(ThreeRequests(), "service(id(name: \"web\", type: \"\"))");
  EXPECT_EQ(web.size(), 3U);
  EXPECT_EQ(web.at(60'000 * kMs).ok, 1);
  const auto api = Series(ThreeRequests(), "service(\"api\")");
  EXPECT_EQ(api.at(0).fault, 2) << "both end within the first minute";
  const auto edge = Series(ThreeRequests(), "edge(\"web\", \"api\")");
  EXPECT_EQ(edge.at(0).fault, 2);
  EXPECT_EQ(edge.at(180'000 * kMs).response_ns, 30 * kMs);
  EXPECT_EQ(Series(ThreeRequests(), "edge(id(type: \"client\"), \"web\")").at(0).ok, 1);
  EXPECT_TRUE(Series(ThreeRequests(), "service(\"nobody\")").empty());
}

TEST(TimeSeries, CountsWhatEndsInTheWindow) {
  const auto windows = Series(ThreeRequests(), nullptr, 100, 180'100);
  EXPECT_EQ(windows.size(), 2U);
  EXPECT_TRUE(Series({AssembleSpans({XRaySegment(1, "web").InProgressSince(5)})}, nullptr).empty());
}

TEST(TimeSeries, WindowsBeforeTheEpochAreAlignedToo) {
  const auto windows = Series({AssembleSpans({XRaySegment(1, "web").Between(-100, -1)})}, nullptr);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows.begin()->first, -60'000 * kMs);
}

}  // namespace
}  // namespace fluoro::analysis
