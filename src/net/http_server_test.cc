#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <semaphore>
#include <thread>

#include "base/hex.h"
#include "net/compress_for_test.h"
#include "net/http_client.h"
#include "net/raw_client_for_test.h"

namespace fluoro::net {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Answers with method, path, query and body; counts calls.
class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerOptions options_{.address = "127.0.0.1:0", .name = "test"};
  Metrics metrics_;
  std::atomic<int> calls_ = 0;
  HttpHandler handler_ = [this](HttpRequest&& request) {
    ++calls_;
    return HttpResponse::Text(
        200, request.method + " " + request.path + "?" + request.query + "|" + request.body);
  };
  std::unique_ptr<HttpServer> server_;

  void Start() {
    auto server = HttpServer::Start(options_, handler_, {}, metrics_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }
  RawClient Connect() { return RawClient(server_->address()); }
  /// The whole conversation of one connection whose client has sent `bytes`.
  std::string Exchange(std::string_view bytes) {
    RawClient client = Connect();
    client.Send(bytes);
    client.EndSending();
    return client.ReadAll();
  }
  std::string Post(std::string_view headers, std::string_view body) {
    RawClient client = Connect();
    client.Send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n" + std::string(headers) + "\r\n");
    client.Send(body);
    return client.ReadAnswer();
  }
  double Refused(const std::string& reason) {
    return metrics_
        .GetCounter("fluoro_http_refused_total",
                    "Connections and requests that never reached a handler",
                    {{"listener", "test"}, {"reason", reason}})
        .value();
  }
};

TEST_F(HttpServerTest, AnswersWithTheRequestsParts) {
  Start();
  EXPECT_THAT(server_->address(), StartsWith("127.0.0.1:"));
  EXPECT_THAT(server_->address(), Not(::testing::EndsWith(":0")));
  const std::string answer = Post("", "hello");
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_THAT(answer, HasSubstr("\r\ncontent-length: 14\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\ndate: "));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nPOST /p?|hello"));
  EXPECT_THAT(Exchange("GET http://any.host:80/a%20b?x=1&y HTTP/1.1\r\nHost: t\r\n\r\n"),
              ::testing::EndsWith("GET /a%20b?x=1&y|"));
}

TEST_F(HttpServerTest, SaysClearlyThatAPortIsTaken) {
  Start();
  options_.address = server_->address();
  const auto second = HttpServer::Start(options_, handler_, {}, metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(second.error().message,
            "cannot listen on " + server_->address() + ": Address already in use");
  for (const char* address : {"127.0.0.1", "127.0.0.1:x", "::1:80", "127.0.0.1:70000", ""}) {
    options_.address = address;
    const auto bad = HttpServer::Start(options_, handler_, {}, metrics_);
    ASSERT_FALSE(bad) << address;
    EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument) << address;
  }
  options_.address = "192.0.2.1:0";
  const auto foreign = HttpServer::Start(options_, handler_, {}, metrics_);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, ErrorCode::kIo);
}

TEST_F(HttpServerTest, KeepsConnectionsAndPipelines) {
  Start();
  RawClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send("POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
    EXPECT_THAT(client.ReadAnswer(), ::testing::EndsWith("/" + std::to_string(i) + "?|x"));
  }
  std::string many;
  for (int i = 0; i < 50; ++i) {
    many += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
  }
  client.Send(many);
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(client.ReadAnswer(), ::testing::EndsWith("/" + std::to_string(i) + "?|abc"));
  }
  client.Send("GET /end HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string last = client.ReadAll();
  EXPECT_THAT(last, HasSubstr("connection: close"));
  EXPECT_EQ(calls_, 54);
}

