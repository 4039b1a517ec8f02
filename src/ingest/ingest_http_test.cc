#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/otlp/otlp.h"
#include "ingest/otlp_grpc.h"
#include "ingest/otlp_http.h"
#include "ingest/recording_store_for_test.h"
#include "ingest/samples_for_test.h"
#include "ingest/zipkin_http.h"
#include "model/log_record.h"

namespace fluoro::ingest {
namespace {

using codec::otlp::Encoding;
using ::testing::HasSubstr;

constexpr const char* kProtobuf = "application/x-protobuf";
constexpr const char* kJson = "application/json";

class HandlersTest : public ::testing::Test {
 protected:
  RecordingStore store_;
  ManualClock clock_{1'478'293'361'271'000'000};
  Metrics metrics_;
  Pipeline pipeline_{store_, clock_, metrics_, {}};
  net::HttpHandler otlp_ = MakeOtlpHttpHandler(pipeline_);
  net::HttpHandler zipkin_ = MakeZipkinHttpHandler(pipeline_);
  net::GrpcHandler grpc_ = MakeOtlpGrpcHandler(pipeline_);

  net::HttpResponse Post(const std::string& type, std::string_view body,
                         const std::string& path = "/v1/traces") {
    net::HttpRequest request;
    request.method = "POST";
    request.path = path;
    if (!type.empty()) request.headers["content-type"] = type;
    request.body = body;
    return path == "/v1/traces" ? otlp_(std::move(request)) : zipkin_(std::move(request));
  }
  net::GrpcAnswer Export(std::string_view body) {
    return grpc_({"/opentelemetry.proto.collector.trace.v1.TraceService/Export", body, "peer", ""});
  }
};

TEST_F(HandlersTest, OtlpHttpAnswersInTheRequestsEncoding) {
  const auto protobuf = Post(kProtobuf, OtlpProtobuf());
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_EQ(protobuf.headers.at("content-type"), kProtobuf);
  EXPECT_EQ(protobuf.body, "");
  const auto json = Post("Application/JSON; charset=utf-8", kOtlpJson);
  EXPECT_EQ(json.status, 200);
  EXPECT_EQ(json.headers.at("content-type"), kJson);
  EXPECT_EQ(json.body, "{}");
  EXPECT_EQ(store_.SpansCount(), 2U);
  EXPECT_EQ(Post(kProtobuf, "").status, 200) << "an empty request is a success";
  EXPECT_EQ(Post(kProtobuf, "").body, "");
}

TEST_F(HandlersTest, OtlpHttpTakesTracesWhereSdksOfLangfuseAndLangSmithSendThem) {
  for (const char* const path : {"/api/public/otel/v1/traces", "/otel/v1/traces"}) {
    net::HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.headers["content-type"] = kProtobuf;
    const std::string body = OtlpProtobuf();
    request.body = body;
    EXPECT_EQ(otlp_(std::move(request)).status, 200) << path;
  }
  EXPECT_EQ(store_.SpansCount(), 2U);
}

TEST_F(HandlersTest, OtlpHttpReportsPartialSuccess) {
  const auto answer = Post(kJson, kOtlpJsonHalfGood);
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":")"));
  EXPECT_EQ(store_.SpansCount(), 1U);
}

TEST_F(HandlersTest, OtlpHttpAnswersBadDataWithAStatus) {
  const std::string whole = OtlpProtobuf();
  const auto cut = Post(kProtobuf, std::string_view(whole).substr(0, 100));
  EXPECT_EQ(cut.status, 400);
  EXPECT_EQ(cut.headers.at("content-type"), kProtobuf);
  EXPECT_THAT(cut.body, ::testing::StartsWith("\x08\x03\x12")) << "code 3 and a message";
  const auto json = Post(kJson, R"({"resourceSpans":[)");
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json.headers.at("content-type"), kJson);
  EXPECT_THAT(json.body, HasSubstr("\"code\":3"));
  EXPECT_EQ(store_.SpansCount(), 0U);
}

TEST_F(HandlersTest, OtlpHttpAnswersDeepNestingWith400) {
  std::string value = R"({"stringValue":"x"})";
  for (int i = 0; i < 100; ++i) value = R"({"arrayValue":{"values":[)" + value + "]}}";
  const auto answer =
      Post(kJson, R"({"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":)" + value +
                      R"(}]},"scopeSpans":[]}]})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("64"));
}

TEST_F(HandlersTest, OtlpHttpRefusesOtherContentTypes) {
  for (const char* type : {"", "text/plain", "application/grpc", "application/octet-stream"}) {
    const auto answer = Post(type, OtlpProtobuf());
    EXPECT_EQ(answer.status, 415) << type;
    EXPECT_THAT(answer.body, HasSubstr("application/x-protobuf"));
  }
  EXPECT_EQ(store_.SpansCount(), 0U);
}

TEST_F(HandlersTest, OtlpHttpAnswersRetryableFailuresWith503) {
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kNoSpace, ErrorCode::kIo, ErrorCode::kInternal}) {
    store_.failure = Error{code, "not now"};
    const auto answer = Post(kJson, kOtlpJson);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
    EXPECT_EQ(answer.body, codec::otlp::EncodeStatus(14, "not now", kNsPerSecond, Encoding::kJson));
  }
}

