// Calls between the demo's services, each recorded by who calls and by who is called.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "cli/demo/recorder.h"
#include "cli/demo/scenario.h"
#include "net/http.h"

namespace fluoro::cli::demo {

void Work(std::int64_t ms);

/// The work of a service on a request, below its caller's.
Scope Begin(Recorder& recorder, const Service& service, const net::HttpRequest& request);

struct ServiceCall {
  std::string service;  ///< who is called
  std::string url;
  std::string body;
  Carried carried;
  std::int64_t timeout_ns = 10 * kNsPerSecond;  ///< streamed: up to the header
  /// Takes the pieces of a streamed answer. Empty: the answer comes whole.
  std::function<bool(std::string_view piece)> piece = {};
};

/// Recorded as a client's child of `parent`. Errors: kDeadlineExceeded, kUnreachable. Thread-safe.
Result<net::HttpResponse> CallService(Scope& parent, const ServiceCall& call);

}  // namespace fluoro::cli::demo
