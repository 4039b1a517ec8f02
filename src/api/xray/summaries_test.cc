// GetTraceSummaries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/xray/test_server.h"

namespace fluoro::api::xray {
namespace {

using testing::HasSubstr;

const std::string kWindow = R"("StartTime":1478293361,"EndTime":1478293362)";

std::string Summaries(TestServer& server, const std::string& more = "",
                      const std::string& window = kWindow) {
  return server.Call("/TraceSummaries", "{" + window + more + "}");
}

/// `count` traces, one segment each, start 1 ms apart from 1478293361.0 on.
void PutNumbered(TestServer& server, unsigned count) {
  std::vector<std::string> documents;
  for (unsigned i = 1; i <= count; ++i) {
    SegmentText segment;
    segment.trace_id = NumberedTraceId(i);
    segment.start = 1478293361.0 + 0.001 * i;
    segment.end = segment.start + 0.0005;
    documents.push_back(segment.Json());
  }
  server.PutGood(documents);
}

/// All ids over all pages, in order; checks what holds for any listing.
std::vector<std::string> AllIds(TestServer& server, const std::string& more, int* pages = nullptr) {
  std::vector<std::string> ids;
  std::set<std::string> tokens;
  std::string token;
  for (int page = 1;; ++page) {
    const std::string answer =
        Summaries(server, more + (token.empty() ? "" : R"(,"NextToken":")" + token + "\""));
    for (std::string& id : EachAt(answer, "/TraceSummaries", "Id")) ids.push_back(std::move(id));
    token = At(answer, "/NextToken");
    if (pages != nullptr) *pages = page;
    if (token == "<absent>") return ids;
    EXPECT_LE(token.size(), 100U);
    EXPECT_TRUE(tokens.insert(token).second) << "the same token twice";
  }
}

TEST(GetTraceSummaries, TheEarliestOrphanStandsInTheRootsPlace) {
  TestServer server;
  server.PutGood(
      {R"({"name":"## handler","id":"0000000000000002","trace_id":")" + NumberedTraceId(1) +
       R"(","parent_id":"0000000000000001","type":"subsegment","start_time":1478293361.1,)"
       R"("end_time":1478293361.4,"fault":true})"});
  const std::string answer = Summaries(server);
  EXPECT_EQ(At(answer, "/TraceSummaries/0/EntryPoint/Name"), "## handler") << answer;
  EXPECT_EQ(At(answer, "/TraceSummaries/0/EntryPoint/Names/0"), "## handler");
  EXPECT_EQ(At(answer, "/TraceSummaries/0/ResponseTime"), "0.3");
  EXPECT_EQ(At(answer, "/TraceSummaries/0/HasFault"), "true");
}

