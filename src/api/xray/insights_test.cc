// The four operations over records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/insights/insight_record.h"
#include "api/xray/test_server.h"

namespace fluoro::api::xray {
namespace {

using analysis::AnomalyCategory;
using analysis::InsightState;
using insights::StoredInsight;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;
constexpr std::int64_t kNowS = TestServer::kNowNs / kNsPerSecond;
const std::string kDefaultArn = "arn:aws:xray:us-east-1:000000000000:group/Default";
const std::string kClosedId = "00000000-0000-4000-8000-000000000001";
const std::string kActiveId = "00000000-0000-4000-8000-00000000000a";
const std::string kLatencyId = "00000000-0000-4000-8000-000000000003";

model::ServiceKey Key(const std::string& name, const std::string& type = "") {
  return {.name = name, .type = type, .account_id = ""};
}

StoredInsight Example(const std::string& id, int begin_minutes_ago, InsightState state) {
  StoredInsight stored{.group_name = "Default", .group_arn = kDefaultArn, .insight = {}};
  analysis::Insight& insight = stored.insight;
  insight.id = id;
  insight.state = state;
  insight.root_cause = Key("orders", "AWS::DynamoDB::Table");
  insight.start_ns = TestServer::kNowNs - begin_minutes_ago * kMinuteNs;
  insight.end_ns = insight.start_ns + 10 * kMinuteNs;
  insight.update_ns = insight.end_ns + 5 * kMinuteNs;
  insight.summary = "The anomaly has ended. It was one.";
  insight.clients = {.fault = 10, .ok = 80, .total = 100};
  insight.root_cause_counts = {.fault = 20, .ok = 30, .total = 50};
  insight.top_services = {insight.root_cause, Key("shop")};
  for (int i = 0; i < 3; ++i) {
    insight.events.push_back({.time_ns = insight.start_ns + i * kMinuteNs,
                              .summary = "Event " + std::to_string(i) + ".",
                              .clients = insight.clients,
                              .root_cause = insight.root_cause_counts,
                              .top_services = insight.top_services});
  }
  insight.graph.services = {
      {.key = Key("shop"), .client = true, .first_ns = insight.start_ns, .last_ns = insight.end_ns},
      {.key = Key("shop"), .first_ns = insight.start_ns, .last_ns = insight.end_ns},
      {.key = insight.root_cause,
       .first_ns = insight.start_ns + 5 * kMinuteNs,
       .last_ns = insight.end_ns}};
  insight.graph.calls = {{0, 1}, {1, 2}};
  return stored;
}

void Put(TestServer& server, const StoredInsight& stored) {
  ASSERT_TRUE(server.control().Write("", [&](control::Transaction& change) -> Result<void> {
    FLUORO_CHECK_OK(
        change.Put(insights::kInsightKind, stored.insight.id, insights::InsightBody(stored)));
    return {};
  }));
}

void PutAll(TestServer& server) {
  Put(server, Example(kClosedId, 120, InsightState::kClosed));
  Put(server, Example(kActiveId, 60, InsightState::kActive));
  StoredInsight latency = Example(kLatencyId, 30, InsightState::kActive);
  latency.insight.category = AnomalyCategory::kLatency;
  Put(server, latency);
}

std::string Between(int from_minutes_ago, int until_minutes_ago) {
  return "\"StartTime\":" + std::to_string(kNowS - from_minutes_ago * 60) +
         ",\"EndTime\":" + std::to_string(kNowS - until_minutes_ago * 60);
}

std::vector<std::string> Listed(TestServer& server, const std::string& members) {
  return EachAt(server.Call("/InsightSummaries", "{" + members + "}"), "/InsightSummaries",
                "InsightId");
}

void ExpectRefused(TestServer& server, const std::string& path, const std::string& body,
                   const std::string& message) {
  const auto answer = server.Send(path, body);
  EXPECT_EQ(answer.status, 400) << body;
  EXPECT_EQ(At(answer.body, "/__type"), "InvalidRequestException");
  EXPECT_THAT(At(answer.body, "/Message"), HasSubstr(message)) << body;
}

TEST(GetInsightSummaries, ListsFaultsNewestFirst) {
  TestServer server;
  PutAll(server);
  const std::string group = R"("GroupName":"Default",)";
  EXPECT_THAT(Listed(server, group + Between(180, 0)), ElementsAre(kActiveId, kClosedId));
  EXPECT_THAT(Listed(server, "\"GroupARN\":\"" + kDefaultArn + "\"," + Between(180, 0)),
              ElementsAre(kActiveId, kClosedId));
  EXPECT_THAT(Listed(server, group + R"("States":["CLOSED"],)" + Between(180, 0)),
              ElementsAre(kClosedId));
  EXPECT_THAT(Listed(server, group + R"("States":["ACTIVE"],)" + Between(180, 0)),
              ElementsAre(kActiveId));
  // Those that overlap the window; what is active goes on.
  EXPECT_THAT(Listed(server, group + Between(100, 50)), ElementsAre(kActiveId));
  EXPECT_THAT(Listed(server, group + Between(115, 100)), ElementsAre(kClosedId));
  EXPECT_THAT(Listed(server, group + Between(110, 100)), ElementsAre());
  EXPECT_THAT(Listed(server, group + Between(5, 0)), ElementsAre(kActiveId));
}

TEST(GetInsightSummaries, HasEveryMember) {
  TestServer server;
  PutAll(server);
  const std::string answer =
      server.Call("/InsightSummaries", R"({"GroupName":"Default",)" + Between(180, 0) + "}");
  const std::string active = "/InsightSummaries/0";
  const std::string closed = "/InsightSummaries/1";
  EXPECT_EQ(At(answer, active + "/State"), "ACTIVE");
  EXPECT_EQ(At(answer, active + "/EndTime"), "<absent>");
  EXPECT_EQ(At(answer, closed + "/EndTime"), std::to_string(kNowS - 110 * 60));
  EXPECT_EQ(At(answer, closed + "/LastUpdateTime"), std::to_string(kNowS - 105 * 60));
  EXPECT_EQ(At(answer, closed + "/Categories/0"), "FAULT");
  EXPECT_EQ(At(answer, closed + "/RootCauseServiceId/Type"), "AWS::DynamoDB::Table");
  EXPECT_EQ(At(answer, closed + "/ClientRequestImpactStatistics/FaultCount"), "10");
  EXPECT_EQ(At(answer, closed + "/RootCauseServiceRequestImpactStatistics/OkCount"), "30");
  EXPECT_EQ(At(answer, closed + "/TopAnomalousServices/1/ServiceId/Name"), "shop");
}

TEST(GetInsightSummaries, ComesInPages) {
  TestServer server;
  for (int i = 0; i < 5; ++i) {
    Put(server, Example("00000000-0000-4000-8000-10000000000" + std::to_string(i), 100 + i,
                        InsightState::kClosed));
  }
  std::vector<std::string> seen;
  std::string token;
  for (int pages = 0; pages < 10; ++pages) {
    const std::string answer = server.Call(
        "/InsightSummaries", R"({"GroupName":"Default","MaxResults":2,)" + Between(180, 0) +
                                 (token.empty() ? "" : ",\"NextToken\":\"" + token + "\"") + "}");
    for (auto& id : EachAt(answer, "/InsightSummaries", "InsightId")) seen.push_back(std::move(id));
    token = At(answer, "/NextToken");
    if (token == "<absent>") break;
  }
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_EQ(token, "<absent>");
  ExpectRefused(server, "/InsightSummaries",
                R"({"GroupName":"Default","NextToken":"00",)" + Between(180, 0) + "}", "NextToken");
}

TEST(GetInsightSummaries, RefusesWhatItCannotAnswer) {
  TestServer server;
  ExpectRefused(server, "/InsightSummaries", "{" + Between(10, 0) + "}",
                "Specify a group by GroupName or GroupARN");
  ExpectRefused(server, "/InsightSummaries", R"({"GroupName":"nope",)" + Between(10, 0) + "}",
                "Group not found");
  ExpectRefused(server, "/InsightSummaries", R"({"GroupName":"Default",)" + Between(0, 10) + "}",
                "EndTime");
  ExpectRefused(server, "/InsightSummaries",
                R"({"GroupName":"Default",)" + Between(32 * 24 * 60, 0) + "}", "30 days");
  ExpectRefused(server, "/InsightSummaries",
                R"({"GroupName":"Default","States":["ACTIVE","CLOSED"],)" + Between(10, 0) + "}",
                "states");
  ExpectRefused(server, "/InsightSummaries",
                R"({"GroupName":"Default","MaxResults":101,)" + Between(10, 0) + "}", "maxResults");
}

TEST(GetInsight, ByItsId) {
  TestServer server;
  PutAll(server);
  const std::string answer = server.Call("/Insight", R"({"InsightId":")" + kClosedId + "\"}");
  EXPECT_EQ(At(answer, "/Insight/InsightId"), kClosedId);
  EXPECT_EQ(At(answer, "/Insight/GroupName"), "Default");
  EXPECT_EQ(At(answer, "/Insight/LastUpdateTime"), "<absent>");
  EXPECT_EQ(At(server.Call("/Insight", R"({"InsightId":"00000000-0000-4000-8000-00000000000A"})"),
               "/Insight/InsightId"),
            kActiveId);
  ExpectRefused(server, "/Insight", R"({"InsightId":"00000000-0000-4000-8000-000000000009"})",
                "Insight not found");
  ExpectRefused(server, "/Insight", R"({"InsightId":")" + kLatencyId + "\"}", "Insight not found");
  ExpectRefused(server, "/Insight", R"({"InsightId":"nope"})", "insightId");
}

