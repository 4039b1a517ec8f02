// The seam between the commands that need a server in this process (serve, demo, bench) and the
// object graph that app builds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/serve_config.h"

namespace fluoro::cli {

/// Bound addresses with their real ports; empty where the listener is off.
struct BoundPorts {
  std::string http;
  std::string udp;
  std::string otlp_http;
  std::string otlp_grpc;
};

class RunningServer {
 public:
  virtual ~RunningServer() = default;
  [[nodiscard]] virtual const BoundPorts& ports() const = 0;
  /// Stops accepting, finishes what is accepted, seals. Errors: what the store could not keep.
  virtual Result<void> Stop() = 0;
};

/// Starts everything or nothing. Errors: kAlreadyExists (port or folder taken), kIo, ...
using ServerFactory =
    std::function<Result<std::unique_ptr<RunningServer>>(const ServeConfig& config)>;

}  // namespace fluoro::cli
