#include "cli/bench/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "cli/bench/workload.h"
#include "codec/otlp/otlp.h"
#include "net/http_client.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kSpansPerRequest = 500;
constexpr int kConnections = 2;
constexpr std::uint64_t kTracesPerSample = 16;

}  // namespace

std::vector<Request> MakeOtlpRequests(const LoadOptions& options, Sample* sample) {
  Workload workload(options.seed);
  std::vector<Request> requests;
  std::vector<model::Span> spans;
  std::uint64_t made = 0;
  std::uint64_t traces = 0;
  const std::int64_t begin_ns = SystemClock().UnixNs() - 60 * kNsPerSecond;
  const auto flush = [&] {
    if (spans.empty()) return;
    // As a collector batches: spans of one resource stand together.
    std::ranges::stable_sort(spans, [](const model::Span& a, const model::Span& b) {
      return a.resource.get() < b.resource.get();
    });
    requests.push_back(
        {codec::otlp::EncodeTraces(spans, codec::otlp::Encoding::kProtobuf), spans.size()});
    spans.clear();
  };
  while (made < options.spans) {
    auto trace = workload.NextTrace(begin_ns + static_cast<std::int64_t>(made) * 20 * kNsPerUs);
    made += trace.size();
    if (sample != nullptr && traces++ % kTracesPerSample == 0) {
      sample->trace_ids.push_back(trace.front().trace_id.ToXRay());
      if (const auto* id = trace.back().Find("request.id")) {
        sample->request_ids.push_back(*id->AsString());
      }
    }
    for (auto& span : trace) {
      spans.push_back(std::move(span));
      if (spans.size() == kSpansPerRequest) flush();
    }
  }
  flush();
  return requests;
}

bool SendAll(const std::vector<Request>& requests,
             const std::function<bool(const Request&)>& send) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> ok{true};
  {
    std::vector<std::jthread> senders;
    senders.reserve(kConnections);
    for (int i = 0; i < kConnections; ++i) {
      senders.emplace_back([&] {
        for (std::size_t at = next.fetch_add(1, std::memory_order_relaxed); at < requests.size();
             at = next.fetch_add(1, std::memory_order_relaxed)) {
          if (!send(requests[at])) ok.store(false, std::memory_order_relaxed);
        }
      });
    }
  }
  return ok.load();
}

bool SendHttp(const BoundPorts& ports, const std::vector<Request>& requests,
              const std::string& encoding) {
  return SendAll(requests, [&](const Request& request) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      net::HttpCall call;
      call.method = "POST";
      call.url = "http://" + ports.otlp_http + "/v1/traces";
      call.headers["content-type"] = "application/x-protobuf";
      if (!encoding.empty()) call.headers["content-encoding"] = encoding;
      call.body = request.body;
      const auto answer = net::Call(call);
      if (!answer) return false;
      if (answer->status == 200) return true;
      if (answer->status != 503 && answer->status != 429) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  });
}

}  // namespace fluoro::cli::bench
