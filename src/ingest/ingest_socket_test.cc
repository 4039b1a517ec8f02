// The receivers behind real sockets.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <latch>

#include "ingest/otlp_grpc.h"
#include "ingest/otlp_http.h"
#include "ingest/recording_store_for_test.h"
#include "ingest/samples_for_test.h"
#include "net/compress_for_test.h"
#include "net/grpc_server.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/raw_client_for_test.h"
#include "net/udp_receiver.h"

namespace fluoro::ingest {
namespace {

using ::testing::HasSubstr;

class SocketsTest : public ::testing::Test {
 protected:
  RecordingStore store_;
  ManualClock clock_{1'478'293'361'271'000'000};
  Metrics metrics_;
  Pipeline pipeline_{store_, clock_, metrics_, {}};

  std::unique_ptr<net::HttpServer> ServeHttp(net::HttpServerOptions options = {}) {
    options.address = "127.0.0.1:0";
    options.name = "otlp_http";
    auto server = net::HttpServer::Start(options, MakeOtlpHttpHandler(pipeline_),
                                         MakeOtlpHttpErrorAnswer(), metrics_);
    EXPECT_TRUE(server) << server.error().message;
    return *std::move(server);
  }
  static net::HttpResponse Post(const net::HttpServer& server, std::string body,
                                const std::string& encoding) {
    net::HttpCall call{.method = "POST", .url = "http://" + server.address() + "/v1/traces"};
    call.headers["content-type"] = "application/x-protobuf";
    if (!encoding.empty()) call.headers["content-encoding"] = encoding;
    call.body = std::move(body);
    auto answer = net::Call(call);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *std::move(answer) : net::HttpResponse{.status = 0};
  }
};

TEST_F(SocketsTest, OtlpHttpTakesEveryEncoding) {
  const auto server = ServeHttp();
  const std::string body = OtlpProtobuf();
  EXPECT_EQ(Post(*server, body, "").status, 200);
  EXPECT_EQ(Post(*server, net::Gzip(body), "gzip").status, 200);
  EXPECT_EQ(Post(*server, net::Deflate(body, 15), "deflate").status, 200);
  EXPECT_EQ(Post(*server, net::Zstd(body), "zstd").status, 200);
  EXPECT_EQ(store_.SpansCount(), 4U);
  const auto unknown = Post(*server, body, "br");
  EXPECT_EQ(unknown.status, 415);
  EXPECT_EQ(unknown.headers.at("content-type"), "application/x-protobuf");
}

TEST_F(SocketsTest, OtlpHttpAnswers413BeforeAndAfterInflation) {
  const auto server = ServeHttp({.body_bytes_max = 10'000});
  EXPECT_EQ(Post(*server, std::string(10'001, '\0'), "").status, 413);
  const auto inflated = Post(*server, net::Gzip(std::string(10'001, '\0')), "gzip");
  EXPECT_EQ(inflated.status, 413);
  EXPECT_THAT(inflated.body, ::testing::StartsWith("\x08\x08\x12")) << "RESOURCE_EXHAUSTED";
}

TEST_F(SocketsTest, NothingIsStoredOfARequestCutAnywhere) {
  const auto server = ServeHttp();
  const std::string body = OtlpProtobuf();
  const std::string request =
      "POST /v1/traces HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-protobuf\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    net::RawClient client(server->address());
    client.Send(std::string_view(request).substr(0, cut));
    client.EndSending();
    EXPECT_EQ(client.ReadAll(), "") << "cut at " << cut;
  }
  EXPECT_EQ(store_.SpansCount(), 0U);
  net::RawClient client(server->address());
  client.Send(request);
  EXPECT_EQ(net::StatusOf(client.ReadAnswer()), 200);
  EXPECT_EQ(store_.SpansCount(), 1U);
}

TEST_F(SocketsTest, GrpcExports) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the distribution's libgrpc is not instrumented: every lock in it looks absent";
#endif
  const auto server =
      *net::GrpcServer::Start({.address = "127.0.0.1:0"}, MakeOtlpGrpcHandler(pipeline_), metrics_);
  const auto channel = grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials());
  const auto call = [&](const std::string& method, std::string_view body) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    const grpc::Slice slice(body.data(), body.size());
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status result;
    std::latch done(1);
    stub.UnaryCall(&context, method, {}, &request, &response, [&](grpc::Status status) {
      result = std::move(status);
      done.count_down();
    });
    done.wait();
    return result;
  };
  const std::string service = "/opentelemetry.proto.collector.trace.v1.TraceService/";
  EXPECT_TRUE(call(service + "Export", OtlpProtobuf()).ok());
  EXPECT_EQ(store_.SpansCount(), 1U);
  const grpc::Status bad = call(service + "Export", "\xff\xff\xff");
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(bad.error_message(), HasSubstr("byte"));
  EXPECT_TRUE(call("/opentelemetry.proto.collector.logs.v1.LogsService/Export", "").ok());
  EXPECT_EQ(
      call("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "").error_code(),
      grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(SocketsTest, DatagramsAreStoredOrCounted) {
  auto receiver = *net::UdpReceiver::Start(
      {.address = "127.0.0.1:0"},
      [this](std::span<const std::string_view> datagrams) { pipeline_.PutDatagrams(datagrams); },
      metrics_);
  const net::Fd sender(::socket(AF_INET, SOCK_DGRAM, 0));
  const sockaddr_in target = net::LoopbackOf(receiver->address());
  const std::vector<std::string> datagrams = {DatagramOf(SegmentDocument(1)),
                                              "",
                                              "x",
                                              DatagramOf(std::string(63 << 10, 'x')),
                                              std::string(65'507, '{'),
                                              DatagramOf(SegmentDocument(2)),
                                              DatagramOf("\xff\xfe"),
                                              "T1S"};
  for (const std::string& one : datagrams) {
    ::sendto(sender.get(), one.data(), one.size(), 0, reinterpret_cast<const sockaddr*>(&target),
             sizeof target);
  }
  receiver->Stop();
  EXPECT_EQ(store_.SpansCount(), 2U);
  char answer[16];
  EXPECT_EQ(::recv(sender.get(), answer, sizeof answer, MSG_DONTWAIT), -1) << "never answered";
}

}  // namespace
}  // namespace fluoro::ingest
