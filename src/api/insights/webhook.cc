#include "api/insights/webhook.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "net/http_client.h"

namespace fluoro::api::insights {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 << 10;

std::string Rfc3339(std::int64_t ns) {
  const std::time_t seconds = ns / kNsPerSecond;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void AppendServiceId(JsonWriter& out, const model::ServiceKey& key) {
  out.BeginObject().Key("Name").String(key.name);
  out.Key("Names").BeginArray().String(key.name).EndArray();
  if (!key.account_id.empty()) out.Key("AccountId").String(key.account_id);
  if (!key.type.empty()) out.Key("Type").String(key.type);
  out.EndObject();
}

void AppendCounts(JsonWriter& out, const analysis::ImpactCounts& counts) {
  out.BeginObject().Key("FaultCount").Int(std::llround(counts.fault));
  out.Key("OkCount").Int(std::llround(counts.ok));
  out.Key("TotalCount").Int(std::llround(counts.total)).EndObject();
}

}  // namespace

void BeginEvent(JsonWriter& out, const Event& event, const control::Place& place) {
  out.BeginObject().Key("version").String("0").Key("id").String(event.id);
  out.Key("detail-type").String(event.detail_type).Key("source").String(event.source);
  out.Key("account").String(place.account_id).Key("time").String(Rfc3339(event.time_ns));
  out.Key("region").String(place.region).Key("resources").BeginArray().EndArray();
  out.Key("detail").BeginObject();
}

std::string NotificationBody(const StoredInsight& stored, std::string_view event_id,
                             const control::Place& place) {
  const analysis::Insight& insight = stored.insight;
  JsonWriter out;
  BeginEvent(out,
             {.id = event_id,
              .detail_type = "AWS X-Ray Insight Update",
              .source = "aws.xray",
              .time_ns = insight.update_ns},
             place);
  out.Key("InsightId").String(insight.id);
  out.Key("GroupName").String(stored.group_name).Key("GroupARN").String(stored.group_arn);
  out.Key("Category").BeginArray().String(CategoryName(insight.category)).EndArray();
  out.Key("State").String(StateName(insight.state)).Key("RootCauseServiceId");
  AppendServiceId(out, insight.root_cause);
  out.Key("StartTime").Seconds(insight.start_ns);
  if (insight.state == analysis::InsightState::kClosed) out.Key("EndTime").Seconds(insight.end_ns);
  out.Key("Summary").String(insight.summary).Key("ClientRequestImpactStatistics");
  AppendCounts(out, insight.clients);
  out.Key("RootCauseServiceRequestImpactStatistics");
  AppendCounts(out, insight.root_cause_counts);
  out.Key("TopAnomalousServices").BeginArray();
  for (const model::ServiceKey& key : insight.top_services) {
    out.BeginObject().Key("ServiceId");
    AppendServiceId(out, key);
    out.EndObject();
  }
  out.EndArray().EndObject().EndObject();
  return out.Take();
}

Result<void> Webhook::Check(const WebhookOptions& options) {
  if (options.url.empty()) return {};
  FLUORO_TRY(const net::UrlTarget target, net::TargetOf(options.url));
  if (options.allowed.MayName(target.host, target.port)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("webhook {}: no entry of webhook-allow holds {}:{}", options.url,
                          target.host, target.port));
}

Webhook::Webhook(WebhookOptions options, Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics) {
  if (!enabled()) return;
  for (const char* result : {"delivered", "failed", "dropped"}) (void)Count(result);
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

Webhook::~Webhook() { Stop(); }

void Webhook::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Counter Webhook::Count(const char* result) {
  return metrics_.GetCounter("fluoro_insight_notifications_total",
                             "Notifications of insights to the webhook", {{"result", result}});
}

void Webhook::Send(std::string body) {
  if (!enabled()) return;
  {
    MutexLock lock(mutex_);
    if (queue_.size() < kQueueMax) {
      queue_.push_back(std::move(body));
      changed_.notify_one();
      return;
    }
  }
  Count("dropped").Add();
}

void Webhook::Run(const std::stop_token& stop) {
  NameThread("webhook");
  for (;;) {
    std::string body;
    {
      MutexLock lock(mutex_);
      // The analysis cannot follow the lock into the predicate.
      changed_.wait(lock, stop,
                    [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS { return !queue_.empty(); });
      if (stop.stop_requested()) return;
      body = std::move(queue_.front());
      queue_.pop_front();
    }
    Count(Deliver(body, stop) ? "delivered" : "failed").Add();
  }
}

bool Webhook::Deliver(const std::string& body, const std::stop_token& stop) {
  std::int64_t wait_ns = options_.wait_ns;
  for (int attempt = 1;; ++attempt) {
    net::HttpCall call{.method = "POST", .url = options_.url, .body = body};
    call.headers["content-type"] = "application/json";
    call.timeout_ns = options_.attempt_ns_max;
    call.body_bytes_max = kAnswerBytesMax;
    call.ca_path = options_.ca_path;
    call.may_connect = [this](std::string_view host, std::string_view address, std::uint16_t port) {
      return options_.allowed.Allows(host, address, port);
    };
    const auto answer = net::Call(call);
    if (answer && answer->status >= 200 && answer->status < 300) return true;
    log::Warn("webhook", {{"attempt", std::to_string(attempt)},
                          {"error", answer ? fmt::format("status {}", answer->status)
                                           : answer.error().message}});
    // What is refused by the list stays refused.
    const bool final = !answer && answer.error().code == ErrorCode::kPermissionDenied;
    if (final || attempt >= options_.attempts) return false;
    MutexLock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::nanoseconds(wait_ns), [] { return false; });
    if (stop.stop_requested()) return false;
    wait_ns *= 4;
  }
}

}  // namespace fluoro::api::insights
