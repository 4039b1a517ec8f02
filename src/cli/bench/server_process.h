// A server in a process of its own, so that its CPU time and memory are its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/bench/cpus.h"
#include "cli/running_server.h"

namespace fluoro::cli::bench {

class ServerProcess {
 public:
  /// Starts this program's `serve` on free ports and a fresh folder below TMPDIR. `cores`: where
  /// the load (this thread) and the server run; not given: anywhere. Errors: kInternal with the
  /// reason.
  static Result<std::unique_ptr<ServerProcess>> Start(const std::optional<Cores>& cores);
  /// Kills it if it runs, and removes the folder.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] const BoundPorts& ports() const { return ports_; }
  [[nodiscard]] std::string data_folder() const { return folder_ + "/data"; }

  struct Cost {
    double cpu_seconds = 0;
    std::uint64_t peak_rss_bytes = 0;
  };
  /// Since the process began.
  [[nodiscard]] Cost CostNow() const;
  /// CPU of its threads of this name until now; 0 where the system does not say (no schedstat).
  [[nodiscard]] double ThreadSeconds(std::string_view name) const;
  /// SIGTERM, waits: what was accepted is in blocks afterwards. Returns what the process cost in
  /// all. Errors: kInternal (exit code not 0).
  Result<Cost> Stop();
  /// On a stopped server's folder: does all merges that the next hours would bring (see
  /// RunMergesAhead), in a process of its own. Errors: kInternal.
  Result<Cost> Merge();
  /// On a stopped server's folder: starts it again. Errors: as Start.
  Result<void> StartAgain() { return Serve(); }

  /// How the page cache was emptied.
  enum class ColdBy : std::uint8_t { kDropCaches, kAdvice };
  /// On a stopped server's folder: its files leave the system's page cache, by
  /// /proc/sys/vm/drop_caches where that is allowed, else by POSIX_FADV_DONTNEED.
  [[nodiscard]] ColdBy MakeCold() const;

  /// Bytes of its blocks, and of everything in its folder.
  [[nodiscard]] std::uint64_t BlockBytes() const;
  [[nodiscard]] std::uint64_t FolderBytes() const;
  /// Of each of these counters or gauges the sum over its labels, read at once; 0 if there is none.
  [[nodiscard]] std::vector<double> Metrics(std::span<const std::string_view> names) const;

 private:
  ServerProcess(std::string folder, const std::optional<Cores>& cores);
  Result<void> Spawn(std::vector<std::string> words);
  Result<void> Serve();
  Result<Cost> WaitForEnd(std::string_view who);

  pid_t pid_ = 0;
  std::string folder_;
  std::optional<Cores> cores_;
  BoundPorts ports_;
};

}  // namespace fluoro::cli::bench
