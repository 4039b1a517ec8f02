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
  /// Asked of each address that the URL's host resolves to (text of IPv4 or IPv6); the connection
  /// goes to one of those it answers true for. Empty: to any.
  std::function<bool(std::string_view host, std::string_view address, std::uint16_t port)>
      may_connect = {};
};

/// Where a URL leads. Errors: kInvalidArgument.
struct UrlTarget {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
};
Result<UrlTarget> TargetOf(std::string_view url);

/// One connection a call; redirects are answers like others; names are resolved without a deadline.
/// Header names of the answer are lower-case. Errors: kInvalidArgument (the URL), kPermissionDenied
/// (may_connect holds for no address), kUnreachable (no connection, TLS refused, cut off),
/// kDeadlineExceeded, kTooLarge, kCorruption (not HTTP). Thread-safe.
Result<HttpResponse> Call(const HttpCall& call);

/// Streams the body of a 200: `piece` returns false to stop, which is success. With any other
/// status the answer holds the body. A body that ends before its length or last chunk is
/// kUnreachable.
Result<HttpResponse> CallStreaming(const HttpCall& call,
                                   const std::function<bool(std::string_view piece)>& piece);

}  // namespace fluoro::net
