#include "net/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <latch>
#include <thread>

#include "net/certificate_for_test.h"
#include "net/compress_for_test.h"
#include "net/raw_client_for_test.h"

namespace fluoro::net {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

struct Outcome {
  grpc::Status status;
  std::string body;
};

/// One unary call through gRPC's own client.
Outcome CallUnary(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  std::string_view body,
                  grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_compression_algorithm(compression);
  const grpc::Slice slice(body.data(), body.size());
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::latch done(1);
  Outcome outcome;
  stub.UnaryCall(&context, method, {}, &request, &response, [&](grpc::Status status) {
    outcome.status = std::move(status);
    done.count_down();
  });
  done.wait();
  grpc::Slice answer;
  if (outcome.status.ok() && response.DumpToSingleSlice(&answer).ok()) {
    outcome.body.assign(reinterpret_cast<const char*>(answer.begin()), answer.size());
  }
  return outcome;
}

class GrpcServerTest : public ::testing::Test {
 protected:
#if defined(__SANITIZE_THREAD__)
  void SetUp() override {
    GTEST_SKIP() << "the distribution's libgrpc is not instrumented: every lock in it looks absent";
  }
#endif

  GrpcServerOptions options_{.address = "127.0.0.1:0"};
  Metrics metrics_;
  std::atomic<int> calls_ = 0;
  GrpcHandler handler_ = [this](const GrpcCall& call) -> GrpcAnswer {
    ++calls_;
    if (call.method != "/test.Service/Echo") {
      return {.code = grpc::StatusCode::UNIMPLEMENTED, .message = "unknown method"};
    }
    return {.body = std::string(call.body)};
  };
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;

  void Start() {
    auto server = GrpcServer::Start(options_, handler_, metrics_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    channel_ = NewChannel();
  }
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  Outcome Echo(std::string_view body, grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    return CallUnary(channel_, "/test.Service/Echo", body, compression);
  }
};

/// A frame of HTTP/2.
std::string Frame(char type, char flags, char stream, std::string_view payload) {
  const std::size_t bytes = payload.size();
  std::string out = {static_cast<char>(bytes >> 16),
                     static_cast<char>(bytes >> 8),
                     static_cast<char>(bytes),
                     type,
                     flags,
                     0,
                     0,
                     0,
                     stream};
  return out.append(payload);
}

/// One call spoken by hand, as gRPC's client refuses to send encodings that it does not know.
std::string RawCall(const std::string& address, std::string_view encoding, std::string_view body,
                    char compressed = 1) {
  std::string headers;
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
           {":method", "POST"},
           {":scheme", "http"},
           {":path", "/test.Service/Echo"},
           {":authority", "t"},
           {"content-type", "application/grpc"},
           {"te", "trailers"},
           {"grpc-encoding", std::string(encoding)}}) {
    headers += '\0';  // literal without indexing, new name
    headers += static_cast<char>(name.size());
    headers += name;
    headers += static_cast<char>(value.size());
    headers += value;
  }
  const std::string message = std::string({compressed, 0, 0, static_cast<char>(body.size() >> 8),
                                           static_cast<char>(body.size())})
                                  .append(body);
  RawClient client(address);
  client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0, "") + Frame(1, 4, 1, headers) +
              Frame(0, 1, 1, message));
  client.ReadUntil("grpc-status");
  client.EndSending();
  return client.ReadAll();
}

TEST_F(GrpcServerTest, CarriesBytesBothWays) {
  Start();
  EXPECT_THAT(server_->address(), ::testing::StartsWith("127.0.0.1:"));
  for (const std::size_t bytes : {0UL, 1UL, 1'000UL, 3'000'000UL}) {
    const std::string body(bytes, 'x');
    const Outcome outcome = Echo(body);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.body, body);
  }
  const Outcome unknown = CallUnary(channel_, "/test.Service/Other", "x");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, InflatesGzipWithinTheBound) {
  options_.message_bytes_max = 2 << 20;
  options_.inflation_ratio_max = 10'000;
  Start();
  const std::string body(1 << 20, 'x');
  const Outcome outcome = Echo(body, GRPC_COMPRESS_GZIP);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.body, body);
  EXPECT_EQ(Echo(std::string((2 << 20) + 1, 'x'), GRPC_COMPRESS_GZIP).status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(calls_, 1);
}

