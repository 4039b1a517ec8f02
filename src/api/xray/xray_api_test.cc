// Routing, errors, PutTraceSegments and BatchGetTraces.
#include "api/xray/xray_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "api/xray/shape.h"
#include "api/xray/test_server.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

using testing::HasSubstr;

const std::string kTraceId = "1-581cf771-a006649127e371903a2de979";
const std::string kMinimal =
    R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,"trace_id":"1-581cf771-a006649127e371903a2de979",)"
    R"("end_time":1.478293361449E9})";
const std::string kInProgress =
    R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,"trace_id":"1-581cf771-a006649127e371903a2de979",)"
    R"("in_progress":true})";
const std::string kIndependent =
    R"({"name":"api","id":"53995c3f42cd8ad8","start_time":1478293361.3,"end_time":1478293361.4,"type":"subsegment",)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":"70de5b6f19ff9a0a","namespace":"remote",)"
    R"("http":{"request":{"url":"https://api/health","method":"GET"},"response":{"status":200}}})";

std::string GetTraces(TestServer& server, const std::string& id = kTraceId) {
  return server.Call("/Traces", R"({"TraceIds":[")" + id + R"("]})");
}

const std::string kWindow = R"("StartTime":1478293361,"EndTime":1478293362)";

TEST(XRayApi, EveryAnswerHasARequestIdOfItsOwn) {
  TestServer server;
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> ids;
  for (const char* path : {"/GetSamplingRules", "/Traces", "/Nowhere"}) {
    const net::HttpResponse response = server.Send(path, "");
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
    EXPECT_TRUE(std::regex_match(response.headers.at("x-amzn-requestid"), uuid));
    ids.insert(response.headers.at("x-amzn-requestid"));
  }
  EXPECT_EQ(ids.size(), 3U);
}

TEST(XRayApi, ErrorsHaveXRaysForm) {
  TestServer server;
  const net::HttpResponse response = server.Send("/Traces", "{}");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.headers.at("x-amzn-errortype"), "InvalidRequestException");
  EXPECT_EQ(
      response.body,
      R"({"__type":"InvalidRequestException","Message":"1 validation error detected: Value at 'traceIds' failed to )"
      R"(satisfy constraint: Member must not be null"})");
}

TEST(XRayApi, UnknownOperationsAreNotFound) {
  TestServer server;
  for (const auto& [method, path] : {std::pair("POST", "/Nowhere"), std::pair("GET", "/Traces"),
                                     std::pair("POST", "/BatchGetTraces")}) {
    const net::HttpResponse response = server.Send(path, "{}", method);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.headers.at("x-amzn-errortype"), "UnknownOperationException") << path;
  }
  EXPECT_TRUE(XRayApi::HasPath("/CreateGroup"));
  EXPECT_TRUE(XRayApi::HasPath("/TraceSegments"));
  EXPECT_FALSE(XRayApi::HasPath("/traces"));
  EXPECT_FALSE(XRayApi::HasPath("/Traces/"));
}

TEST(XRayApi, RequestsAreCountedByOperationAndStatus) {
  TestServer server;
  server.Send("/GetSamplingRules", "");
  server.Send("/any/" + std::string(100, 'x'), "");
  EXPECT_THAT(
      server.metrics().Render(),
      HasSubstr(R"(fluoro_xray_api_requests_total{operation="GetSamplingRules",status="200"} 1)"));
  EXPECT_THAT(server.metrics().Render(),
              HasSubstr(R"(fluoro_xray_api_requests_total{operation="unknown",status="404"} 1)"));
}

TEST(XRayApi, AClosedStoreThrottles) {
  TestServer server;
  ASSERT_TRUE(server.store().Close());
  const net::HttpResponse response =
      server.Send("/TraceSegments", R"({"TraceSegmentDocuments":[)" + std::string(R"("{}"]})"));
  EXPECT_EQ(response.status, 200) << "nothing to store";
  JsonWriter body;
  body.BeginObject()
      .Key("TraceSegmentDocuments")
      .BeginArray()
      .String(kMinimal)
      .EndArray()
      .EndObject();
  const net::HttpResponse refused = server.Send("/TraceSegments", body.Take());
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body, R"({"__type":"ThrottledException","Message":"Rate exceeded"})");
}

