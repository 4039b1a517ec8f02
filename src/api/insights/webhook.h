// Tells a webhook of insights: one POST each, in the shape of an EventBridge event.
// Source: X-Ray developer guide, "X-Ray insights notifications"; docs/insights.md.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "api/insights/insight_record.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "control/place.h"
#include "net/address_list.h"

namespace fluoro::api::insights {

struct WebhookOptions {
  std::string url;  ///< http:// or https://; empty: nobody is told
  net::AddressList allowed;
  std::string ca_path{};  ///< PEM file of trusted roots; empty: the system's
  int attempts = 3;
  std::int64_t attempt_ns_max = 10LL * 1'000'000'000;
  /// Before the second attempt; four times as long before each further one.
  std::int64_t wait_ns = 1'000'000'000;
};

/// One event in the shape of Amazon EventBridge.
struct Event {
  std::string_view id;
  std::string_view detail_type;
  std::string_view source;
  std::int64_t time_ns = 0;
};
/// Writes it up to the members of "detail"; two EndObject end it.
void BeginEvent(JsonWriter& out, const Event& event, const control::Place& place);

/// {"version","id","detail-type":"AWS X-Ray Insight Update","source":"aws.xray","account","time",
/// "region","resources","detail":{...}}
std::string NotificationBody(const StoredInsight& stored, std::string_view event_id,
                             const control::Place& place);

/// Sends what it is given, in order, on a thread of its own. Best effort: kQueueMax wait at most,
/// more are dropped; a notification that was tried `attempts` times is given up. Redirects are not
/// followed. Thread-safe.
class Webhook {
 public:
  static constexpr std::size_t kQueueMax = 256;
  /// Errors: kInvalidArgument where the URL is none, or no entry of `allowed` could hold it.
  static Result<void> Check(const WebhookOptions& options);
  Webhook(WebhookOptions options, Metrics& metrics);
  ~Webhook();
  [[nodiscard]] bool enabled() const { return !options_.url.empty(); }
  void Send(std::string body);
  /// Drops what waits.
  void Stop();

 private:
  void Run(const std::stop_token& stop);
  [[nodiscard]] bool Deliver(const std::string& body, const std::stop_token& stop);
  [[nodiscard]] Counter Count(const char* result);

  WebhookOptions options_;
  Metrics& metrics_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> queue_ FLUORO_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace fluoro::api::insights
