#include "api/insights/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/json_tree.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace fluoro::api::insights {
namespace {

using ::testing::SizeIs;

/// A receiver that answers as it is told and remembers what came.
class Receiver {
 public:
  explicit Receiver(std::vector<net::HttpResponse> answers) : answers_(std::move(answers)) {
    net::HttpServerOptions options;
    options.address = "127.0.0.1:0";
    options.name = "receiver";
    auto server = net::HttpServer::Start(
        options, [this](net::HttpRequest&& request) { return Answer(std::move(request)); }, {},
        metrics_);
    EXPECT_TRUE(server.has_value());
    server_ = *std::move(server);
  }
  [[nodiscard]] std::string url() const { return "http://" + server_->address() + "/hook"; }

  std::vector<net::HttpRequest> WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(30), [&] { return requests_.size() >= count; });
    return requests_;
  }

 private:
  net::HttpResponse Answer(net::HttpRequest&& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    came_.notify_all();
    const std::size_t number = std::min(requests_.size(), answers_.size()) - 1;
    return answers_[number];
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<net::HttpRequest> requests_;
  std::vector<net::HttpResponse> answers_;
  Metrics metrics_;
  std::unique_ptr<net::HttpServer> server_;
};

net::AddressList List(std::string_view text) { return *net::AddressList::Parse(text); }

double Counted(Metrics& metrics, const std::string& result) {
  return metrics.GetCounter("fluoro_insight_notifications_total", "", {{"result", result}}).value();
}

void WaitFor(Metrics& metrics, const std::string& result, double count) {
  for (int i = 0; i < 3'000 && Counted(metrics, result) < count; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(Counted(metrics, result), count) << result;
}

TEST(Webhook, DeliversInOrder) {
  Receiver receiver({net::HttpResponse::Text(204, "")});
  Metrics metrics;
  Webhook webhook({.url = receiver.url(), .allowed = List("127.0.0.1")}, metrics);
  webhook.Send("{\"n\":1}");
  webhook.Send("{\"n\":2}");
  const auto requests = receiver.WaitFor(2);
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].path, "/hook");
  EXPECT_EQ(requests[0].ContentType(), "application/json");
  EXPECT_EQ(requests[0].body, "{\"n\":1}");
  EXPECT_EQ(requests[1].body, "{\"n\":2}");
  WaitFor(metrics, "delivered", 2);
}

TEST(Webhook, TriesAgainAndThenGivesUp) {
  Receiver receiver({net::HttpResponse::Text(503, ""), net::HttpResponse::Text(200, ""),
                     net::HttpResponse::Text(500, "")});
  Metrics metrics;
  Webhook webhook(
      {.url = receiver.url(), .allowed = List("localhost"), .attempts = 2, .wait_ns = kNsPerMs},
      metrics);
  webhook.Send("a");
  webhook.Send("b");
  EXPECT_THAT(receiver.WaitFor(4), SizeIs(4));
  WaitFor(metrics, "delivered", 1);
  WaitFor(metrics, "failed", 1);
}

TEST(Webhook, FollowsNoRedirect) {
  Receiver inside({net::HttpResponse::Text(200, "")});
  net::HttpResponse redirect = net::HttpResponse::Text(307, "");
  redirect.headers["location"] = inside.url();
  Receiver outside({redirect});
  Metrics metrics;
  Webhook webhook({.url = outside.url(), .allowed = List("127.0.0.1"), .attempts = 1}, metrics);
  webhook.Send("a");
  WaitFor(metrics, "failed", 1);
  EXPECT_THAT(outside.WaitFor(1), SizeIs(1));
  Webhook other({.url = inside.url(), .allowed = List("127.0.0.1")}, metrics);
  other.Send("b");
  EXPECT_THAT(inside.WaitFor(1), SizeIs(1));
}