TEST(GetTraceSummaries, ShowsEveryFieldOfATrace) {
  TestServer server;
  SegmentText segment;
  segment.more =
      R"(,"origin":"AWS::EC2::Instance","user":"mira","resource_arn":"arn:aws:ec2:us-east-1:123456789012:instance/i-1","error":true,)"
      R"("http":{"request":{"url":"https://shop/cart","method":"GET","user_agent":"curl","client_ip":"1.2.3.4"},"response":{"status":404}},)"
      R"("aws":{"account_id":"123456789012","ec2":{"instance_id":"i-1","availability_zone":"us-east-1a"}},)"
      R"("annotations":{"tier":"gold","attempt":2,"cached":false},)"
      R"("subsegments":[{"id":"0000000000000001","name":"DynamoDB","namespace":"aws","start_time":1478293361.1,"end_time":1478293361.2,)"
      R"("throttle":true,"aws":{"table_name":"orders","operation":"GetItem"}}])";
  server.PutGood({segment.Json()});
  const std::string answer = Summaries(server);
  ASSERT_EQ(CountAt(answer, "/TraceSummaries"), 1);
  const std::string summary = At(answer, "/TraceSummaries/0");
  EXPECT_EQ(At(summary, "/Id"), segment.trace_id);
  EXPECT_EQ(At(summary, "/StartTime"), "1478293361");
  EXPECT_EQ(At(summary, "/Duration"), "0.5");
  EXPECT_EQ(At(summary, "/ResponseTime"), "0.5");
  EXPECT_EQ(At(summary, "/HasFault"), "false");
  EXPECT_EQ(At(summary, "/HasError"), "true");
  EXPECT_EQ(At(summary, "/HasThrottle"), "true");
  EXPECT_EQ(At(summary, "/IsPartial"), "false");
  EXPECT_EQ(
      At(summary, "/Http"),
      R"({"HttpURL":"https://shop/cart","HttpStatus":404,"HttpMethod":"GET","UserAgent":"curl","ClientIp":"1.2.3.4"})");
  const std::string shop =
      R"({"Name":"shop","Names":["shop"],"AccountId":"123456789012","Type":"AWS::EC2::Instance"})";
  EXPECT_EQ(At(summary, "/Annotations/tier"),
            R"([{"AnnotationValue":{"StringValue":"gold"},"ServiceIds":[)" + shop + "]}]");
  EXPECT_EQ(At(summary, "/Annotations/attempt/0/AnnotationValue"), R"({"NumberValue":2})");
  EXPECT_EQ(At(summary, "/Annotations/cached/0/AnnotationValue"), R"({"BooleanValue":false})");
  EXPECT_EQ(At(summary, "/Users"), R"([{"UserName":"mira","ServiceIds":[)" + shop + "]}]");
  EXPECT_EQ(CountAt(summary, "/ServiceIds"), 2);
  EXPECT_THAT(At(summary, "/ServiceIds"), HasSubstr(shop));
  EXPECT_THAT(At(summary, "/ServiceIds"), HasSubstr(R"("Name":"orders")"));
  EXPECT_EQ(At(summary, "/ResourceARNs"),
            R"([{"ARN":"arn:aws:ec2:us-east-1:123456789012:instance/i-1"}])");
  EXPECT_EQ(At(summary, "/InstanceIds"), R"([{"Id":"i-1"}])");
  EXPECT_EQ(At(summary, "/AvailabilityZones"), R"([{"Name":"us-east-1a"}])");
  EXPECT_EQ(At(summary, "/EntryPoint"), shop);
  EXPECT_EQ(CountAt(summary, "/FaultRootCauses"), 0);
  EXPECT_GE(CountAt(summary, "/ErrorRootCauses"), 1);
  EXPECT_EQ(At(summary, "/ErrorRootCauses/0/ClientImpacting"), "true");
  EXPECT_EQ(CountAt(summary, "/ResponseTimeRootCauses"), 1);
  EXPECT_EQ(At(summary, "/ResponseTimeRootCauses/0/Services/0/EntityPath/0/Coverage"), "1");
  EXPECT_EQ(At(summary, "/MatchedEventTime"), "<absent>");
  EXPECT_EQ(At(answer, "/TracesProcessedCount"), "1");
  EXPECT_EQ(At(answer, "/ApproximateTime"), "1478293361");
}

TEST(GetTraceSummaries, AnEmptyAnswerHasItsMembers) {
  TestServer server;
  EXPECT_EQ(Summaries(server),
            R"({"TraceSummaries":[],"ApproximateTime":1478293361,"TracesProcessedCount":0})");
}

TEST(GetTraceSummaries, ATraceWithoutDataHasEmptyObjects) {
  TestServer server;
  server.PutGood({SegmentText{}.Json()});
  const std::string summary = At(Summaries(server), "/TraceSummaries/0");
  EXPECT_EQ(At(summary, "/Http"), "{}");
  EXPECT_EQ(At(summary, "/Annotations"), "{}");
  EXPECT_EQ(At(summary, "/Users"), "[]");
  EXPECT_EQ(At(summary, "/Revision"), "1");
}

TEST(GetTraceSummaries, WindowIsHalfOpenAndMustBeOne) {
  TestServer server;
  server.PutGood({SegmentText{}.Json()});
  EXPECT_EQ(CountAt(Summaries(server, "", R"("StartTime":1478293360,"EndTime":1478293361)"),
                    "/TraceSummaries"),
            0);
  EXPECT_EQ(CountAt(Summaries(server, "", R"("StartTime":1478293361,"EndTime":1478293361.001)"),
                    "/TraceSummaries"),
            1);
  for (const char* window : {R"({"StartTime":2,"EndTime":2})", R"({"StartTime":2,"EndTime":1})"}) {
    EXPECT_EQ(server.Send("/TraceSummaries", window).status, 400);
  }
}

TEST(GetTraceSummaries, LongWindowsNeedQuotasOff) {
  const std::string day = R"({"StartTime":1478000000,"EndTime":1478086400})";
  const std::string more = R"({"StartTime":1478000000,"EndTime":1478086401})";
  TestServer open;
  EXPECT_EQ(open.Send("/TraceSummaries", more).status, 200);
  TestServer strict({.aws_quotas = true});
  EXPECT_EQ(strict.Send("/TraceSummaries", day).status, 200);
  EXPECT_EQ(strict.Send("/TraceSummaries", more).status, 400);
}

TEST(GetTraceSummaries, PagesHoldAHundredNewestFirst) {
  TestServer server;
  PutNumbered(server, 250);
  const std::string first = Summaries(server);
  EXPECT_EQ(CountAt(first, "/TraceSummaries"), 100);
  EXPECT_EQ(At(first, "/TraceSummaries/0/Id"), NumberedTraceId(250));
  EXPECT_EQ(At(first, "/ApproximateTime"), "1478293361.151");
  EXPECT_EQ(At(first, "/TracesProcessedCount"), "100");
  int pages = 0;
  const std::vector<std::string> ids = AllIds(server, "", &pages);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(ids.size(), 250U);
  for (unsigned i = 0; i < 250; ++i) EXPECT_EQ(ids[i], NumberedTraceId(250 - i));
}

TEST(GetTraceSummaries, TokensAreBoundToTheQuestion) {
  TestServer server;
  PutNumbered(server, 101);
  const std::string token = At(Summaries(server), "/NextToken");
  const std::string with_token = R"(,"NextToken":")" + token + "\"";
  EXPECT_EQ(
      server
          .Send("/TraceSummaries", "{" + kWindow + R"(,"FilterExpression":"ok")" + with_token + "}")
          .status,
      400);
  EXPECT_EQ(server
                .Send("/TraceSummaries",
                      R"({"StartTime":1478293361,"EndTime":1478293363)" + with_token + "}")
                .status,
            400);
  EXPECT_EQ(
      server
          .Send("/TraceSummaries", "{" + kWindow + R"(,"TimeRangeType":"Event")" + with_token + "}")
          .status,
      400);
  EXPECT_EQ(
      server
          .Send("/TraceSummaries",
                "{" + kWindow +
                    R"(,"Sampling":true,"SamplingStrategy":{"Name":"FixedRate","Value":0.5})" +
                    with_token + "}")
          .status,
      200)
      << "Grafana halves the rate between pages";
}

