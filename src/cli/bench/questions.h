// fluoro bench lookup, search and graph: what answers cost, by the program's own HTTP interface.
#pragma once

#include <cstdint>

#include "cli/bench/load.h"

namespace fluoro::cli::bench {

struct QuestionOptions : LoadOptions {
  bool json = false;
  std::uint64_t lookups = 500;
};

/// Each loads the generated spans, starts the server again with cold caches, asks, prints one line
/// a question, and returns an exit code.
int BenchLookup(const QuestionOptions& options);
int BenchSearch(const QuestionOptions& options);
int BenchGraph(const QuestionOptions& options);

}  // namespace fluoro::cli::bench