TEST(XRayApi, SegmentsBeyondTheRateAreThrottled) {
  TestServer server({.segments_per_second = 3});
  const auto put = [&](int documents) {
    JsonWriter body;
    body.BeginObject().Key("TraceSegmentDocuments").BeginArray();
    for (int i = 0; i < documents; ++i) body.String(kMinimal);
    return server.Send("/TraceSegments", body.EndArray().EndObject().Take()).status;
  };
  EXPECT_EQ(put(2), 200);
  EXPECT_EQ(put(2), 429);
  EXPECT_EQ(put(1), 200);
  EXPECT_EQ(put(1), 429);
  server.clock().Advance(kNsPerSecond);
  EXPECT_EQ(put(9), 200) << "more than fits at all passes when there is most room";
  server.clock().Advance(2 * kNsPerSecond);
  EXPECT_EQ(put(1), 429) << "and is paid back";
  server.clock().Advance(kNsPerSecond);
  EXPECT_EQ(put(1), 200);
  EXPECT_THAT(server.metrics().Render(), HasSubstr("fluoro_xray_throttled_segments_total 4"));
}

TEST(XRayApi, AFullDiskThrottlesUntilThereIsSpace) {
  TestServer server;
  JsonWriter writer;
  writer.BeginObject()
      .Key("TraceSegmentDocuments")
      .BeginArray()
      .String(kMinimal)
      .EndArray()
      .EndObject();
  const std::string body = writer.Take();
  server.disk().SetCapacity(1);
  const net::HttpResponse refused = server.Send("/TraceSegments", body);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("x-amzn-errortype"), "ThrottledException");
  EXPECT_EQ(server.Send("/TraceSummaries", "{" + kWindow + "}").status, 200) << "reading goes on";
  server.disk().SetCapacity(UINT64_MAX);
  EXPECT_EQ(server.Send("/TraceSegments", body).status, 200);
}

TEST(XRayApi, AFailingDiskIsServiceUnavailable) {
  TestServer server;
  JsonWriter body;
  body.BeginObject()
      .Key("TraceSegmentDocuments")
      .BeginArray()
      .String(kMinimal)
      .EndArray()
      .EndObject();
  server.disk().FailSync(1);
  const net::HttpResponse refused = server.Send("/TraceSegments", body.Take());
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body, R"({"__type":"ServiceUnavailable","Message":"Storage failed"})");
}

TEST(XRayApi, AnswersManyThreadsAtOnce) {
  TestServer server;
  const std::vector<std::pair<const char*, std::string>> requests = {
      {"/SamplingTargets",
       R"({"SamplingStatisticsDocuments":[{"RuleName":"Default","ClientID":"0123456789abcdef01234567",)"
       R"("Timestamp":1478293362,"RequestCount":1,"SampledCount":1}]})"},
      {"/ServiceGraph", "{" + kWindow + "}"},
      {"/TraceSummaries", "{" + kWindow + "}"},
      {"/Traces", R"({"TraceIds":[")" + kTraceId + R"("]})"},
      {"/SamplingStatisticSummaries", ""},
  };
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (unsigned i = 0; i < 20; ++i) {
          SegmentText segment;
          segment.trace_id = NumberedTraceId(1 + thread * 100 + i);
          segment.name = "service" + std::to_string(thread * 100 + i);
          JsonWriter body;
          body.BeginObject()
              .Key("TraceSegmentDocuments")
              .BeginArray()
              .String(segment.Json())
              .EndArray()
              .EndObject();
          if (server.Send("/TraceSegments", body.Take()).status != 200) ++failed;
          for (const auto& [path, text] : requests) {
            if (server.Send(path, text).status != 200) ++failed;
          }
        }
      });
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(CountAt(server.Call("/TraceSummaries", "{" + kWindow + "}"), "/TraceSummaries"), 80);
}

