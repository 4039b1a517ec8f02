// What all of `fluoro bench` shares.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/bench/load.h"
#include "cli/bench/server_process.h"

namespace fluoro::cli::bench {

struct BenchOptions {
  LoadOptions load;
  bool json = false;
  std::optional<Cores> cores;  ///< --pin
  std::string protocol;        ///< ingest: one only; empty: all
  std::uint64_t lookups = 1'000;
  int repeats = 5;  ///< search, graph: each question so many times
};

/// A running server that has answered one question.
struct Asked {
  std::string answer;
  std::int64_t took_ns = 0;
  double cpu_seconds = 0;  ///< of the server
};
/// POST of JSON. Errors: kUnreachable, kUnavailable (an answer that is not 200).
Result<Asked> Ask(const ServerProcess& server, const std::string& path, std::string body);

/// Every one of these traces is answered with all its spans. Errors: kCorruption naming one that is
/// not.
Result<void> FindAgain(const ServerProcess& server, const std::vector<Sample::Trace>& traces);

/// Spans in the blocks of a stopped server's folder, all checksums walked. Errors: kCorruption
/// (something is damaged).
Result<std::uint64_t> CountSpans(const ServerProcess& server);

}  // namespace fluoro::cli::bench