TEST_F(HttpServerTest, SpeaksHttp10AndHead) {
  Start();
  EXPECT_THAT(Exchange("GET /a HTTP/1.0\r\n\r\n"), HasSubstr("connection: close"));
  RawClient client = Connect();
  client.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(), HasSubstr("connection: keep-alive"));
  const std::string head = Exchange("HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("content-length: 9\r\n"));
  EXPECT_THAT(head, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, JoinsRepeatedHeadersAndStripsLineBreaksOfItsOwn) {
  handler_ = [](HttpRequest&& request) {
    HttpResponse response = HttpResponse::Text(200, std::string(request.Header("x-a")));
    response.headers["x-evil"] = "a\r\nset-cookie: b";
    return response;
  };
  Start();
  const std::string answer = Exchange("GET / HTTP/1.1\r\nX-A: 1\r\nx-a:  2 \r\n\r\n");
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n1, 2"));
  EXPECT_THAT(answer, Not(HasSubstr("\nset-cookie")));
}

TEST_F(HttpServerTest, KeepsWhatSignaturesAreOver) {
  HttpRequest seen;
  handler_ = [&seen](HttpRequest&& request) {
    seen = std::move(request);
    return HttpResponse::Text(200, "");
  };
  Start();
  const std::string body = Gzip("compressed");
  Post(
      "Content-Encoding: GZip\r\nAuthorization: AWS4-HMAC-SHA256 x\r\nX-A: 1\r\nx-a: "
      "2\r\nX-A:3\r\n",
      body);
  EXPECT_EQ(seen.body, "compressed");
  EXPECT_EQ(seen.undone_encoding, "GZip");
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data());
  EXPECT_EQ(seen.received_sha256, ToHex(digest));
  const std::vector<std::string> values{"1", "2", "3"};
  EXPECT_THAT(seen.repeated_headers, ::testing::ElementsAre(::testing::Pair("x-a", values)));
  EXPECT_EQ(seen.principal, "");
  // Unsigned: nobody asks, so nothing is hashed.
  Post("Content-Encoding: gzip\r\n", body);
  EXPECT_EQ(seen.received_sha256, "");
  Post("Authorization: AWS4-HMAC-SHA256 x\r\n", "as sent");
  EXPECT_EQ(seen.received_sha256, "");
  EXPECT_EQ(seen.undone_encoding, "");
}

