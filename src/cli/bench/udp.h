// fluoro bench udp: how many X-Ray segments a second become queryable with none lost.
#pragma once

#include "cli/bench/bench_options.h"

namespace fluoro::cli::bench {

/// Offers segments at steady rates until it has the highest at which every one is stored, then
/// sends them for 15 s at 90 % of it, --spans at most. Fails if what is stored and what is counted
/// as dropped do not add up to what was sent. Returns an exit code.
int BenchUdp(const BenchOptions& options);

}  // namespace fluoro::cli::bench
