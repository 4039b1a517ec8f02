// fluoro bench send: the generated spans for a peer that receives OTLP/HTTP.
#pragma once

#include <string>

#include "cli/bench/bench_options.h"

namespace fluoro::cli::bench {

/// Sends the spans that `ingest` sends by OTLP/HTTP, as protobuf without compression over four
/// connections, to `address` ("127.0.0.1:4318"); all are made before the first byte is sent. With
/// --json the answer names 1,000 of the traces by their ids as 32 hex digits and says how many
/// spans each has, so that they can be asked for. Returns an exit code; an error if a request was
/// refused for good.
int SendSpans(const BenchOptions& options, const std::string& address);

}  // namespace fluoro::cli::bench
