// GetServiceGraph, GetTraceGraph and GetTimeSeriesServiceStatistics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/xray/test_server.h"

namespace fluoro::api::xray {
namespace {

const std::string kWindow = R"("StartTime":1478293361,"EndTime":1478293362)";

/// shop (segment) -> DynamoDB table `orders`, and -> payments (segment) through a remote call.
std::vector<std::string> ShopTrace(unsigned number, bool failing) {
  SegmentText shop;
  shop.trace_id = NumberedTraceId(number);
  shop.more =
      R"(,"origin":"AWS::EC2::Instance","subsegments":[{"id":"0000000000000001","name":"DynamoDB","namespace":"aws",)"
      R"("start_time":1478293361.1,"end_time":1478293361.12,"aws":{"table_name":"orders"}},)"
      R"({"id":"0000000000000002","name":"pay.example.com","namespace":"remote","start_time":1478293361.2,"end_time":1478293361.4)";
  shop.more += failing ? R"(,"fault":true}],"fault":true)" : "}]";
  SegmentText payments;
  payments.name = "payments";
  payments.trace_id = shop.trace_id;
  payments.id = "00000000000000aa";
  payments.start = 1478293361.25;
  payments.end = 1478293361.35;
  payments.more = R"(,"parent_id":"0000000000000002")";
  if (failing) payments.more += R"(,"fault":true)";
  return {shop.Json(), payments.Json()};
}

/// Index of the service with this name and type.
int Find(const std::string& graph, const std::string& name, const std::string& type) {
  for (int i = 0; i < CountAt(graph, "/Services"); ++i) {
    const std::string service = "/Services/" + std::to_string(i);
    if (At(graph, service + "/Name") == name && At(graph, service + "/Type") == type) return i;
  }
  return -1;
}

TEST(GetServiceGraph, ShowsServicesEdgesAndInferredNodes) {
  TestServer server;
  server.PutGood(ShopTrace(1, false));
  server.PutGood(ShopTrace(2, true));
  const std::string graph = server.Call("/ServiceGraph", "{" + kWindow + "}");
  EXPECT_EQ(At(graph, "/StartTime"), "1478293361");
  EXPECT_EQ(At(graph, "/EndTime"), "1478293362");
  EXPECT_EQ(At(graph, "/ContainsOldGroupVersions"), "false");
  ASSERT_EQ(CountAt(graph, "/Services"), 4) << graph;
  const int shop = Find(graph, "shop", "AWS::EC2::Instance");
  const int client = Find(graph, "shop", "client");
  const int orders = Find(graph, "orders", "AWS::DynamoDB::Table");
  const int payments = Find(graph, "payments", "<absent>");
  ASSERT_GE(shop, 0);
  ASSERT_GE(client, 0);
  ASSERT_GE(orders, 0);
  ASSERT_GE(payments, 0);

  const std::string shop_json = At(graph, "/Services/" + std::to_string(shop));
  EXPECT_EQ(At(shop_json, "/ReferenceId"), std::to_string(shop));
  EXPECT_EQ(At(shop_json, "/Root"), "true");
  EXPECT_EQ(At(shop_json, "/State"), "active");
  EXPECT_EQ(
      At(shop_json, "/SummaryStatistics"),
      R"({"OkCount":1,"ErrorStatistics":{"ThrottleCount":0,"OtherCount":0,"TotalCount":0},)"
      R"("FaultStatistics":{"OtherCount":1,"TotalCount":1},"TotalCount":2,"TotalResponseTime":1})");
  EXPECT_EQ(At(shop_json, "/ResponseTimeHistogram"), R"([{"Value":0.5,"Count":2}])");
  EXPECT_EQ(At(shop_json, "/DurationHistogram"), R"([{"Value":0.5,"Count":2}])");
  EXPECT_EQ(CountAt(shop_json, "/Edges"), 2);

  const std::string client_json = At(graph, "/Services/" + std::to_string(client));
  EXPECT_EQ(At(client_json, "/State"), "unknown");
  EXPECT_EQ(At(client_json, "/SummaryStatistics"), "<absent>");
  EXPECT_EQ(At(client_json, "/Root"), "<absent>");
  ASSERT_EQ(CountAt(client_json, "/Edges"), 1);
  EXPECT_EQ(At(client_json, "/Edges/0/ReferenceId"), std::to_string(shop));
  EXPECT_EQ(At(client_json, "/Edges/0/SummaryStatistics/TotalCount"), "2");
  EXPECT_EQ(At(client_json, "/Edges/0/Aliases"), "[]");

  const std::string orders_json = At(graph, "/Services/" + std::to_string(orders));
  EXPECT_EQ(At(orders_json, "/State"), "unknown");
  EXPECT_EQ(At(orders_json, "/Edges"), "[]");
  EXPECT_EQ(At(orders_json, "/SummaryStatistics/OkCount"), "2");

  for (int i = 0; i < 2; ++i) {
    const std::string edge = At(shop_json, "/Edges/" + std::to_string(i));
    if (At(edge, "/ReferenceId") != std::to_string(payments)) continue;
    EXPECT_EQ(At(edge, "/ResponseTimeHistogram"), R"([{"Value":0.2,"Count":2}])")
        << "the caller's view";
  }
  EXPECT_EQ(At(graph, "/Services/" + std::to_string(payments) + "/ResponseTimeHistogram"),
            R"([{"Value":0.1,"Count":2}])")
      << "the callee's view";
}

TEST(GetServiceGraph, AnEmptyWindowHasNoServices) {
  TestServer server;
  EXPECT_EQ(
      server.Call("/ServiceGraph", "{" + kWindow + "}"),
      R"({"StartTime":1478293361,"EndTime":1478293362,"Services":[],"ContainsOldGroupVersions":false})");
}

TEST(GetServiceGraph, OnlyTheDefaultGroupExists) {
  TestServer server({.account_id = "123456789012", .region = "eu-west-1"});
  for (const char* group : {R"(,"GroupName":"Default")",
                            R"(,"GroupARN":"arn:aws:xray:eu-west-1:123456789012:group/Default")"}) {
    server.Call("/ServiceGraph", "{" + kWindow + group + "}");
  }
  for (const char* path : {"/ServiceGraph", "/TimeSeriesServiceStatistics"}) {
    for (const char* group :
         {R"(,"GroupName":"default")", R"(,"GroupARN":"arn:aws:xray:eu-west-1:1:group/x/Y")"}) {
      const net::HttpResponse response = server.Send(path, "{" + kWindow + group + "}");
      EXPECT_EQ(response.status, 400);
      EXPECT_EQ(response.body,
                R"({"__type":"InvalidRequestException","Message":"Group not found"})");
    }
  }
}

TEST(GetServiceGraph, SixHoursAtMostWithQuotas) {
  TestServer server({.aws_quotas = true});
  EXPECT_EQ(server.Send("/ServiceGraph", R"({"StartTime":0,"EndTime":21600})").status, 200);
  EXPECT_EQ(At(server.Send("/ServiceGraph", R"({"StartTime":0,"EndTime":21601})").body, "/Message"),
            "Time range cannot be longer than 6 hours");
}

TEST(GetServiceGraph, ComesInPagesWithStableReferences) {
  TestServer server;
  const auto put = [&](unsigned first, unsigned count) {
    std::vector<std::string> documents;
    for (unsigned i = first; i < first + count; ++i) {
      SegmentText segment;
      segment.trace_id = NumberedTraceId(i + 1);
      segment.name = "service" + std::to_string(i);
      documents.push_back(segment.Json());
    }
    server.PutGood(documents);
  };
  put(100, 130);
  std::set<int> references;
  std::string token;
  int pages = 0;
  do {
    const std::string graph = server.Call(
        "/ServiceGraph",
        "{" + kWindow + (token.empty() ? "" : R"(,"NextToken":")" + token + "\"") + "}");
    ++pages;
    put(1000 + static_cast<unsigned>(pages), 1);
    EXPECT_LE(CountAt(graph, "/Services"), 100);
    for (int i = 0; i < CountAt(graph, "/Services"); ++i) {
      const int reference = std::stoi(At(graph, "/Services/" + std::to_string(i) + "/ReferenceId"));
      EXPECT_TRUE(references.insert(reference).second);
    }
    token = At(graph, "/NextToken");
    if (token == "<absent>") token.clear();
  } while (!token.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(references.size(), 260U) << "130 services and their clients, not what came in between";
  EXPECT_EQ(*references.rbegin(), 259);
}

TEST(GetTraceGraph, HoldsTheAskedTracesOnly) {
  TestServer server;
  server.PutGood(ShopTrace(1, false));
  SegmentText other;
  other.trace_id = NumberedTraceId(2);
  other.name = "other";
  server.PutGood({other.Json()});
  const std::string graph =
      server.Call("/TraceGraph", R"({"TraceIds":[")" + NumberedTraceId(1) +
                                     R"(","1-00000000-00000000000000000000000f","x"]})");
  EXPECT_EQ(CountAt(graph, "/Services"), 4);
  EXPECT_EQ(Find(graph, "other", "<absent>"), -1);
  EXPECT_EQ(At(graph, "/StartTime"), "<absent>");
  EXPECT_EQ(server.Call("/TraceGraph", R"({"TraceIds":[]})"), R"({"Services":[]})");
}