TEST(GetTraceSummaries, FixedRateDrawsTheSameTracesEachTime) {
  TestServer server;
  PutNumbered(server, 400);
  const auto drawn = [&](const char* value) {
    return AllIds(
        server, std::string(R"(,"Sampling":true,"SamplingStrategy":{"Name":"FixedRate","Value":)") +
                    value + "}");
  };
  const std::vector<std::string> half = drawn("0.5");
  EXPECT_GT(half.size(), 140U);
  EXPECT_LT(half.size(), 260U);
  EXPECT_EQ(half, drawn("0.5"));
  const std::vector<std::string> quarter = drawn("0.25");
  EXPECT_TRUE(std::includes(half.rbegin(), half.rend(), quarter.rbegin(), quarter.rend()));
  EXPECT_EQ(drawn("1").size(), 400U);
  EXPECT_EQ(drawn("2").size(), 400U);
  EXPECT_EQ(drawn("0").size(), 0U);
  EXPECT_EQ(AllIds(server, R"(,"Sampling":true)").size(), 400U);
  EXPECT_EQ(AllIds(server, R"(,"Sampling":false,"SamplingStrategy":{"Name":"FixedRate","Value":0})")
                .size(),
            400U);
}

TEST(GetTraceSummaries, PartialScanExaminesAShareOnly) {
  TestServer server;
  PutNumbered(server, 200);
  const auto scan = [&](const char* strategy) {
    return Summaries(server, std::string(R"(,"Sampling":true,"SamplingStrategy":)") + strategy);
  };
  const std::string tenth = scan(R"({"Name":"PartialScan"})");
  EXPECT_EQ(At(tenth, "/TracesProcessedCount"), "20");
  EXPECT_EQ(CountAt(tenth, "/TraceSummaries"), 20);
  EXPECT_EQ(At(tenth, "/TraceSummaries/0/Id"), NumberedTraceId(200));
  EXPECT_EQ(At(tenth, "/NextToken"), "<absent>");
  EXPECT_EQ(At(tenth, "/ApproximateTime"), "1478293361.181");
  EXPECT_EQ(
      AllIds(server, R"(,"Sampling":true,"SamplingStrategy":{"Name":"PartialScan","Value":0.75})")
          .size(),
      150U);
  EXPECT_EQ(CountAt(scan(R"({"Name":"PartialScan","Value":0})"), "/TraceSummaries"), 0);
}