TEST_F(GrpcServerTest, RefusesBombsAndLargeMessages) {
  options_.message_bytes_max = 1 << 20;
  Start();
  EXPECT_EQ(Echo(std::string(256 << 20, '\0'), GRPC_COMPRESS_GZIP).status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Echo(std::string((1 << 20) + 1, 'x')).status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(Echo("still here").status.ok());
}

TEST_F(GrpcServerTest, TakesGzipDeflateAndZstd) {
  handler_ = [this](const GrpcCall& call) -> GrpcAnswer {
    ++calls_;
    return {.body = "got " + std::string(call.body)};
  };
  Start();
  EXPECT_THAT(RawCall(server_->address(), "zstd", Zstd("a zstd message")),
              HasSubstr("got a zstd message"));
  EXPECT_THAT(RawCall(server_->address(), "gzip", Gzip("a gzip message")),
              HasSubstr("got a gzip message"));
  EXPECT_THAT(RawCall(server_->address(), "deflate", Deflate("a deflate message", 15)),
              HasSubstr("got a deflate message"));
  EXPECT_EQ(calls_, 3);
  for (const std::string encoding : {"gzip", "deflate"}) {
    EXPECT_THAT(RawCall(server_->address(), encoding, "damaged"), HasSubstr("compressed message"));
  }
  EXPECT_EQ(calls_, 3);
}

TEST_F(GrpcServerTest, AnswersEncodingsThatItDoesNotKnowAsUnimplementedNamingOthers) {
  Start();
  for (const std::string encoding : {"snappy", "lz4", "br", "x", "identity"}) {
    const std::string heard = RawCall(server_->address(), encoding, "\x05\x10hello");
    EXPECT_THAT(heard, HasSubstr("grpc-status\x02"
                                 "12"))
        << encoding;
    EXPECT_THAT(heard, HasSubstr("grpc-accept-encoding")) << encoding;
    EXPECT_THAT(heard, HasSubstr("identity, deflate, gzip")) << encoding;
    EXPECT_THAT(heard, HasSubstr("zstd")) << "in the message: gRPC cannot name it in the header";
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_THAT(metrics_.Render(), HasSubstr(R"(fluoro_grpc_refused_total{reason="encoding"} 5)"));
  // What the header names does not matter to a message that is not compressed.
  EXPECT_THAT(RawCall(server_->address(), "snappy", "plain", 0), HasSubstr("plain"));
  EXPECT_EQ(calls_, 1);
}

TEST_F(GrpcServerTest, SendsStatusDetails) {
  handler_ = [](const GrpcCall&) -> GrpcAnswer {
    return {.code = grpc::StatusCode::UNAVAILABLE,
            .message = "later, 100 %\n",
            .status_details = "\x08\x0e\x00\xff"s};
  };
  Start();
  const Outcome outcome = Echo("x");
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(outcome.status.error_message(), "later, 100 %\n");
  EXPECT_EQ(outcome.status.error_details(), "\x08\x0e\x00\xff"s);
}

TEST_F(GrpcServerTest, SpeaksTls) {
  const CertificateForTest certificate;
  options_.tls = certificate.files();
  Start();
  std::ifstream file(certificate.certificate_path());
  grpc::SslCredentialsOptions trust;
  trust.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  const auto secure = grpc::CreateChannel(server_->address(), grpc::SslCredentials(trust));
  EXPECT_EQ(CallUnary(secure, "/test.Service/Echo", "secret").body, "secret");
  EXPECT_FALSE(Echo("plain").status.ok());
  options_.tls.key_path = "/nowhere.pem";
  const auto bad = GrpcServer::Start(options_, handler_, metrics_);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("/nowhere.pem"));
}

TEST_F(GrpcServerTest, NamesThePeer) {
  handler_ = [](const GrpcCall& call) -> GrpcAnswer { return {.body = std::string(call.peer)}; };
  Start();
  EXPECT_THAT(Echo("x").body, ::testing::StartsWith("127.0.0.1:"));
}

TEST_F(GrpcServerTest, SaysClearlyThatAPortIsTaken) {
  Start();
  options_.address = server_->address();
  const auto second = GrpcServer::Start(options_, handler_, metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(second.error().message,
            "cannot listen on " + server_->address() + ": Address already in use");
}

TEST_F(GrpcServerTest, RefusesOverloadAsUnavailableWithDetails) {
  options_.worker_threads = 1;
  options_.calls_max = 1;
  options_.overload_details = "details";
  std::latch entered(1);
  std::latch leave(1);
  handler_ = [&](const GrpcCall&) -> GrpcAnswer {
    entered.count_down();
    leave.wait();
    return {.body = "done"};
  };
  Start();
  std::atomic<int> ok = 0;
  std::atomic<int> unavailable = 0;
  std::vector<std::jthread> clients;
  const auto call = [&] {
    // A channel each: the bound on streams of one connection is the same number.
    const Outcome outcome = CallUnary(NewChannel(), "/test.Service/Echo", "x");
    if (outcome.status.ok()) ++ok;
    if (outcome.status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      EXPECT_EQ(outcome.status.error_details(), "details");
      ++unavailable;
    }
  };
  clients.emplace_back(call);
  entered.wait();
  for (int i = 0; i < 3; ++i) clients.emplace_back(call);
  // The worker is busy: one more waits, two are refused.
  while (unavailable < 2) std::this_thread::yield();
  leave.count_down();
  clients.clear();
  EXPECT_EQ(ok, 2);
  EXPECT_EQ(unavailable, 2);
}

TEST_F(GrpcServerTest, BoundsTheBytesOfAllMessages) {
  options_.queued_bytes_max = 100'000;
  options_.overload_details = "details";
  std::latch entered(1);
  std::latch leave(1);
  handler_ = [&](const GrpcCall& call) -> GrpcAnswer {
    if (call.body.starts_with('h')) {
      entered.count_down();
      leave.wait();
    }
    return {.body = "done"};
  };
  Start();
  std::jthread holder([&] { EXPECT_TRUE(Echo(std::string(80'000, 'h')).status.ok()); });
  entered.wait();
  EXPECT_EQ(Echo(std::string(60'000, 'x')).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  leave.count_down();
  holder.join();
}

TEST_F(GrpcServerTest, EndsCallsThatSendNoMessage) {
  options_.message_deadline_ns = 20'000'000;
  Start();
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, "/test.Service/Echo", &queue);
  stream->StartCall(&context);
  grpc::Status status;
  stream->Finish(&status, &status);
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok) && tag != &status) {
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(GrpcServerTest, StopFinishesCallsUnderWay) {
  std::latch entered(1);
  std::latch leave(1);
  handler_ = [&](const GrpcCall&) -> GrpcAnswer {
    entered.count_down();
    leave.wait();
    return {.body = "done"};
  };
  Start();
  std::jthread client([&] { EXPECT_EQ(Echo("x").body, "done"); });
  entered.wait();
  std::jthread stopping([&] { server_->Stop(kStopDeadlineNs); });
  leave.count_down();
  client.join();
  stopping.join();
  EXPECT_EQ(Echo("x").status.error_code(), grpc::StatusCode::UNAVAILABLE);
  server_->Stop(0);
}

TEST_F(GrpcServerTest, StopUnderLoadAnswersWhatItHandled) {
  Start();
  std::atomic<int> answered = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (Echo("load").status.ok()) ++answered;
    });
  }
  while (answered < 200) std::this_thread::yield();
  server_->Stop(kStopDeadlineNs);
  clients.clear();
  EXPECT_EQ(answered, calls_);
}

}  // namespace
}  // namespace fluoro::net
