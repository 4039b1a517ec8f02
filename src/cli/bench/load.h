// Requests of generated spans, and how they are sent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "cli/bench/workload.h"
#include "cli/running_server.h"

namespace fluoro::cli::bench {

struct LoadOptions {
  std::uint64_t spans = 200'000;
  std::uint64_t seed = 1;
  WorkloadKind workload = WorkloadKind::kFlat;
  std::int64_t over_ns = 0;  ///< from the first trace to the last; 0: 100 µs each
};

struct Request {
  std::string body;
  std::uint64_t spans = 0;
};

/// What of the generated spans to ask for later.
struct Sample {
  struct Trace {
    std::string id;  ///< in X-Ray's form
    std::uint64_t spans = 0;
    std::string request_id;  ///< value of request.id of one of its spans
  };
  std::vector<Trace> traces;  ///< every 16th
  /// `count` of them, drawn with `rng`; one may come twice.
  [[nodiscard]] std::vector<Trace> Draw(std::uint64_t count, Rng& rng) const;
};

/// The generated traces one after the other: whole traces until there are `spans` spans or a few
/// more, evenly apart, the last about a minute before `now_ns`.
class TraceStream {
 public:
  TraceStream(const LoadOptions& options, std::int64_t now_ns);
  /// Empty: that was all.
  std::vector<model::Span> Next();
  [[nodiscard]] std::int64_t next_start_ns() const { return start_ns_; }

 private:
  std::unique_ptr<Workload> workload_;
  std::uint64_t spans_left_;
  std::int64_t every_ns_;
  std::int64_t start_ns_;
};

/// OTLP/protobuf requests of 500 spans, made as they are asked for.
class RequestStream {
 public:
  RequestStream(const LoadOptions& options, std::int64_t now_ns) : traces_(options, now_ns) {}
  std::optional<Request> Next();
  /// Of the first trace that is in no request yet.
  [[nodiscard]] std::int64_t next_start_ns() const { return traces_.next_start_ns(); }
  /// Of what was made so far.
  [[nodiscard]] const Sample& sample() const { return sample_; }

 private:
  TraceStream traces_;
  Sample sample_;
  std::uint64_t traces_count_ = 0;
  std::vector<model::Span> waiting_;
};

/// At most so many of the stream's requests.
std::vector<Request> Take(RequestStream& stream, std::uint64_t requests_max = UINT64_MAX);

/// Sends all requests over eight threads; `open` makes each thread's sender, which fails if a
/// request failed for good. Errors: that of one that did.
using Send = std::function<Result<void>(const Request&)>;
Result<void> SendAll(const std::vector<Request>& requests, const std::function<Send()>& open);

/// By OTLP/HTTP over kept connections; what is refused for a moment is sent again. `encoding`: of
/// the bodies, or "".
Result<void> SendHttp(const BoundPorts& ports, const std::vector<Request>& requests,
                      std::string_view encoding);

}  // namespace fluoro::cli::bench
