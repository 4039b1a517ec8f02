// Requests of generated spans, made before the clock starts, and how they are sent.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/running_server.h"

namespace fluoro::cli::bench {

struct LoadOptions {
  std::uint64_t spans = 200'000;
  std::uint64_t seed = 1;
};

struct Request {
  std::string body;
  std::uint64_t spans = 0;
};

/// What of the generated spans to ask for later.
struct Sample {
  std::vector<std::string> trace_ids;    ///< of every 16th trace
  std::vector<std::string> request_ids;  ///< values of request.id, one of each of these traces
};

/// The generated spans as OTLP/protobuf requests of 500 spans, the last minute before now. Appends
/// to `sample` if there is one.
std::vector<Request> MakeOtlpRequests(const LoadOptions& options, Sample* sample = nullptr);

/// Sends all requests over two threads; false if one failed for good.
bool SendAll(const std::vector<Request>& requests, const std::function<bool(const Request&)>& send);

/// By OTLP/HTTP; what is refused for a moment is sent again. `encoding`: of the bodies, or "".
bool SendHttp(const BoundPorts& ports, const std::vector<Request>& requests,
              const std::string& encoding);

}  // namespace fluoro::cli::bench
