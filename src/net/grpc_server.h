// gRPC server of unary methods on raw message bytes: no generated code, no protobuf objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/metrics.h"
#include "net/http_server.h"

namespace fluoro::net {

struct GrpcAnswer {
  int code = 0;                     ///< grpc::StatusCode
  std::string message = {};         ///< status message, when code is not 0
  std::string status_details = {};  ///< google.rpc.Status for grpc-status-details-bin, or empty
  std::string body = {};            ///< response message, when code is 0
};

/// One call, as long as its handler runs.
struct GrpcCall {
  std::string_view method;         ///< "/package.Service/Method"
  std::string_view body;           ///< request message, inflated
  std::string_view peer;           ///< "127.0.0.1:51234"
  std::string_view authorization;  ///< metadata of that name; empty: none
};

/// Runs on a worker thread, may block, must not throw.
using GrpcHandler = std::function<GrpcAnswer(const GrpcCall& call)>;

struct GrpcServerOptions {
  std::string address = {};
  std::size_t message_bytes_max = std::size_t{64}
                                  << 20;  ///< after inflation; beyond: RESOURCE_EXHAUSTED
  std::size_t inflation_ratio_max = 100;  ///< of a compressed message, above 1 MiB
  std::size_t calls_max = 256;            ///< waiting for a worker; beyond: UNAVAILABLE
  std::size_t queued_bytes_max = std::size_t{128} << 20;  ///< being handled; beyond: UNAVAILABLE
  std::size_t worker_threads = 4;                         ///< handlers run here
  std::int64_t message_deadline_ns = 60'000'000'000;      ///< from call to whole message
  std::string overload_details =
      {};  ///< google.rpc.Status sent with UNAVAILABLE (RetryInfo), or empty
  TlsFiles tls = {};
};

/// Compressed messages: gzip, deflate and zstd, each inflated within bounds by ourselves; others
/// are UNIMPLEMENTED. Thread-safe. Metrics: fluoro_grpc_requests_total{status=ok|error},
/// fluoro_grpc_refused_total{reason}, fluoro_grpc_requests_in_flight,
/// fluoro_grpc_received_bytes_total.
class GrpcServer {
 public:
  /// Errors: as HttpServer::Start.
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                   GrpcHandler handler, Metrics& metrics);
  ~GrpcServer();
  [[nodiscard]] const std::string& address() const;
  /// Refuses new calls, waits at most `deadline_ns` from now for those under way, cancels the rest;
  /// returns when no handler runs any more.
  void Stop(std::int64_t deadline_ns);

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
