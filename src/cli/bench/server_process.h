// A server in a process of its own, so that its CPU time and memory are its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/running_server.h"

namespace fluoro::cli::bench {

class ServerProcess {
 public:
  /// Starts this program's `serve` on free ports and a fresh folder. Errors: kInternal with the
  /// reason.
  static Result<std::unique_ptr<ServerProcess>> Start(const std::vector<std::string>& flags);
  /// Kills it if it runs, and removes the folder.
  ~ServerProcess();
  [[nodiscard]] const BoundPorts& ports() const { return ports_; }
  struct Cost {
    double cpu_seconds = 0;
    std::uint64_t peak_rss_bytes = 0;
  };
  [[nodiscard]] Cost CostNow() const;
  /// SIGTERM, waits; returns what it cost in all. Errors: kInternal (exit code not 0).
  Result<Cost> Stop();
  /// Bytes of its blocks.
  [[nodiscard]] std::uint64_t BlockBytes() const;

 private:
  ServerProcess(pid_t pid, std::string folder, BoundPorts ports);
  pid_t pid_;
  std::string folder_;
  BoundPorts ports_;
};

}  // namespace fluoro::cli::bench
