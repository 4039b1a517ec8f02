// A server in a process of its own, so that its CPU time and memory are its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
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
  /// Ends it cleanly and starts it again on its folder, with none of the folder's blocks in the
  /// system's page cache. Errors: as Start and Stop.
  Result<void> Restart();
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
  ServerProcess(std::string folder, std::vector<std::string> flags);
  Result<void> Spawn();
  void ForEachBlock(
      const std::function<void(const std::filesystem::directory_entry&)>& visit) const;
  pid_t pid_ = 0;
  std::string folder_;
  std::vector<std::string> flags_;
  BoundPorts ports_;
};

}  // namespace fluoro::cli::bench
