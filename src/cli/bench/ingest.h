// fluoro bench ingest: what receiving costs.
#pragma once

#include <string>

#include "cli/bench/bench_options.h"

namespace fluoro::cli::bench {

/// One line a protocol. The CPU counts from the first byte until everything is sealed and merged;
/// then every span must be found again. Returns an exit code.
int BenchIngest(const BenchOptions& options);

}  // namespace fluoro::cli::bench
