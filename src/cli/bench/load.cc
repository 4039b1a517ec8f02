#include "cli/bench/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "cli/bench/http_connection.h"
#include "codec/otlp/otlp.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kSpansPerRequest = 500;
constexpr int kConnections = 8;
constexpr std::uint64_t kTracesPerSample = 16;
constexpr std::int64_t kTraceEveryNs = 100 * kNsPerUs;
constexpr std::uint64_t kSpansPerTrace = 8;  // or more: only says how far back the first one starts

std::int64_t TracesAbout(std::uint64_t spans) {
  return static_cast<std::int64_t>(std::max<std::uint64_t>(1, spans / kSpansPerTrace));
}

}  // namespace

std::vector<Sample::Trace> Sample::Draw(std::uint64_t count, Rng& rng) const {
  std::vector<Trace> drawn;
  for (std::uint64_t i = 0; i < count && !traces.empty(); ++i)
    drawn.push_back(traces[rng.Below(traces.size())]);
  return drawn;
}

TraceStream::TraceStream(const LoadOptions& options, std::int64_t now_ns)
    : workload_(Workload::Make(options.workload, options.seed)),
      spans_left_(options.spans),
      every_ns_(options.over_ns == 0 ? kTraceEveryNs
                                     : options.over_ns / TracesAbout(options.spans)),
      start_ns_(now_ns - 60 * kNsPerSecond - TracesAbout(options.spans) * every_ns_) {}

std::vector<model::Span> TraceStream::Next() {
  if (spans_left_ == 0) return {};
  auto trace = workload_->NextTrace(start_ns_);
  start_ns_ += every_ns_;
  spans_left_ -= std::min<std::uint64_t>(spans_left_, trace.size());
  return trace;
}

std::optional<Request> RequestStream::Next() {
  while (waiting_.size() < kSpansPerRequest) {
    auto trace = traces_.Next();
    if (trace.empty()) break;
    if (traces_count_++ % kTracesPerSample == 0) {
      const model::AttributeValue* const id = trace.back().Find("request.id");
      sample_.traces.push_back({.id = trace.front().trace_id.ToXRay(),
                                .spans = trace.size(),
                                .request_id = id == nullptr ? "" : *id->AsString()});
    }
    std::ranges::move(trace, std::back_inserter(waiting_));
  }
  if (waiting_.empty()) return std::nullopt;
  const std::size_t count = std::min(waiting_.size(), kSpansPerRequest);
  // The encoder puts spans of one resource together, as a collector does.
  Request request{.body = codec::otlp::EncodeTraces(std::span(waiting_).first(count),
                                                    codec::otlp::Encoding::kProtobuf),
                  .spans = count};
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  return request;
}

std::vector<Request> Take(RequestStream& stream, std::uint64_t requests_max) {
  std::vector<Request> requests;
  while (requests.size() < requests_max) {
    auto request = stream.Next();
    if (!request) break;
    requests.push_back(*std::move(request));
  }
  return requests;
}

Result<void> SendAll(const std::vector<Request>& requests, const std::function<Send()>& open) {
  std::atomic<std::size_t> next{0};
  Mutex mutex;
  Result<void> done;
  {
    std::vector<std::jthread> senders;
    senders.reserve(kConnections);
    for (int i = 0; i < kConnections; ++i) {
      senders.emplace_back([&] {
        const Send send = open();
        for (std::size_t at = next.fetch_add(1, std::memory_order_relaxed); at < requests.size();
             at = next.fetch_add(1, std::memory_order_relaxed)) {
          const Result<void> sent = send(requests[at]);
          if (sent) continue;
          const MutexLock lock(mutex);
          if (done) done = sent;
        }
      });
    }
  }
  return done;
}

Result<void> SendHttp(const BoundPorts& ports, const std::vector<Request>& requests,
                      std::string_view encoding) {
  return SendAll(requests, [&]() -> Send {
    auto connection = std::make_shared<HttpConnection>(ports.otlp_http);
    return [connection, encoding = std::string(encoding)](const Request& request) -> Result<void> {
      int status = 0;
      for (int attempt = 0; attempt < 500; ++attempt) {
        FLUORO_TRY(status, connection->Post("/v1/traces", "application/x-protobuf", encoding,
                                            request.body));
        if (status == 200) return {};
        if (status != 503 && status != 429) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("a request was refused: HTTP status {}", status));
    };
  });
}

}  // namespace fluoro::cli::bench