TEST(GetInsightEvents, NewestFirstInPages) {
  TestServer server;
  PutAll(server);
  const std::string id = R"({"InsightId":")" + kClosedId + "\"";
  const std::string all = server.Call("/InsightEvents", id + "}");
  EXPECT_THAT(EachAt(all, "/InsightEvents", "Summary"),
              ElementsAre("Event 2.", "Event 1.", "Event 0."));
  EXPECT_EQ(At(all, "/InsightEvents/0/EventTime"), std::to_string(kNowS - 118 * 60));
  EXPECT_EQ(At(all, "/InsightEvents/0/TopAnomalousServices/0/ServiceId/Name"), "orders");
  const std::string first = server.Call("/InsightEvents", id + R"(,"MaxResults":2})");
  EXPECT_EQ(CountAt(first, "/InsightEvents"), 2);
  const std::string second = server.Call(
      "/InsightEvents", id + R"(,"MaxResults":2,"NextToken":")" + At(first, "/NextToken") + "\"}");
  EXPECT_THAT(EachAt(second, "/InsightEvents", "Summary"), ElementsAre("Event 0."));
  EXPECT_EQ(At(second, "/NextToken"), "<absent>");
}

TEST(GetInsightImpactGraph, ShowsWhoWasAffectedInTheWindow) {
  TestServer server;
  PutAll(server);
  const std::string id = R"({"InsightId":")" + kClosedId + "\",";
  const std::string whole = server.Call("/InsightImpactGraph", id + Between(180, 60) + "}");
  EXPECT_EQ(At(whole, "/InsightId"), kClosedId);
  EXPECT_EQ(At(whole, "/StartTime"), std::to_string(kNowS - 180 * 60));
  EXPECT_EQ(At(whole, "/ServiceGraphStartTime"), std::to_string(kNowS - 120 * 60));
  EXPECT_EQ(At(whole, "/ServiceGraphEndTime"), std::to_string(kNowS - 110 * 60));
  EXPECT_THAT(EachAt(whole, "/Services", "Type"),
              ElementsAre("client", "", "AWS::DynamoDB::Table"));
  EXPECT_EQ(At(whole, "/Services/0/Edges/0/ReferenceId"), "1");
  EXPECT_EQ(At(whole, "/Services/1/Edges/0/ReferenceId"), "2");
  EXPECT_EQ(CountAt(whole, "/Services/2/Edges"), 0);
  // Before the table was affected.
  const std::string early = server.Call("/InsightImpactGraph", id + Between(180, 116) + "}");
  EXPECT_EQ(CountAt(early, "/Services"), 2);
  EXPECT_EQ(CountAt(early, "/Services/1/Edges"), 0);
  const std::string before = server.Call("/InsightImpactGraph", id + Between(180, 170) + "}");
  EXPECT_EQ(CountAt(before, "/Services"), 0);
  ExpectRefused(server, "/InsightImpactGraph", id + Between(400, 0) + "}", "6 hours");
}

}  // namespace
}  // namespace fluoro::api::xray
