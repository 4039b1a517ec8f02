// Generated spans for benchmarks: 60 services, ~350 routes, ~740 pods with 20 resource attributes
// each, 11 attributes a span on average, 8.6 spans a trace with a heavy tail; about 700 bytes a
// span as OTLP. Zipf-distributed users and tenants. Deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/span.h"

namespace fluoro::cli::bench {

class Workload {
 public:
  explicit Workload(std::uint64_t seed);
  /// The next whole trace; its root starts at `start_ns`.
  std::vector<model::Span> NextTrace(std::int64_t start_ns);
  /// A segment document of about 700 bytes, as an X-Ray SDK would send it.
  std::string NextDocument(std::int64_t start_ns);

 private:
  struct Pod {
    std::size_t service;
    std::shared_ptr<const model::Resource> resource;
  };
  model::Span MakeSpan(const model::TraceId& trace, const model::SpanId& parent,
                       std::size_t service, bool server, std::int64_t start_ns,
                       std::int64_t duration_ns);
  model::SpanId NewSpanId();
  model::TraceId NewTraceId(std::int64_t start_ns);
  std::uint64_t Zipf(std::uint64_t bound);

  Rng rng_;
  std::vector<Pod> pods_;
  std::shared_ptr<const model::Scope> scope_;
  std::vector<std::string> routes_;
};

}  // namespace fluoro::cli::bench