TEST(PutTraceSegments, AMinimalSegmentComesBack) {
  TestServer server;
  server.PutGood({kMinimal});
  const std::string traces = GetTraces(server);
  EXPECT_EQ(CountAt(traces, "/Traces"), 1);
  EXPECT_EQ(At(traces, "/Traces/0/Id"), kTraceId);
  EXPECT_EQ(At(traces, "/Traces/0/Duration"), "0.178");
  EXPECT_EQ(At(traces, "/Traces/0/LimitExceeded"), "false");
  EXPECT_EQ(CountAt(traces, "/Traces/0/Segments"), 1);
  EXPECT_EQ(At(traces, "/Traces/0/Segments/0/Id"), "70de5b6f19ff9a0a");
  EXPECT_EQ(CountAt(traces, "/UnprocessedTraceIds"), 0);
  const std::string document = At(traces, "/Traces/0/Segments/0/Document");
  EXPECT_EQ(At(document, "/name"), "example.com");
  EXPECT_EQ(At(document, "/start_time"), "1478293361.271");
}

TEST(PutTraceSegments, ACompleteDocumentReplacesItsInProgressOne) {
  for (const bool complete_first : {false, true}) {
    TestServer server;
    if (complete_first) server.PutGood({kMinimal});
    server.PutGood({kInProgress});
    if (!complete_first) {
      const std::string partial = server.Call("/TraceSummaries", "{" + kWindow + "}");
      EXPECT_EQ(At(partial, "/TraceSummaries/0/IsPartial"), "true");
      server.PutGood({kMinimal});
    }
    const std::string summaries = server.Call("/TraceSummaries", "{" + kWindow + "}");
    EXPECT_EQ(CountAt(summaries, "/TraceSummaries"), 1);
    EXPECT_EQ(At(summaries, "/TraceSummaries/0/IsPartial"), "false");
    EXPECT_EQ(CountAt(GetTraces(server), "/Traces/0/Segments"), 1);
  }
}

TEST(PutTraceSegments, ASubsegmentMayComeBeforeItsParent) {
  TestServer server;
  server.PutGood({kIndependent});
  EXPECT_EQ(At(GetTraces(server), "/Traces/0/Segments/0/Id"), "53995c3f42cd8ad8");
  server.PutGood({kMinimal});
  const std::string traces = GetTraces(server);
  ASSERT_EQ(CountAt(traces, "/Traces/0/Segments"), 2);
  const std::string parent = At(traces, "/Traces/0/Segments/0/Document");
  EXPECT_EQ(At(parent, "/subsegments/0/id"), "53995c3f42cd8ad8");
  EXPECT_EQ(At(parent, "/subsegments/0/type"), "<absent>");
  const std::string inferred = At(traces, "/Traces/0/Segments/1/Document");
  EXPECT_EQ(At(inferred, "/parent_id"), "53995c3f42cd8ad8");
  EXPECT_EQ(At(inferred, "/inferred"), "true");
  EXPECT_EQ(At(inferred, "/origin"), "<absent>");
  EXPECT_EQ(At(inferred, "/id"), At(traces, "/Traces/0/Segments/1/Id"));
}

TEST(PutTraceSegments, BadDocumentsAreNamedAndGoodOnesStored) {
  TestServer server;
  std::string no_id = kMinimal;
  no_id.replace(no_id.find(R"("id":"70de5b6f19ff9a0a",)"), 24, "");
  std::string no_trace = kMinimal;
  no_trace.replace(no_trace.find(R"("trace_id":)"), 49, "");
  std::string no_parent = kIndependent;
  no_parent.replace(no_parent.find(R"("parent_id":"70de5b6f19ff9a0a",)"), 31, "");
  const std::string answer = server.Put({no_id, no_trace, kMinimal, no_parent, "[]", "{"});
  ASSERT_EQ(CountAt(answer, "/UnprocessedTraceSegments"), 5) << answer;
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/0/Id"), "<absent>");
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/0/ErrorCode"), "MissingId");
  EXPECT_THAT(At(answer, "/UnprocessedTraceSegments/0/Message"),
              HasSubstr("Invalid segment. ErrorCode: MissingId"));
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/1/ErrorCode"), "MissingTraceId");
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/1/Id"), "70de5b6f19ff9a0a");
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/2/ErrorCode"), "MissingParentId");
  EXPECT_THAT(At(answer, "/UnprocessedTraceSegments/2/Message"), HasSubstr("Invalid subsegment."));
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/3/ErrorCode"), "MissingId");
  EXPECT_EQ(At(answer, "/UnprocessedTraceSegments/4/ErrorCode"), "ParseError");
  EXPECT_EQ(CountAt(GetTraces(server), "/Traces/0/Segments"), 1);
}