TEST(GetTraceGraph, InferredNodesHaveTheirTypes) {
  TestServer server;
  SegmentText shop;
  shop.more =
      R"(,"subsegments":[{"id":"0000000000000001","name":"orders@db","namespace":"remote","start_time":1478293361.1,)"
      R"("end_time":1478293361.2,"sql":{"sanitized_query":"SELECT 1"}},)"
      R"({"id":"0000000000000002","name":"SQS","namespace":"aws","start_time":1478293361.1,"end_time":1478293361.2,)"
      R"("aws":{"queue_url":"https://sqs/1/q"}},)"
      R"({"id":"0000000000000003","name":"api","namespace":"remote","start_time":1478293361.1,"end_time":1478293361.2}])";
  server.PutGood({shop.Json()});
  const std::string graph =
      server.Call("/TraceGraph", R"({"TraceIds":[")" + shop.trace_id + R"("]})");
  EXPECT_GE(Find(graph, "orders@db", "Database::SQL"), 0) << graph;
  EXPECT_GE(Find(graph, "https://sqs/1/q", "AWS::SQS::Queue"), 0) << graph;
  EXPECT_GE(Find(graph, "api", "remote"), 0) << graph;
  EXPECT_GE(Find(graph, "shop", "client"), 0) << graph;
}

