// A small blocking HTTP/1.1 client for our own commands.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http.h"

namespace fluoro::net {

struct HttpCall {
  std::string method = "GET";
  std::string url;  ///< http:// or https://
  Headers headers;
  std::string body;
  std::int64_t timeout_ns = 30'000'000'000;
  std::size_t body_bytes_max = std::size_t{1} << 30;
};

/// Errors: kUnreachable (no connection), kDeadlineExceeded, kTooLarge, kCorruption (not HTTP).
Result<HttpResponse> Call(const HttpCall& call);

/// Streams the body: `piece` returns false to stop. The answer's body is empty unless the status is
/// not 200.
Result<HttpResponse> CallStreaming(const HttpCall& call,
                                   const std::function<bool(std::string_view piece)>& piece);

}  // namespace fluoro::net
