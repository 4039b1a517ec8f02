#include "net/http_core.h"

#include <fmt/format.h>

namespace fluoro::net {
namespace {

constexpr std::size_t kPendingBytesMax = 256 << 10;

constexpr std::array<const char*, kRefusalsCount> kRefusalNames = {
    "bad_request",  "header_too_large", "body_too_large", "encoding", "queue_full", "bytes_full",
    "streams_full", "connections",      "descriptors",    "deadline", "cut"};

}  // namespace

HttpMetrics::HttpMetrics(Metrics& metrics, const std::string& listener)
    : received_bytes(metrics.GetCounter("fluoro_http_received_bytes_total",
                                        "Body bytes received, before inflation",
                                        {{"listener", listener}})),
      sent_bytes(metrics.GetCounter("fluoro_http_sent_bytes_total", "Bytes of answers sent",
                                    {{"listener", listener}})),
      in_flight(metrics.GetGauge("fluoro_http_requests_in_flight", "Requests waiting or handled",
                                 {{"listener", listener}})),
      connections(metrics.GetGauge("fluoro_http_connections", "Open connections",
                                   {{"listener", listener}})) {
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers.at(i) =
        metrics.GetCounter("fluoro_http_requests_total", "Requests answered, by class of status",
                           {{"listener", listener}, {"status", fmt::format("{}xx", i + 1)}});
  }
  for (std::size_t i = 0; i < kRefusalsCount; ++i) {
    refused.at(i) = metrics.GetCounter("fluoro_http_refused_total",
                                       "Connections and requests that never reached a handler",
                                       {{"listener", listener}, {"reason", kRefusalNames.at(i)}});
  }
}

void HttpMetrics::Answered(int status) {
  const int index = status / 100 - 1;
  if (index >= 0 && index < static_cast<int>(answers.size())) {
    answers.at(static_cast<std::size_t>(index)).Add();
  }
}

std::atomic<std::size_t>& ProcessConnections() {
  static std::atomic<std::size_t> connections = 0;
  return connections;
}

HttpResponse HttpCore::ErrorAnswer(const HttpRequest& head, int status,
                                   std::string_view message) const {
  HttpResponse response = error_answer ? error_answer(head, status, message)
                                       : HttpResponse::Text(status, std::string(message) + "\n");
  if (response.status == 503 && !response.headers.contains("retry-after") &&
      !response.headers.contains("Retry-After")) {
    response.headers["retry-after"] = "1";
  }
  return response;
}

bool StreamChannel::Write(std::string_view piece) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    changed_.wait(lock, [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
      return gone_ || pending_.size() < kPendingBytesMax;
    });
    if (gone_) return false;
    if (piece.empty()) return true;
    if (chunked_) pending_ += fmt::format("{:x}\r\n", piece.size());
    pending_ += piece;
    if (chunked_) pending_ += "\r\n";
    wake = !std::exchange(awake_, true);
  }
  if (wake) wake_();
  return true;
}

void StreamChannel::Finish(bool whole) {
  {
    MutexLock lock(mutex_);
    finished_ = true;
    whole_ = whole;
    if (chunked_ && whole) pending_ += "0\r\n\r\n";
    if (std::exchange(awake_, true)) return;
  }
  wake_();
}

StreamChannel::Pending StreamChannel::TakePending() {
  Pending taken;
  {
    MutexLock lock(mutex_);
    taken.bytes = std::exchange(pending_, {});
    taken.finished = finished_;
    taken.whole = whole_;
    if (taken.bytes.empty()) awake_ = false;
  }
  changed_.notify_all();
  return taken;
}

void StreamChannel::MarkGone() {
  {
    MutexLock lock(mutex_);
    gone_ = true;
  }
  changed_.notify_all();
}

}  // namespace fluoro::net