TEST_F(HttpServerTest, UndoesContentEncodings) {
  Start();
  const std::string text = "some text, some text, some text";
  EXPECT_THAT(Post("Content-Encoding: gzip\r\n", Gzip(text)), HasSubstr("|" + text));
  EXPECT_THAT(Post("Content-Encoding: gzip\r\n", Gzip(text) + Gzip("!")),
              HasSubstr("|" + text + "!"));
  EXPECT_THAT(Post("Content-Encoding: deflate\r\n", Deflate(text, 15)), HasSubstr("|" + text));
  EXPECT_THAT(Post("Content-Encoding: zstd\r\n", Zstd(text)), HasSubstr("|" + text));
  EXPECT_THAT(Post("Content-Encoding: identity\r\n", text), HasSubstr("|" + text));
  EXPECT_EQ(calls_, 5);
  for (const char* name : {"br", "lz4", "snappy", "gzip, gzip"}) {
    EXPECT_EQ(StatusOf(Post("Content-Encoding: " + std::string(name) + "\r\n", "x")), 415) << name;
  }
  EXPECT_EQ(StatusOf(Post("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "x")), 415);
  EXPECT_EQ(StatusOf(Post("Content-Encoding: gzip\r\n", "no gzip")), 400);
  EXPECT_EQ(StatusOf(Post("Content-Encoding: gzip\r\n", Gzip(text).substr(0, 20))), 400);
  EXPECT_EQ(calls_, 5);
}

TEST_F(HttpServerTest, RefusesBombsWithBoundedMemory) {
  Start();
  EXPECT_EQ(StatusOf(Post("Content-Encoding: gzip\r\n", GzipBomb(1'024))), 413);
  EXPECT_EQ(StatusOf(Post("Content-Encoding: zstd\r\n", ZstdBomb(1'024))), 413);
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(Refused("body_too_large"), 2);
}

TEST_F(HttpServerTest, RefusesLargeBodiesBeforeReadingThem) {
  options_.body_bytes_max = 1'000;
  Start();
  EXPECT_EQ(StatusOf(Post("", std::string(1'000, 'x'))), 200);
  EXPECT_EQ(StatusOf(Post("", std::string(1'001, 'x'))), 413);
  EXPECT_EQ(StatusOf(Exchange("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")), 413);
  const std::string chunk = "320\r\n" + std::string(800, 'x') + "\r\n";
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(StatusOf(Exchange(head + chunk + "0\r\n\r\n")), 200);
  EXPECT_EQ(StatusOf(Exchange(head + chunk + chunk + "0\r\n\r\n")), 413);
  EXPECT_EQ(calls_, 2);
}

TEST_F(HttpServerTest, ClientsGetTheRefusalThoughTheySendOn) {
  options_.body_bytes_max = 1 << 20;
  Start();
  const std::string answer = Post("", std::string(2 << 20, 'x'));
  EXPECT_EQ(StatusOf(answer), 413);
  EXPECT_THAT(answer, HasSubstr("connection: close"));
}

TEST_F(HttpServerTest, AnswersExpectBeforeTheBody) {
  options_.body_bytes_max = 1'000;
  Start();
  RawClient client = Connect();
  client.Send("POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_THAT(client.ReadAnswer(), HasSubstr("POST /e?|ok"));
  RawClient large = Connect();
  large.Send("POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
  EXPECT_EQ(StatusOf(large.ReadAnswer()), 413);
  EXPECT_EQ(StatusOf(Exchange("POST / HTTP/1.1\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx")),
            417);
}

TEST_F(HttpServerTest, AnswersSmugglingFormsWith400AndCloses) {
  Start();
  const std::string next = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: t\r\n";
  const std::vector<std::string> cases = {
      post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
      post + "Content-Length: 4, 5\r\n\r\nabcd",
      post + "Content-Length: -1\r\n\r\n",
      post + "Content-Length: +4\r\n\r\nabcd",
      post + "Content-Length: 0x4\r\n\r\nabcd",
      post + "Content-Length: 4 4\r\n\r\nabcd",
      post + "Content-Length: \r\n\r\n",
      post + "Content-Length: 99999999999999999999999\r\n\r\n",
      post + "Content-Length : 4\r\n\r\nabcd",
      post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: identity\r\n\r\n",
      post + "Transfer-Encoding:\x0b chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
      "GET /\r\n\r\n",
      "GET  / HTTP/1.1\r\n\r\n",
      "G\x01T / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n"s,
      "GET / HTTP/1.1\r\nNoColon\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
  };
  for (const std::string& bytes : cases) {
    const std::string answer = Exchange(bytes + next);
    EXPECT_EQ(StatusOf(answer), 400) << bytes << "\n-> " << answer;
    EXPECT_THAT(answer, HasSubstr("connection: close")) << bytes;
    EXPECT_THAT(answer, Not(HasSubstr("smuggled"))) << bytes;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(StatusOf(Exchange(post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab")), 200)
      << "equal lengths agree";
}

TEST_F(HttpServerTest, HandlesNothingOfARequestCutAnywhere) {
  Start();
  for (const std::string& request :
       {std::string("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n0123456789"),
        std::string("POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\n\r\n")}) {
    calls_ = 0;
    for (std::size_t cut = 0; cut < request.size(); ++cut) {
      EXPECT_EQ(Exchange(std::string_view(request).substr(0, cut)), "") << "cut at " << cut;
    }
    EXPECT_EQ(calls_, 0);
    EXPECT_THAT(Exchange(request), HasSubstr("|0123456789"));
    EXPECT_EQ(calls_, 1);
  }
  const std::string longer = Exchange("POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcdef");
  EXPECT_THAT(longer, HasSubstr("|abc"));
  EXPECT_EQ(calls_, 2) << "the rest is no request of its own";
}

TEST_F(HttpServerTest, TakesARequestByteByByte) {
  Start();
  RawClient client = Connect();
  const std::string request =
      "POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n";
  for (const char c : request) client.Send(std::string_view(&c, 1));
  EXPECT_THAT(client.ReadAnswer(), HasSubstr("POST /slow?|ab"));
}

TEST_F(HttpServerTest, RefusesLargeHeaders) {
  Start();
  const std::string answer =
      Exchange("GET / HTTP/1.1\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(StatusOf(answer), 431);
  EXPECT_EQ(Refused("header_too_large"), 1);
}

TEST_F(HttpServerTest, ClosesWhoeverIsSlow) {
  options_.header_deadline_ns = 20'000'000;
  options_.body_deadline_ns = 20'000'000;
  options_.idle_deadline_ns = 20'000'000;
  Start();
  for (const char* start : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"}) {
    RawClient client = Connect();
    client.Send(start);
    EXPECT_EQ(client.ReadAll(), "") << start;
  }
  RawClient idle = Connect();
  idle.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(StatusOf(idle.ReadAnswer()), 200);
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_GE(Refused("deadline"), 2);
}

TEST_F(HttpServerTest, ClosesConnectionsBeyondTheBound) {
  options_.connections_max = 3;
  Start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Connect());
    clients.back().Send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(StatusOf(clients.back().ReadAnswer()), 200);
  }
  RawClient fourth = Connect();
  EXPECT_EQ(fourth.ReadAll(), "");
  EXPECT_EQ(Refused("connections"), 1);
}

TEST_F(HttpServerTest, ServesAThousandConnections) {
  Start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 1'000; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back().connected());
    clients.back().Send("GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n");
  }
  for (int i = 0; i < 1'000; ++i) {
    const std::string answer = clients[static_cast<std::size_t>(i)].ReadAnswer();
    EXPECT_TRUE(StatusOf(answer) == 200 || StatusOf(answer) == 503) << answer;
  }
  EXPECT_EQ(metrics_.GetGauge("fluoro_http_connections", "Open connections", {{"listener", "test"}})
                .value(),
            1'000);
}

TEST_F(HttpServerTest, ShedsClientsWhenDescriptorsRunOut) {
  Start();
  std::vector<Fd> clients;
  for (int i = 0; i < 50; ++i) clients.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Fd next(::dup(0));
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(next.get()) + 4;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const sockaddr_in target = LoopbackOf(server_->address());
  for (const Fd& client : clients) {
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target),
              0);
  }
  while (Refused("descriptors") < 40) std::this_thread::yield();
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(StatusOf(Post("", "after")), 200);
}

TEST_F(HttpServerTest, LeavesDescriptorsForTheRestOfTheProcess) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  Start();
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<RawClient> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(Connect());
    clients.back().Send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(StatusOf(clients.back().ReadAnswer()), 200);
  }
  EXPECT_EQ(Connect().ReadAll(), "");
  EXPECT_EQ(Refused("connections"), 1);
}

TEST_F(HttpServerTest, AnswersOverloadWith503AndRetryAfter) {
  options_.worker_threads = 1;
  options_.queued_requests_max = 1;
  std::binary_semaphore entered(0);
  std::binary_semaphore leave(0);
  handler_ = [&](HttpRequest&&) {
    entered.release();
    leave.acquire();
    return HttpResponse::Text(200, "done");
  };
  Start();
  RawClient first = Connect();
  first.Send("GET / HTTP/1.1\r\n\r\n");
  entered.acquire();
  // The worker is busy: of two more one waits and one is refused.
  RawClient second = Connect();
  RawClient third = Connect();
  second.Send("GET / HTTP/1.1\r\n\r\n");
  third.Send("GET / HTTP/1.1\r\n\r\n");
  while (Refused("queue_full") == 0) std::this_thread::yield();
  leave.release();
  entered.acquire();
  leave.release();
  EXPECT_EQ(StatusOf(first.ReadAnswer()), 200);
  const std::string answers = second.ReadAnswer() + third.ReadAnswer();
  EXPECT_THAT(answers, HasSubstr("HTTP/1.1 503 "));
  EXPECT_THAT(answers, HasSubstr("retry-after: 1\r\n"));
  EXPECT_THAT(answers, HasSubstr("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, BoundsTheBytesOfAllBodies) {
  options_.queued_bytes_max = 100'000;
  std::latch entered(1);
  std::latch leave(1);
  handler_ = [&](HttpRequest&& request) {
    if (request.body.starts_with('x')) {
      entered.count_down();
      leave.wait();
    }
    return HttpResponse::Text(200, "done");
  };
  Start();
  RawClient holder = Connect();
  holder.Send("POST / HTTP/1.1\r\nContent-Length: 90000\r\n\r\n" + std::string(90'000, 'x'));
  entered.wait();
  EXPECT_EQ(StatusOf(Post("", std::string(60'000, 'y'))), 503);
  EXPECT_EQ(StatusOf(Post("Content-Encoding: gzip\r\n", Gzip(std::string(60'000, 'y')))), 503);
  EXPECT_EQ(Refused("bytes_full"), 2);
  leave.count_down();
  EXPECT_EQ(StatusOf(holder.ReadAnswer()), 200);
  EXPECT_EQ(StatusOf(Post("", std::string(200'000, 'y'))), 200) << "whoever is alone is let in";
}

TEST_F(HttpServerTest, UsesTheListenersOwnErrorAnswer) {
  auto server = HttpServer::Start(
      options_, handler_,
      [](const HttpRequest& head, int status, std::string_view message) {
        return HttpResponse::Json(
            status, "{\"path\":\"" + head.path + "\",\"why\":\"" + std::string(message) + "\"}");
      },
      metrics_);
  ASSERT_TRUE(server);
  server_ = *std::move(server);
  EXPECT_THAT(Post("Content-Encoding: br\r\n", "x"), HasSubstr("{\"path\":\"/p\",\"why\":\""));
}

TEST_F(HttpServerTest, StreamsInChunks) {
  handler_ = [](HttpRequest&&) {
    HttpResponse response;
    response.headers["content-type"] = "text/plain";
    response.stream = [](const StreamWriter& write) {
      for (int i = 0; i < 1'000; ++i) {
        if (!write("line " + std::to_string(i) + "\n")) return false;
      }
      return true;
    };
    return response;
  };
  Start();
  const std::string raw = [&] {
    RawClient client = Connect();
    client.Send("GET / HTTP/1.1\r\n\r\n");
    return client.ReadAll();
  }();
  EXPECT_THAT(raw, HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_THAT(raw, ::testing::EndsWith("0\r\n\r\n"));
  RawClient old = Connect();
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadAll(), ::testing::EndsWith("line 998\nline 999\n"));
  std::string text;
  const auto streamed =
      CallStreaming({.url = "http://" + server_->address() + "/"}, [&](std::string_view piece) {
        text += piece;
        return true;
      });
  ASSERT_TRUE(streamed) << streamed.error().message;
  EXPECT_EQ(streamed->status, 200);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1'000);
}

TEST_F(HttpServerTest, CutsAStreamThatIsNotWhole) {
  handler_ = [](HttpRequest&&) {
    HttpResponse response;
    response.stream = [](const StreamWriter& write) {
      write("part\n");
      return false;
    };
    return response;
  };
  Start();
  RawClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), ::testing::EndsWith("\r\n\r\n5\r\npart\n\r\n"));
  const auto streamed = CallStreaming({.url = "http://" + server_->address() + "/"},
                                      [](std::string_view) { return true; });
  ASSERT_FALSE(streamed);
  EXPECT_EQ(streamed.error().code, ErrorCode::kUnreachable);
}

TEST_F(HttpServerTest, TellsAStreamThatItsClientLeft) {
  std::latch left(1);
  handler_ = [&](HttpRequest&&) {
    HttpResponse response;
    response.stream = [&](const StreamWriter& write) {
      write("first\n");
      while (write("")) std::this_thread::yield();
      left.count_down();
      return false;
    };
    return response;
  };
  Start();
  RawClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(client.ReadUntil("first\n"));
  client.Close();
  left.wait();
}

TEST_F(HttpServerTest, HoldsAStreamWhoseClientDoesNotRead) {
  std::atomic<std::size_t> written = 0;
  options_.body_deadline_ns = 50'000'000;
  std::latch left(1);
  handler_ = [&](HttpRequest&&) {
    HttpResponse response;
    response.stream = [&](const StreamWriter& write) {
      const std::string piece(64 << 10, 'x');
      while (write(piece)) written += piece.size();
      left.count_down();
      return false;
    };
    return response;
  };
  Start();
  RawClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n\r\n");
  left.wait();
  EXPECT_LT(written, std::size_t{64} << 20) << "what the sockets and the channel hold";
}

TEST_F(HttpServerTest, BoundsStreams) {
  options_.streams_max = 1;
  handler_ = [](HttpRequest&&) {
    HttpResponse response;
    response.stream = [](const StreamWriter& write) {
      write("on\n");
      while (write("")) std::this_thread::yield();
      return true;
    };
    return response;
  };
  Start();
  RawClient first = Connect();
  first.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(first.ReadUntil("on\n"));
  EXPECT_EQ(StatusOf(Exchange("GET / HTTP/1.1\r\n\r\n")), 503);
  EXPECT_EQ(Refused("streams_full"), 1);
  server_->Stop(0);
  EXPECT_THAT(first.ReadAll(), Not(::testing::EndsWith("0\r\n\r\n"))) << "cut, not ended";
}

TEST_F(HttpServerTest, StopFinishesWhatIsUnderWayAndClosesTheRest) {
  std::latch entered(1);
  std::latch leave(1);
  handler_ = [&](HttpRequest&&) {
    entered.count_down();
    leave.wait();
    return HttpResponse::Text(200, "finished");
  };
  Start();
  RawClient idle = Connect();
  RawClient busy = Connect();
  busy.Send("GET / HTTP/1.1\r\n\r\n");
  entered.wait();
  std::jthread stopping([&] { server_->Stop(kStopDeadlineNs); });
  EXPECT_EQ(idle.ReadAll(), "");
  leave.count_down();
  const std::string answer = busy.ReadAll();
  EXPECT_THAT(answer, HasSubstr("connection: close"));
  EXPECT_THAT(answer, ::testing::EndsWith("finished"));
  stopping.join();
  EXPECT_FALSE(RawClient(server_->address()).connected());
  server_->Stop(0);
}

TEST_F(HttpServerTest, StopUnderLoadAnswersWhatItHandled) {
  Start();
  std::atomic<int> answered = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      while (true) {
        RawClient client = Connect();
        if (!client.connected()) return;
        client.Send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nload");
        while (StatusOf(client.ReadAnswer()) == 200) {
          ++answered;
          client.Send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nload");
        }
      }
    });
  }
  while (answered < 200) std::this_thread::yield();
  server_->Stop(kStopDeadlineNs);
  clients.clear();
  EXPECT_EQ(answered, calls_);
}

}  // namespace
}  // namespace fluoro::net
