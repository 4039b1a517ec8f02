#include "net/http_client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "net/certificate_for_test.h"
#include "net/http_server.h"
#include "net/raw_client_for_test.h"

namespace fluoro::net {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<HttpServer> Serve(Metrics& metrics, HttpServerOptions options = {}) {
  options.address = "127.0.0.1:0";
  options.name = "test";
  auto server = HttpServer::Start(
      options,
      [](HttpRequest&& request) {
        HttpResponse response = HttpResponse::Text(
            request.path == "/missing" ? 404 : 200,
            request.method + " " + request.path + "?" + request.query + "|" + request.body);
        response.headers["x-peer"] = request.peer;
        if (request.path == "/stream") {
          response.stream = [](const StreamWriter& write) {
            for (int i = 0; i < 100; ++i) {
              if (!write(std::string(1'000, 'a'))) return false;
            }
            return true;
          };
        }
        return response;
      },
      {}, metrics);
  EXPECT_TRUE(server) << server.error().message;
  return server ? *std::move(server) : nullptr;
}

/// Answers every connection with the same bytes.
class CannedServer {
 public:
  explicit CannedServer(std::string answer)
      : bound_(*Bind("127.0.0.1:0", SOCK_STREAM)), answer_(std::move(answer)) {
    ::fcntl(bound_.fd.get(), F_SETFL, 0);
    thread_ = std::jthread([this] {
      const Fd client(::accept(bound_.fd.get(), nullptr, nullptr));
      char request[4'096];
      if (::recv(client.get(), request, sizeof request, 0) > 0) {
        ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      }
    });
  }
  [[nodiscard]] std::string url() const { return "http://" + bound_.address + "/"; }

 private:
  BoundSocket bound_;
  const std::string answer_;
  std::jthread thread_;
};

TEST(HttpClient, CallsAndReadsTheAnswer) {
  Metrics metrics;
  const auto server = Serve(metrics);
  const std::string url = "http://" + server->address();
  auto got = Call({.url = url + "/a?b=c#fragment"});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "GET /a?b=c|");
  EXPECT_THAT(got->headers["x-peer"], ::testing::StartsWith("127.0.0.1:"));
  EXPECT_EQ(Call({.method = "POST", .url = url, .body = std::string(500'000, 'x')})->body,
            "POST /?|" + std::string(500'000, 'x'));
  EXPECT_EQ(Call({.url = url + "/missing"})->status, 404);
  EXPECT_EQ(Call({.method = "HEAD", .url = url + "/a"})->body, "");
  EXPECT_EQ(Call({.url = url + "/stream"})->body.size(), 100'000U);
}

TEST(HttpClient, StreamsAndStopsWhenTold) {
  Metrics metrics;
  const auto server = Serve(metrics);
  const std::string url = "http://" + server->address();
  std::size_t bytes = 0;
  const auto count = [&](std::string_view piece) {
    bytes += piece.size();
    return true;
  };
  EXPECT_TRUE(CallStreaming({.url = url + "/stream"}, count));
  EXPECT_EQ(bytes, 100'000U);
  const auto stopped =
      CallStreaming({.url = url + "/stream"}, [](std::string_view) { return false; });
  EXPECT_TRUE(stopped) << stopped.error().message;
  const auto missing = CallStreaming({.url = url + "/missing"}, count);
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->body, "GET /missing?|") << "an error's body is kept";
}

TEST(HttpClient, NamesWhatWentWrong) {
  const std::string free_address = Bind("127.0.0.1:0", SOCK_STREAM)->address;
  const auto refused = Call({.url = "http://" + free_address});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(refused.error().message, HasSubstr("Connection refused"));
  for (const char* url : {"", "localhost", "ftp://a", "http://", "http://a b/", "http://[::1"}) {
    EXPECT_EQ(Call({.url = url}).error().code, ErrorCode::kInvalidArgument) << url;
  }
  EXPECT_EQ(Call({.url = CannedServer("no http at all\r\n\r\n").url()}).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(Call({.url = CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").url()})
                .error()
                .code,
            ErrorCode::kUnreachable);
  EXPECT_EQ(
      Call({.url = CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789").url(),
            .body_bytes_max = 8})
          .error()
          .code,
      ErrorCode::kTooLarge);
  EXPECT_EQ(Call({.url = CannedServer("HTTP/1.1 200 OK\r\n\r\nuntil the end").url()})->body,
            "until the end");
}

TEST(HttpClient, GivesUpAtItsDeadline) {
  const auto silent = Bind("127.0.0.1:0", SOCK_STREAM);
  const auto late = Call({.url = "http://" + silent->address, .timeout_ns = 20'000'000});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(Tls, ServesAndVerifies) {
  const CertificateForTest certificate;
  Metrics metrics;
  const auto server = Serve(metrics, {.tls = certificate.files()});
  ASSERT_NE(server, nullptr);
  const std::string url = "https://" + server->address();
  const std::string body(300'000, 'x');
  const auto got =
      Call({.method = "POST", .url = url, .body = body, .ca_path = certificate.certificate_path()});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, "POST /?|" + body);
  std::size_t bytes = 0;
  const auto streamed =
      CallStreaming({.url = url + "/stream", .ca_path = certificate.certificate_path()},
                    [&](std::string_view piece) {
                      bytes += piece.size();
                      return true;
                    });
  ASSERT_TRUE(streamed) << streamed.error().message;
  EXPECT_EQ(bytes, 100'000U);
  const auto untrusted = Call({.url = url});
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(untrusted.error().message, HasSubstr("certificate verify failed"));
  RawClient plain(server->address());
  plain.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(plain.ReadAll(), ::testing::Not(HasSubstr("HTTP")));
}

TEST(Tls, NamesAFileThatCannotBeUsed) {
  const CertificateForTest certificate;
  Metrics metrics;
  const HttpServerOptions options{
      .address = "127.0.0.1:0",
      .name = "test",
      .tls = {.certificate_path = certificate.certificate_path(), .key_path = "/nowhere.pem"}};
  const auto server = HttpServer::Start(options, {}, {}, metrics);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kIo);
  EXPECT_THAT(server.error().message, HasSubstr("/nowhere.pem"));
}

}  // namespace
}  // namespace fluoro::net