TEST(PutTraceSegments, AnEmptyListIsFine) {
  TestServer server;
  server.PutGood({});
}

TEST(PutTelemetryRecords, CountWhatDaemonsSay) {
  TestServer server;
  EXPECT_EQ(
      server.Call(
          "/TelemetryRecords",
          R"({"TelemetryRecords":[{"Timestamp":1478293361,"SegmentsReceivedCount":5,"SegmentsSentCount":4,)"
          R"("SegmentsSpilloverCount":1,"SegmentsRejectedCount":0,"BackendConnectionErrors":{"TimeoutCount":2,)"
          R"("ConnectionRefusedCount":0,"HTTPCode4XXCount":0,"HTTPCode5XXCount":0,"UnknownHostCount":0,"OtherCount":0}}],)"
          R"("EC2InstanceId":"","Hostname":"","ResourceARN":""})"),
      "{}");
  const std::string metrics = server.metrics().Render();
  EXPECT_THAT(metrics, HasSubstr(R"(fluoro_daemon_segments_total{outcome="received"} 5)"));
  EXPECT_THAT(metrics, HasSubstr(R"(fluoro_daemon_segments_total{outcome="spillover"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(fluoro_daemon_connection_errors_total{kind="timeout"} 2)"));
}

TEST(PutTelemetryRecords, AreCheckedAgainstTheModelAndMakeTenSeriesAtMost) {
  TestServer server;
  const auto call = [&](std::string_view body) {
    return server.Send("/TelemetryRecords", std::string(body));
  };
  const std::pair<std::string_view, std::string_view> bad[] = {
      {R"({})", "telemetryRecords"},
      {R"({"TelemetryRecords":null})", "telemetryRecords"},
      {R"({"TelemetryRecords":[{}]})", "telemetryRecords.1.member.timestamp"},
      {R"({"TelemetryRecords":[null]})", "telemetryRecords.1.member"},
      {R"({"TelemetryRecords":{}})", "must be a list"},
      {R"({"TelemetryRecords":[{"Timestamp":1,"SegmentsSentCount":"5"}]})", "must be an integer"},
      {R"({"TelemetryRecords":[{"Timestamp":1,"SegmentsSentCount":2147483648}]})",
       "must be an integer"},
      {R"({"TelemetryRecords":[{"Timestamp":1,"BackendConnectionErrors":[]}]})",
       "must be an object"},
      {R"({"TelemetryRecords":[],"EC2InstanceId":"123456789012345678901"})", "eC2InstanceId"},
  };
  for (const auto& [body, words] : bad) {
    const auto answer = call(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr(std::string(words))) << body;
  }
  EXPECT_THAT(server.metrics().Render(), ::testing::Not(HasSubstr("fluoro_daemon_")));
  // Names that daemons give themselves are no labels; counts below zero count nothing.
  for (int i = 0; i < 100; ++i) {
    const std::string host = "host-" + std::to_string(i);
    const auto answer = call(
        R"({"TelemetryRecords":[{"Timestamp":1478293361.5,"SegmentsReceivedCount":4,"SegmentsSentCount":3,)"
        R"("SegmentsSpilloverCount":2,"SegmentsRejectedCount":1,"BackendConnectionErrors":{"TimeoutCount":1,)"
        R"("ConnectionRefusedCount":2,"HTTPCode4XXCount":3,"HTTPCode5XXCount":4,"UnknownHostCount":5,"OtherCount":6}},)"
        R"({"Timestamp":1478293361,"SegmentsReceivedCount":-7}],"EC2InstanceId":"","Hostname":")" +
        host + R"(","ResourceARN":"arn:)" + host + "\"}");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body, "{}");
  }
  const std::string metrics = server.metrics().Render();
  for (const char* const series :
       {R"(segments_total{outcome="received"} 400)", R"(segments_total{outcome="sent"} 300)",
        R"(segments_total{outcome="spillover"} 200)", R"(segments_total{outcome="rejected"} 100)",
        R"(connection_errors_total{kind="timeout"} 100)",
        R"(connection_errors_total{kind="refused"} 200)",
        R"(connection_errors_total{kind="http_4xx"} 300)",
        R"(connection_errors_total{kind="http_5xx"} 400)",
        R"(connection_errors_total{kind="unknown_host"} 500)",
        R"(connection_errors_total{kind="other"} 600)"}) {
    EXPECT_THAT(metrics, HasSubstr("fluoro_daemon_" + std::string(series)));
  }
  EXPECT_THAT(metrics, ::testing::Not(HasSubstr("host-")));
}

