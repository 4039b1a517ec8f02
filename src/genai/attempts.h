// Requests that a client sent again without saying so: instrumentations of HTTP clients write
// http.request.resend_count only where they send again themselves, and most clients of models do
// it above them. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/span.h"

namespace fluoro::genai {

/// A request of a client.
struct Request {
  std::uint64_t target = 0;  ///< hash of method and URL
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  bool failed = false;    ///< error, throttle or timeout, or a status of 400 or more
  bool answered = false;  ///< has a status
};

/// Nothing for spans that are no client's HTTP request with a URL.
std::optional<Request> RequestOf(const model::Span& span);

/// How often `requests`, those of one parent, were sent again, at most: the longest row of requests
/// to one target, each after the end of the one before, by 60 s at most, all but the last failed or
/// without any answer. Sorts them.
std::int64_t ResendsAmong(std::vector<Request>& requests);

}  // namespace fluoro::genai