TEST_F(HandlersTest, OtlpHttpAnswersPreflightAndOtherMethods) {
  net::HttpRequest preflight;
  preflight.method = "OPTIONS";
  preflight.path = "/v1/traces";
  preflight.headers["access-control-request-headers"] = "content-type,x-my-header";
  const auto allowed = otlp_(net::HttpRequest(preflight));
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(allowed.headers.at("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_EQ(allowed.headers.at("access-control-allow-headers"), "content-type,x-my-header");
  preflight.headers["access-control-request-headers"] = "a\r\nb: c";
  EXPECT_THAT(otlp_(net::HttpRequest(preflight)).headers.at("access-control-allow-headers"),
              HasSubstr("traceparent"));
  preflight.method = "GET";
  EXPECT_EQ(otlp_(net::HttpRequest(preflight)).status, 405);
  preflight.path = "/v1/metrics";
  preflight.method = "POST";
  EXPECT_EQ(otlp_(net::HttpRequest(preflight)).status, 404);
  EXPECT_EQ(Post(kJson, kOtlpJson).headers.at("access-control-allow-origin"), "*");
}

TEST_F(HandlersTest, OtlpErrorAnswersCarryAStatus) {
  const net::HttpErrorAnswer answer = MakeOtlpHttpErrorAnswer();
  net::HttpRequest head;
  head.headers["content-type"] = kProtobuf;
  const auto large = answer(head, 413, "too large");
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.headers.at("content-type"), kProtobuf);
  EXPECT_EQ(large.body, codec::otlp::EncodeStatus(8, "too large", {}, Encoding::kProtobuf));
  EXPECT_FALSE(large.headers.contains("retry-after"));
  const auto busy = answer({}, 503, "busy");
  EXPECT_EQ(busy.headers.at("content-type"), kJson);
  EXPECT_EQ(busy.headers.at("retry-after"), "1");
  EXPECT_EQ(busy.body, codec::otlp::EncodeStatus(14, "busy", kNsPerSecond, Encoding::kJson));
}

TEST_F(HandlersTest, GrpcExportsTracesAndLogsOnly) {
  EXPECT_EQ(Export(OtlpProtobuf()).code, 0);
  EXPECT_EQ(Export("").code, 0);
  EXPECT_EQ(Export("").body, "");
  EXPECT_EQ(store_.SpansCount(), 1U);
  EXPECT_EQ(
      grpc_({"/opentelemetry.proto.collector.logs.v1.LogsService/Export", "", "peer", ""}).code, 0);
  for (const char* method : {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                             "/opentelemetry.proto.collector.logs.v1.LogsService/Other",
                             "/opentelemetry.proto.collector.trace.v1.TraceService/Other", ""}) {
    EXPECT_EQ(grpc_({method, "", "peer", ""}).code, 12) << method;
  }
}

TEST_F(HandlersTest, LogRecordsAreStoredAndOnesWithoutASpanToldOf) {
  const std::string body =
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[)"
      R"({"timeUnixNano":"1478293361271000000","eventName":"gen_ai.choice","traceId":"581cf771a006649127e371903a2de979","spanId":"0000000000000001"},)"
      R"({"timeUnixNano":"1478293361271000000","body":{"stringValue":"of no span"}}]}]}]})";
  net::HttpRequest request;
  request.method = "POST";
  request.path = "/v1/logs";
  request.headers["content-type"] = "application/json";
  request.body = body;
  const net::HttpResponse answer = otlp_(std::move(request));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("rejectedLogRecords":"1")"));
  EXPECT_THAT(answer.body, HasSubstr("trace_id and span_id"));
  const auto batches = store_.Take();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].durability, store::Durability::kSynced);
  EXPECT_TRUE(model::IsLogRecord(batches[0].spans.MakeSpan(0)));
}

TEST_F(HandlersTest, GrpcTellsBadDataFromOverload) {
  const auto bad = Export("\xff\xff\xff");
  EXPECT_EQ(bad.code, 3);
  EXPECT_EQ(bad.status_details, codec::otlp::EncodeStatus(3, bad.message, {}, Encoding::kProtobuf));
  store_.failure = Error{ErrorCode::kUnavailable, "busy"};
  const auto busy = Export(OtlpProtobuf());
  EXPECT_EQ(busy.code, 14);
  EXPECT_EQ(busy.status_details,
            codec::otlp::EncodeStatus(14, "busy", kNsPerSecond, Encoding::kProtobuf));
  EXPECT_THAT(MakeOtlpOverloadDetails(), HasSubstr("google.rpc.RetryInfo"));
}

TEST_F(HandlersTest, ZipkinAccepts) {
  const auto accepted = Post(kJson, kZipkinV2, "/api/v2/spans");
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.body, "");
  EXPECT_EQ(Post("", "[]", "/api/v1/spans").status, 202);
  EXPECT_EQ(store_.SpansCount(), 1U);
}

TEST_F(HandlersTest, ZipkinSaysWhereBadJsonIs) {
  const auto bad = Post(kJson, R"([{"traceId":"zz","id":"bd7a977555f6b982"}])", "/api/v2/spans");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(bad.body, HasSubstr("byte"));
  EXPECT_THAT(bad.body, HasSubstr("traceId"));
  EXPECT_THAT(bad.body, ::testing::EndsWith("\n"));
  EXPECT_EQ(Post(kJson, "[", "/api/v1/spans").status, 400);
  EXPECT_EQ(Post("application/x-thrift", "x", "/api/v1/spans").status, 415);
  store_.failure = Error{ErrorCode::kNoSpace, "full"};
  const auto full = Post(kJson, kZipkinV2, "/api/v2/spans");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.headers.at("retry-after"), "1");
}

}  // namespace
}  // namespace fluoro::ingest
