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
  std::string certificate_path = {};
  std::string key_path = {};
  [[nodiscard]] bool empty() const { return certificate_path.empty(); }
};

struct HttpServerOptions {
  std::string address = {};  ///< "127.0.0.1:2000", "[::1]:0"; port 0 picks a free one
  std::string name = {};     ///< label of the metrics: "http", "otlp_http"
  std::size_t body_bytes_max = std::size_t{64} << 20;  ///< before and after inflation
  std::size_t inflation_ratio_max = 100;               ///< above 1 MiB
  std::size_t header_bytes_max = 64 << 10;
  std::int64_t header_deadline_ns = 10'000'000'000;
  std::int64_t body_deadline_ns = 60'000'000'000;
  std::int64_t idle_deadline_ns = 60'000'000'000;
  std::size_t connections_max = 1'024;  ///< further ones are accepted and closed; the process also
                                        ///< keeps a quarter of its descriptors for other uses
  std::size_t worker_threads = 8;       ///< handlers run here, and wait for the disk
  std::size_t queued_requests_max = 256;  ///< beyond: answered 503 with Retry-After
  std::size_t queued_bytes_max = std::size_t{128} << 20;
  std::size_t streams_max = 64;  ///< streamed answers at once
  TlsFiles tls = {};
};

/// Starts listening in Start and serves until Stop. Thread-safe.
/// Metrics, each with label `listener` = name: fluoro_http_requests_total{status},
/// fluoro_http_refused_total{reason}, fluoro_http_requests_in_flight, fluoro_http_connections,
/// fluoro_http_received_bytes_total, fluoro_http_sent_bytes_total.
class HttpServer {
 public:
  /// `error_answer` may be empty: plain text then. It runs on a thread that must not block.
  /// Errors: kInvalidArgument, kAlreadyExists and kIo as "cannot listen on 127.0.0.1:2000: Address
  /// already in use", or "cannot use certificate FILE: ...".
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   HttpHandler handler,
                                                   HttpErrorAnswer error_answer, Metrics& metrics);
  ~HttpServer();
  /// The bound address with its real port.
  [[nodiscard]] const std::string& address() const;
  /// Ends accepting, closes idle connections and streams, waits at most `deadline_ns` from now for
  /// requests in flight, then closes all; returns when no handler runs any more. Twice is fine.
  void Stop(std::int64_t deadline_ns);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
