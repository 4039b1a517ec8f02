// fluoro bench rows: the generated spans for a peer.
#pragma once

#include <string>

#include "cli/bench/bench_options.h"

namespace fluoro::cli::bench {

/// Writes the spans that the other commands send as ClickHouse RowBinary, with the columns of the
/// table `otel_traces` of the OpenTelemetry collector's ClickHouse exporter in their order
/// (bench/peers/clickhouse.mjs). Returns an exit code.
int WriteRows(const BenchOptions& options, const std::string& path);

}  // namespace fluoro::cli::bench
