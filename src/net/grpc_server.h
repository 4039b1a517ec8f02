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
  int code = 0;                ///< grpc::StatusCode
  std::string message;         ///< status message, when code is not 0
  std::string status_details;  ///< google.rpc.Status for grpc-status-details-bin, or empty
  std::string body;            ///< response message, when code is 0
};

/// `method`: "/package.Service/Method". Runs on a worker thread, may block, must not throw.
using GrpcHandler = std::function<GrpcAnswer(std::string_view method, std::string_view body,
                                             std::string_view peer)>;

struct GrpcServerOptions {
  std::string address;
  std::size_t message_bytes_max = std::size_t{64}
                                  << 20;  ///< after inflation; beyond: RESOURCE_EXHAUSTED
  std::size_t calls_max = 256;            ///< at once; beyond: UNAVAILABLE
  TlsFiles tls;
};

class GrpcServer {
 public:
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                   GrpcHandler handler, Metrics& metrics);
  ~GrpcServer();
  [[nodiscard]] const std::string& address() const;
  void Stop(std::int64_t deadline_ns);

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
