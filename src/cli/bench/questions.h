// fluoro bench lookup, search and graph: what answers cost, by the program's own HTTP interface.
#pragma once

#include "cli/bench/bench_options.h"

namespace fluoro::cli::bench {

/// Each loads the generated spans, merges, starts the server again, asks, prints one line a
/// question, and returns an exit code.
int BenchLookup(const BenchOptions& options);
int BenchSearch(const BenchOptions& options);
int BenchGraph(const BenchOptions& options);
/// What a page of GenAI dashboards asks over `options.load.over_ns`, in blocks as that time of
/// traffic leaves them (fill.h).
int BenchDashboards(const BenchOptions& options);

}  // namespace fluoro::cli::bench
