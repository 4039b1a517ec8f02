#include "analysis/insight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/anomaly_testing.h"
#include "analysis/insight_text.h"

namespace fluoro::analysis {
namespace {

using testing::Chain;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Key;
using ::testing::StartsWith;
using enum AnomalyCategory;

std::function<std::string()> Ids() {
  return [number = 0]() mutable { return "id-" + std::to_string(++number); };
}

/// A chain of services under watch; the last state of every insight.
struct System {
  Chain chain;
  AnomalyDetector detector;
  InsightTracker tracker{{}, Ids()};
  std::vector<Insight> insights;

  void Run(int minutes) {
    for (int i = 0; i < minutes; ++i) {
      const GraphMinute minute = chain.Next();
      detector.Observe(minute);
      for (Insight& insight : tracker.Update(detector, minute)) {
        const auto known = std::ranges::find(insights, insight.id, &Insight::id);
        if (known == insights.end()) {
          insights.push_back(std::move(insight));
        } else {
          *known = std::move(insight);
        }
      }
    }
  }
};

TEST(InsightTracker, OneInsightForOneRootCause) {
  System system;
  system.Run(60);
  EXPECT_TRUE(system.insights.empty());
  const std::int64_t begin_ns = system.chain.now_ns;
  system.chain.db.faults = 30;
  system.chain.shop.faults = 30;
  system.chain.web.faults = 28;
  system.Run(6);
  ASSERT_EQ(system.insights.size(), 1U);
  Insight insight = system.insights[0];
  EXPECT_EQ(insight.category, kFault);
  EXPECT_EQ(insight.state, InsightState::kActive);
  EXPECT_EQ(insight.root_cause, Key("db"));
  EXPECT_EQ(insight.start_ns, begin_ns);
  EXPECT_EQ(insight.top_services.front(), Key("db"));
  EXPECT_EQ(insight.top_services.size(), 3U);
  EXPECT_EQ(insight.clients, (ImpactCounts{.fault = 6 * 28, .ok = 6 * 72, .total = 600}));
  EXPECT_EQ(insight.root_cause_counts, (ImpactCounts{.fault = 180, .ok = 420, .total = 600}));
  EXPECT_THAT(insight.summary, StartsWith("db fails more often than usual: up to 30 %"));
  EXPECT_THAT(insight.summary, HasSubstr("168 of 600 client requests have failed"));
  // The client in front of web, web -> shop -> db.
  ASSERT_EQ(insight.graph.services.size(), 4U);
  EXPECT_EQ(insight.graph.calls.size(), 3U);
  EXPECT_EQ(std::ranges::count(insight.graph.services, true, &ImpactGraph::Service::client), 1);

  system.chain.db.faults = system.chain.shop.faults = system.chain.web.faults = 0;
  system.Run(10);
  ASSERT_EQ(system.insights.size(), 1U);
  insight = system.insights[0];
  EXPECT_EQ(insight.state, InsightState::kClosed);
  EXPECT_EQ(insight.end_ns, begin_ns + 6 * AnomalyDetector::kMinuteNs);
  EXPECT_TRUE(system.tracker.active().empty());
  EXPECT_THAT(insight.summary, StartsWith("The anomaly has ended. From "));
  EXPECT_GE(std::ranges::count(insight.summary, '.'), 2);
  EXPECT_EQ(insight.events.back().summary, insight.summary);
}

TEST(InsightTracker, EventsTellWhatChanged) {
  System system;
  system.Run(60);
  system.chain.db.faults = 30;
  system.Run(3);
  ASSERT_EQ(system.insights.size(), 1U);
  EXPECT_EQ(system.insights[0].events.size(), 1U);
  system.chain.web.faults = system.chain.shop.faults = 30;
  system.Run(4);
  const auto& events = system.insights[0].events;
  EXPECT_GE(events.size(), 3U);
  EXPECT_EQ(events.front().top_services.size(), 1U);
  EXPECT_EQ(events.back().top_services.size(), 3U);
  EXPECT_TRUE(std::ranges::is_sorted(events, {}, &InsightEvent::time_ns));
  // Each tells more than a tenth more than the one before: a long one has few.
  system.Run(300);
  EXPECT_LT(system.insights[0].events.size(), Insight::kEventsMax);
}

TEST(InsightTracker, ServicesThatFailByThemselvesHaveInsightsOfTheirOwn) {
  System system;
  system.Run(60);
  system.chain.db.faults = 5;
  system.chain.web.faults = 60;
  system.chain.shop.faults = 5;
  system.Run(6);
  ASSERT_EQ(system.insights.size(), 2U);
  std::vector<model::ServiceKey> roots{system.insights[0].root_cause,
                                       system.insights[1].root_cause};
  std::ranges::sort(roots);
  EXPECT_THAT(roots, ElementsAre(Key("db"), Key("web")));
}

TEST(InsightTracker, SlownessIsAnInsightOfAnotherCategory) {
  System system;
  system.Run(60);
  system.chain.way_to_db_ms = 300;
  system.chain.shop.milliseconds = 360;
  system.chain.web.milliseconds = 400;
  system.Run(5);
  ASSERT_EQ(system.insights.size(), 1U);
  EXPECT_EQ(system.insights[0].category, kLatency);
  EXPECT_EQ(system.insights[0].root_cause, Key("db"));
  EXPECT_THAT(system.insights[0].summary, StartsWith("db answers later than usual"));
  EXPECT_THAT(system.insights[0].summary, HasSubstr("ms or more"));
}

TEST(InsightTracker, GoesOnAfterARestart) {
  System system;
  system.Run(60);
  system.chain.db.faults = 30;
  system.Run(5);
  ASSERT_EQ(system.insights.size(), 1U);
  InsightTracker again(system.tracker.active(), Ids());
  system.tracker = std::move(again);
  system.Run(3);
  ASSERT_EQ(system.insights.size(), 1U);
  EXPECT_EQ(system.insights[0].clients.total, 800);
  system.chain.db.faults = 0;
  system.Run(6);
  EXPECT_EQ(system.insights[0].state, InsightState::kClosed);
}

TEST(InsightTracker, ARootCauseThatShowsLaterTakesOver) {
  System system;
  system.Run(60);
  system.chain.shop.faults = 30;
  system.chain.web.faults = 30;
  system.Run(4);
  ASSERT_EQ(system.insights.size(), 1U);
  EXPECT_EQ(system.insights[0].root_cause, Key("shop"));
  system.chain.db.faults = 60;
  system.chain.shop.faults = 60;
  system.chain.web.faults = 60;
  system.Run(12);
  // One that opened for the database meanwhile has become part of the first.
  ASSERT_EQ(system.insights.size(), 2U);
  EXPECT_EQ(system.insights[1].state, InsightState::kClosed);
  EXPECT_EQ(system.insights[1].merged_into, system.insights[0].id);
  EXPECT_THAT(system.insights[1].summary, StartsWith("This insight is part of another now. id-1"));
  EXPECT_EQ(system.insights[0].state, InsightState::kActive);
  EXPECT_EQ(system.insights[0].root_cause, Key("db"));
  EXPECT_EQ(system.insights[0].top_services.front(), Key("db"));
}

TEST(SummaryOf, HasPointsOnlyBehindSentences) {
  Insight insight;
  insight.root_cause = {.name = "api", .type = "AWS::Lambda", .account_id = ""};
  insight.top_services = {insight.root_cause, Key("a"), Key("b"), Key("c"), Key("d")};
  insight.start_ns = Chain::kBeginNs;
  insight.end_ns = Chain::kBeginNs + 600 * kNsPerSecond;
  for (const double share : {1e-6, 0.00123, 0.0123, 0.123, 1.0}) {
    for (const auto category : kAnomalyCategories) {
      for (const auto state : {InsightState::kActive, InsightState::kClosed}) {
        insight.category = category;
        insight.state = state;
        insight.seen = share;
        insight.usual_max = share / 3;
        const std::string summary = SummaryOf(insight);
        EXPECT_GE(std::ranges::count(summary, '.'), 2) << summary;
        for (std::size_t at = summary.find('.'); at + 1 < summary.size();
             at = summary.find('.', at + 1)) {
          EXPECT_EQ(summary[at + 1], ' ') << summary;
        }
        EXPECT_THAT(summary, HasSubstr("Also affected: a, b, c and 1 more."));
      }
    }
  }
}

}  // namespace
}  // namespace fluoro::analysis
