#include "api/insights/insight_record.h"

#include <gtest/gtest.h>

namespace fluoro::api::insights {
namespace {

using analysis::AnomalyCategory;
using analysis::InsightState;

StoredInsight Example() {
  StoredInsight stored{.group_name = "Default", .group_arn = "arn:aws:xray:eu:1:group/Default"};
  analysis::Insight& insight = stored.insight;
  insight.id = "7f3a2c10-0000-4000-8000-000000000001";
  insight.category = AnomalyCategory::kLatency;
  insight.state = InsightState::kClosed;
  insight.root_cause = {.name = "db \"1\"", .type = "Database::SQL", .account_id = "7"};
  insight.start_ns = 1'700'000'000'000'000'001;
  insight.end_ns = 1'700'000'300'000'000'002;
  insight.update_ns = 1'700'000'360'000'000'003;
  insight.summary = "One. Two.";
  insight.clients = {.fault = 1, .ok = 2, .total = 3};
  insight.root_cause_counts = {.fault = 4, .ok = 5, .total = 9};
  insight.top_services = {insight.root_cause, {.name = "web", .type = "", .account_id = ""}};
  insight.affected = {insight.root_cause};
  insight.seen = 0.25;
  insight.usual_max = 0.125;
  insight.merged_into = "other";
  insight.events = {{.time_ns = 5,
                     .summary = "Then.",
                     .clients = {.fault = 1, .ok = 0, .total = 1},
                     .root_cause = {},
                     .top_services = insight.top_services}};
  insight.graph.services = {
      {.key = insight.root_cause, .client = false, .first_ns = 1, .last_ns = 2},
      {.key = {.name = "web", .type = "", .account_id = ""},
       .client = true,
       .first_ns = 3,
       .last_ns = 4}};
  insight.graph.calls = {{1, 0}};
  return stored;
}

TEST(InsightRecord, ComesBackEqual) {
  const StoredInsight stored = Example();
  const auto again = ParseInsight(stored.insight.id, InsightBody(stored));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, stored);
}

TEST(InsightRecord, RefusesWhatIsNone) {
  for (const std::string_view bad : {"", "[]", "{}", "{\"GroupARN\":\"a\"}", "not json"})
    EXPECT_FALSE(ParseInsight("x", bad).has_value()) << bad;
  // A call of services that are not there is left out.
  std::string body = InsightBody(Example());
  body.replace(body.find("[1,0]"), 5, "[9,0]");
  EXPECT_TRUE(ParseInsight("x", body)->insight.graph.calls.empty());
}

TEST(InsightRecord, TheLargestFitsARecord) {
  StoredInsight stored = Example();
  const model::ServiceKey key{
      .name = std::string(200, 'n'), .type = std::string(60, 't'), .account_id = "000000000000"};
  analysis::Insight& insight = stored.insight;
  insight.top_services.assign(analysis::Insight::kTopServicesMax, key);
  insight.summary = std::string(2'000, 's');
  insight.events.assign(analysis::Insight::kEventsMax, {.time_ns = 1,
                                                        .summary = insight.summary,
                                                        .clients = {},
                                                        .root_cause = {},
                                                        .top_services = insight.top_services});
  insight.graph.services.assign(analysis::ImpactGraph::kServicesMax,
                                {.key = key, .first_ns = INT64_MAX, .last_ns = INT64_MAX});
  insight.graph.calls.clear();
  for (int from = 0; from < 100; ++from) {
    for (int to = 0; to < 100; ++to) insight.graph.calls.emplace(from, to);
  }
  for (int i = 0; i < 1'000; ++i)
    insight.affected.insert(
        {.name = key.name + std::to_string(i), .type = key.type, .account_id = ""});
  EXPECT_LT(InsightBody(stored).size(), control::kBodyBytesMax);
}

}  // namespace
}  // namespace fluoro::api::insights