TEST(GetTimeSeriesServiceStatistics, WithoutASelectorCountsTheEntryEdges) {
  TestServer server;
  server.PutGood(ShopTrace(1, false));
  server.PutGood(ShopTrace(2, true));
  const std::string series = server.Call("/TimeSeriesServiceStatistics", "{" + kWindow + "}");
  EXPECT_EQ(
      series,
      R"({"TimeSeriesServiceStatistics":[{"Timestamp":1478293320,"EdgeSummaryStatistics":{"OkCount":1,"ErrorStatistics":)"
      R"({"ThrottleCount":0,"OtherCount":0,"TotalCount":0},"FaultStatistics":{"OtherCount":1,"TotalCount":1},"TotalCount":2,)"
      R"("TotalResponseTime":1},"ResponseTimeHistogram":[{"Value":0.5,"Count":2}]}],"ContainsOldGroupVersions":false})");
}

TEST(GetTimeSeriesServiceStatistics, SelectsServicesAndEdges) {
  TestServer server;
  server.PutGood(ShopTrace(1, false));
  const auto series = [&](const std::string& selector, const std::string& more = "") {
    return server.Call(
        "/TimeSeriesServiceStatistics",
        "{" + kWindow + R"(,"EntitySelectorExpression":")" + selector + "\"" + more + "}");
  };
  EXPECT_EQ(At(series(R"(service(\"payments\"))"),
               "/TimeSeriesServiceStatistics/0/ServiceSummaryStatistics/TotalResponseTime"),
            "0.1");
  EXPECT_EQ(At(series(R"(edge(\"shop\", \"payments\"))"),
               "/TimeSeriesServiceStatistics/0/EdgeSummaryStatistics/TotalResponseTime"),
            "0.2");
  const std::string by_id = series(
      R"(service(id(name: \"orders\", type: \"AWS::DynamoDB::Table\")))", R"(,"Period":300)");
  EXPECT_EQ(At(by_id, "/TimeSeriesServiceStatistics/0/ServiceSummaryStatistics/OkCount"), "1")
      << by_id;
  EXPECT_EQ(At(by_id, "/TimeSeriesServiceStatistics/0/Timestamp"), "1478293200");
  EXPECT_EQ(CountAt(series(R"(service(\"nobody\"))"), "/TimeSeriesServiceStatistics"), 0);
}