TEST(Webhook, ConnectsToNothingThatIsNotAllowed) {
  Receiver receiver({net::HttpResponse::Text(200, "")});
  Metrics metrics;
  double refused = 0;
  for (const std::string_view allowed : {"", "10.0.0.0/8", "127.0.0.1:1", "hooks.example"}) {
    Webhook webhook({.url = receiver.url(), .allowed = List(allowed)}, metrics);
    webhook.Send("a");
    // At once: what the list refuses is not tried again.
    WaitFor(metrics, "failed", ++refused);
  }
  // A name that may be called, and leads to this machine.
  std::string url = receiver.url();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  net::HttpCall call{.method = "POST", .url = url, .body = "b"};
  const net::AddressList names = List("127.0.0.1:1,other.example");
  call.may_connect = [&](std::string_view, std::string_view address, std::uint16_t port) {
    return names.Allows("other.example", address, port);
  };
  const auto answer = net::Call(call);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kPermissionDenied);

  Webhook allowed({.url = receiver.url(), .allowed = List("127.0.0.1")}, metrics);
  allowed.Send("c");
  const auto requests = receiver.WaitFor(1);
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].body, "c");
}

TEST(Webhook, ChecksItsUrlBeforeTheServerStarts) {
  EXPECT_TRUE(Webhook::Check({}).has_value());
  EXPECT_TRUE(Webhook::Check({.url = "https://a.example/x", .allowed = List("a.example")}));
  for (const std::string_view url :
       {"ftp://a.example", "a.example", "http://", "http://a.example:x/", "http://b.example/",
        "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest",
        "http://a.example:81/"}) {
    const auto checked = Webhook::Check({.url = std::string(url), .allowed = List("a.example:80")});
    ASSERT_FALSE(checked.has_value()) << url;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Webhook, DropsWhatItCannotHold) {
  Metrics metrics;
  // Nobody listens there: the first attempt waits for its next one.
  Webhook webhook(
      {.url = "http://127.0.0.1:1/", .allowed = List("127.0.0.1"), .wait_ns = 60 * kNsPerSecond},
      metrics);
  for (std::size_t i = 0; i < Webhook::kQueueMax + 10; ++i) webhook.Send("a");
  EXPECT_GE(Counted(metrics, "dropped"), 9);
  webhook.Stop();  // at once
}

TEST(NotificationBody, HasTheShapeOfAnEvent) {
  StoredInsight stored{.group_name = "Default", .group_arn = "arn"};
  stored.insight.id = "id";
  stored.insight.state = analysis::InsightState::kActive;
  stored.insight.root_cause = {.name = "db", .type = "Database::SQL", .account_id = ""};
  stored.insight.top_services = {stored.insight.root_cause};
  stored.insight.start_ns = 1'700'000'000 * kNsPerSecond;
  stored.insight.end_ns = 1'700'000'060 * kNsPerSecond;
  stored.insight.update_ns = 1'700'000'060 * kNsPerSecond;
  stored.insight.clients = {.fault = 1, .ok = 2, .total = 3};
  const auto active = JsonTree::Parse(
      NotificationBody(stored, "event", {.account_id = "123456789012", .region = "eu-1"}));
  ASSERT_TRUE(active.has_value());
  const JsonView root = active->root();
  EXPECT_EQ(root["source"].String(), "aws.xray");
  EXPECT_EQ(root["detail-type"].String(), "AWS X-Ray Insight Update");
  EXPECT_EQ(root["account"].String(), "123456789012");
  EXPECT_EQ(root["region"].String(), "eu-1");
  EXPECT_EQ(root["time"].String(), "2023-11-14T22:14:20Z");
  const JsonView detail = root["detail"];
  EXPECT_EQ(detail["State"].String(), "ACTIVE");
  EXPECT_EQ(detail["Category"].Elements().at(0).String(), "FAULT");
  EXPECT_EQ(detail["RootCauseServiceId"]["Type"].String(), "Database::SQL");
  EXPECT_EQ(detail["ClientRequestImpactStatistics"]["TotalCount"].Int(), 3);
  EXPECT_EQ(detail["TopAnomalousServices"].Elements().at(0)["ServiceId"]["Name"].String(), "db");
  EXPECT_FALSE(detail["EndTime"].exists());
  stored.insight.state = analysis::InsightState::kClosed;
  const auto closed = JsonTree::Parse(NotificationBody(stored, "event", {}));
  EXPECT_EQ(closed->root()["detail"]["EndTime"].Int(), 1'700'000'060);
}

}  // namespace
}  // namespace fluoro::api::insights
