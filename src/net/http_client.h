// A small blocking HTTP/1.1 client for our own commands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http.h"

namespace fluoro::net {

struct HttpCall {
  std::string method = "GET";
  std::string url = {};  ///< http:// or https://
  Headers headers = {};
  std::string body = {};
  std::int64_t timeout_ns = 30'000'000'000;  ///< of the whole call; streaming: up to the header
  std::size_t body_bytes_max = std::size_t{1} << 30;
  std::string ca_path = {};  ///< PEM file of trusted roots for https; empty: the system's
};

/// One connection a call; names are resolved without a deadline. Header names of the answer are
/// lower-case. Errors: kInvalidArgument (the URL), kUnreachable (no connection, TLS refused, cut
/// off), kDeadlineExceeded, kTooLarge, kCorruption (not HTTP). Thread-safe.
Result<HttpResponse> Call(const HttpCall& call);

/// Streams the body of a 200: `piece` returns false to stop, which is success. With any other
/// status the answer holds the body. A body that ends before its length or last chunk is
/// kUnreachable.
Result<HttpResponse> CallStreaming(const HttpCall& call,
                                   const std::function<bool(std::string_view piece)>& piece);

}  // namespace fluoro::net