TEST(GetTraceSummaries, TimeRangeTypesChooseTheInstant) {
  TestServer server;
  SegmentText segment;
  segment.start = 1478293350;
  segment.end = 1478293370;
  server.PutGood({segment.Json()});
  const auto count = [&](const char* type, const char* window) {
    return CountAt(Summaries(server, std::string(R"(,"TimeRangeType":")") + type + "\"", window),
                   "/TraceSummaries");
  };
  const char* at_start = R"("StartTime":1478293349,"EndTime":1478293351)";
  const char* inside = R"("StartTime":1478293359,"EndTime":1478293361)";
  const char* at_end = R"("StartTime":1478293369,"EndTime":1478293371)";
  EXPECT_EQ(count("TraceId", at_start), 1);
  EXPECT_EQ(count("TraceId", inside), 0);
  EXPECT_EQ(count("TraceId", at_end), 0);
  EXPECT_EQ(count("Event", at_start), 1);
  EXPECT_EQ(count("Event", inside), 1);
  EXPECT_EQ(count("Event", at_end), 1);
  EXPECT_EQ(count("Service", at_start), 0);
  EXPECT_EQ(count("Service", inside), 0);
  EXPECT_EQ(count("Service", at_end), 1);
  EXPECT_EQ(At(Summaries(server, R"(,"TimeRangeType":"Event")", inside),
               "/TraceSummaries/0/MatchedEventTime"),
            "1478293370");
}

TEST(GetTraceSummaries, OldIdsAreFoundByTheTimeOfTheirSegments) {
  TestServer server;
  SegmentText segment;
  segment.trace_id = "1-4efaaf4d-1e8720b39541901950019ee5";
  server.PutGood({segment.Json()});
  EXPECT_EQ(At(Summaries(server), "/TraceSummaries/0/Id"), segment.trace_id);
}

TEST(GetTraceSummaries, FiltersAndSaysWhereOneIsWrong) {
  TestServer server;
  PutNumbered(server, 5);
  SegmentText failed;
  failed.trace_id = NumberedTraceId(77);
  failed.more = R"(,"fault":true)";
  server.PutGood({failed.Json()});
  const std::string faults = Summaries(server, R"(,"FilterExpression":"fault")");
  EXPECT_EQ(CountAt(faults, "/TraceSummaries"), 1);
  EXPECT_EQ(At(faults, "/TraceSummaries/0/Id"), NumberedTraceId(77));
  EXPECT_EQ(CountAt(Summaries(server, R"(,"FilterExpression":"")"), "/TraceSummaries"), 6);
  EXPECT_EQ(CountAt(Summaries(server,
                              R"(,"FilterExpression":"service(\"shop\") AND responsetime > 0.1")"),
                    "/TraceSummaries"),
            1);
  const net::HttpResponse wrong =
      server.Send("/TraceSummaries", "{" + kWindow + R"(,"FilterExpression":"responsetme > 5"})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(At(wrong.body, "/__type"), "InvalidRequestException");
  EXPECT_THAT(At(wrong.body, "/Message"), HasSubstr("Invalid input symbol at position 1"));
}

TEST(GetTraceSummaries, TheFiftyFirstAnnotationIsNotIndexed) {
  TestServer server;
  SegmentText segment;
  segment.more = R"(,"annotations":{"a0":0)";
  for (int i = 1; i <= 50; ++i)
    segment.more += ",\"a" + std::to_string(i) + "\":" + std::to_string(i);
  segment.more += "}";
  server.PutGood({segment.Json()});
  const std::string answer = Summaries(server);
  EXPECT_EQ(CountAt(answer, "/TraceSummaries/0/Annotations"), 50);
  EXPECT_EQ(At(answer, "/TraceSummaries/0/Annotations/a50"), "<absent>");
  const std::string traces =
      server.Call("/Traces", R"({"TraceIds":[")" + segment.trace_id + R"("]})");
  EXPECT_EQ(At(At(traces, "/Traces/0/Segments/0/Document"), "/annotations/a50"), "50");
}

}  // namespace
}  // namespace fluoro::api::xray