TEST(GetTimeSeriesServiceStatistics, RefusesWhatItCannotAnswer) {
  TestServer server;
  const std::pair<const char*, const char*> cases[] = {
      {R"(,"Period":61)", "Period must be 60 or 300"},
      {R"(,"EntitySelectorExpression":"")",
       "1 validation error detected: Value at 'entitySelectorExpression' failed to satisfy "
       "constraint: Member must have length greater "
       "than or equal to 1"},
      {R"(,"ForecastStatistics":true)",
       "ForecastStatistics needs an EntitySelectorExpression of the form service(id(...))"},
      {R"j(,"ForecastStatistics":true,"EntitySelectorExpression":"service(\"shop\")")j",
       "ForecastStatistics needs an EntitySelectorExpression of the form service(id(...))"},
  };
  for (const auto& [more, message] : cases) {
    const net::HttpResponse response =
        server.Send("/TimeSeriesServiceStatistics", "{" + kWindow + more + "}");
    EXPECT_EQ(response.status, 400) << more;
    EXPECT_EQ(At(response.body, "/Message"), message);
  }
  EXPECT_EQ(server
                .Send("/TimeSeriesServiceStatistics",
                      "{" + kWindow + R"(,"EntitySelectorExpression":"fault"})")
                .status,
            400);
}

TEST(GetTimeSeriesServiceStatistics, ForecastsFromTheDayBefore) {
  TestServer server;
  std::vector<std::string> documents;
  for (unsigned i = 0; i < 60; ++i) {
    SegmentText segment;
    segment.trace_id = NumberedTraceId(i + 1);
    segment.start = 1478293320 - 60.0 * (59 - i);
    segment.end = segment.start + 1;
    segment.more = i % 3 == 0 ? R"(,"fault":true)" : "";
    documents.push_back(segment.Json());
  }
  server.PutGood(documents);
  const std::string series = server.Call(
      "/TimeSeriesServiceStatistics",
      R"j({"StartTime":1478293320,"EndTime":1478293380,"ForecastStatistics":true,"EntitySelectorExpression":"service(id(name: \"shop\"))"})j");
  ASSERT_EQ(CountAt(series, "/TimeSeriesServiceStatistics"), 1) << series;
  EXPECT_EQ(At(series, "/TimeSeriesServiceStatistics/0/ServiceForecastStatistics"),
            R"({"FaultCountHigh":1,"FaultCountLow":0})");
}

}  // namespace
}  // namespace fluoro::api::xray