TEST(BatchGetTraces, UnknownIdsAreUnprocessed) {
  TestServer server;
  server.PutGood({kMinimal});
  const std::string traces = server.Call(
      "/Traces",
      R"({"TraceIds":["1-581cf771-000000000000000000000001","nonsense","581cf771a006649127e371903a2de979"]})");
  EXPECT_EQ(CountAt(traces, "/Traces"), 1);
  EXPECT_EQ(At(traces, "/Traces/0/Id"), kTraceId) << "32 hex digits name the same trace";
  EXPECT_EQ(At(traces, "/UnprocessedTraceIds"),
            R"(["nonsense","1-581cf771-000000000000000000000001"])");
}

TEST(BatchGetTraces, TakesFiveIdsAtMost) {
  TestServer server;
  std::string ids;
  for (unsigned i = 1; i <= 5; ++i) ids += (i == 1 ? "\"" : ",\"") + NumberedTraceId(i) + "\"";
  EXPECT_EQ(
      CountAt(server.Call("/Traces", R"({"TraceIds":[)" + ids + "]}"), "/UnprocessedTraceIds"), 5);
  const net::HttpResponse refused =
      server.Send("/Traces", R"({"TraceIds":[)" + ids + ",\"" + NumberedTraceId(6) + "\"]}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.headers.at("x-amzn-errortype"), "InvalidRequestException");
}

TEST(BatchGetTraces, LargeTracesComeInPages) {
  TestServer server;
  constexpr int kSegments = 400;
  std::vector<std::string> documents;
  const std::string filler(60'000, 'x');
  for (int i = 0; i < kSegments; ++i) {
    SegmentText segment;
    std::ostringstream id;
    id << std::hex << 0x1000000000000000 + i;
    segment.id = id.str();
    segment.more = R"(,"metadata":{"d":{"f":")" + filler + R"("}})";
    documents.push_back(segment.Json());
  }
  server.PutGood(documents);
  std::set<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const std::string body = R"({"TraceIds":[")" + kTraceId + "\"]" +
                             (token.empty() ? "" : R"(,"NextToken":")" + token + "\"") + "}";
    const std::string traces = server.Call("/Traces", body);
    ++pages;
    for (const std::string& id : EachAt(traces, "/Traces/0/Segments", "Id"))
      EXPECT_TRUE(seen.insert(id).second);
    const std::string next = At(traces, "/NextToken");
    EXPECT_NE(next, token);
    token = next == "<absent>" ? "" : next;
  } while (!token.empty() && pages < 10);
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kSegments));
}

TEST(BatchGetTraces, ATokenOfAnotherRequestIsRefused) {
  TestServer server;
  const net::HttpResponse response =
      server.Send("/Traces", R"({"TraceIds":[")" + kTraceId + R"("],"NextToken":"abc"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(At(response.body, "/__type"), "InvalidRequestException");
}

TEST(BatchGetTraces, DocumentsOfTheGuideComeBackWhole) {
  const std::filesystem::path folder = "../shared/data/xray/segments";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  int stored = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(file.path()).rdbuf();
    TestServer server;
    const std::string answer = server.Put({text.str()});
    if (CountAt(answer, "/UnprocessedTraceSegments") > 0) continue;
    ++stored;
    const std::string id = At(text.str(), "/trace_id");
    const std::string traces = GetTraces(server, id);
    EXPECT_EQ(CountAt(traces, "/Traces"), 1) << file.path();
    server.Call("/TraceGraph", R"({"TraceIds":[")" + id + R"("]})");
    server.Call("/TraceSummaries", R"({"StartTime":0,"EndTime":2000000000})");
    server.Call("/ServiceGraph", R"({"StartTime":0,"EndTime":2000000000})");
  }
  EXPECT_GE(stored, 10);
}

}  // namespace
}  // namespace fluoro::api::xray
