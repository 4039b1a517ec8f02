// HTTP/1.1 over TCP or TLS: reads requests within limits and deadlines, inflates, hands plain
// values to a handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/metrics.h"
#include "net/http.h"

namespace fluoro::net {

struct TlsFiles {
  std::string certificate_path;
  std::string key_path;
  [[nodiscard]] bool empty() const { return certificate_path.empty(); }
};

struct HttpServerOptions {
  std::string address;  ///< "127.0.0.1:2000", "[::1]:0"; port 0 picks a free one
  std::string name;     ///< label of the metrics: "http", "otlp_http"
  std::size_t body_bytes_max = std::size_t{64} << 20;  ///< before and after inflation
  std::size_t inflation_ratio_max = 100;               ///< above 1 MiB
  std::size_t header_bytes_max = 64 << 10;
  std::int64_t header_deadline_ns = 10'000'000'000;
  std::int64_t body_deadline_ns = 60'000'000'000;
  std::int64_t idle_deadline_ns = 60'000'000'000;
  std::size_t connections_max = 1'024;    ///< further ones are accepted and closed
  std::size_t worker_threads = 4;         ///< handlers run here
  std::size_t queued_requests_max = 256;  ///< beyond: answered 503 with Retry-After
  std::size_t queued_bytes_max = std::size_t{128} << 20;
  std::size_t streams_max = 64;  ///< streamed answers at once
  TlsFiles tls;
};

/// Starts listening in Start and serves until Stop. Stop ends accepting, waits for requests in
/// flight (bounded by the deadline), then closes. Thread-safe.
class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   HttpHandler handler,
                                                   HttpErrorAnswer error_answer, Metrics& metrics);
  ~HttpServer();
  /// The bound address with its real port.
  [[nodiscard]] const std::string& address() const;
  void Stop(std::int64_t deadline_ns);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
