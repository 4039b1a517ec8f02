// Generated spans for benchmarks. Deterministic: the seed and the start times give every byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/span.h"

namespace fluoro::cli::bench {

/// All sets have the span attributes `tenant` (Zipf), `enduser.id`, `url.full` (an id below a
/// million in it) and `request.id` (of one span only), so that the same questions fit all.
enum class WorkloadKind : std::uint8_t {
  /// 20 services of 10 operations each, 10 spans a trace, 15 attributes a span (11 texts: 7 of few
  /// values, 1 of a thousand, 3 of many; 4 integers), 6 resource attributes, 1 % errors, log-normal
  /// durations; about 677 bytes a span as OTLP.
  kFlat,
  /// 60 services, ~350 routes, ~740 pods with 20 resource attributes each, 11 attributes a span on
  /// average, 8.6 spans a trace with a heavy tail; about 1,110 bytes a span as OTLP.
  kCluster,
  /// Requests of agents: gateway, agent, retriever with its store, reranker, two calls of one of
  /// five models, one to four tools with their requests; 10.6 spans a trace, 50 tenants and 6
  /// routes by Zipf, 3 experiments of two arms.
  kGenAi,
};

/// Not thread-safe.
class Workload {
 public:
  static std::unique_ptr<Workload> Make(WorkloadKind kind, std::uint64_t seed);
  virtual ~Workload() = default;
  /// The next whole trace; its root, which is the first span, starts at `start_ns`.
  virtual std::vector<model::Span> NextTrace(std::int64_t start_ns) = 0;

 protected:
  explicit Workload(std::uint64_t seed) : rng_(seed) {}
  model::SpanId NewSpanId();
  /// With the seconds of `start_ns` in front, as X-Ray wants.
  model::TraceId NewTraceId(std::int64_t start_ns);
  /// In [0, bound): k with a probability of about 1 / (k ln(bound)).
  std::uint64_t Zipf(std::uint64_t bound);
  /// Normally distributed around 0 with deviation 1.
  double Normal();
  std::string Uuid();
  static model::AttributeValue Value(auto value) {
    model::AttributeValue result;
    result.value = std::move(value);
    return result;
  }

  Rng rng_;
};

std::unique_ptr<Workload> MakeFlatWorkload(std::uint64_t seed);
std::unique_ptr<Workload> MakeClusterWorkload(std::uint64_t seed);
std::unique_ptr<Workload> MakeGenAiWorkload(std::uint64_t seed);

/// Where the ids stand in what SegmentDocument gives, so that a document can be sent again as
/// another.
inline constexpr std::size_t kDocumentIdAt = 7;        ///< 16 hex digits
inline constexpr std::size_t kDocumentTraceIdAt = 48;  ///< the last 24 hex digits
/// The span as a segment document of an X-Ray SDK: its HTTP attributes as `http`, texts as
/// annotations, integers as metadata. About 900 bytes for a span of kFlat.
std::string SegmentDocument(const model::Span& span);

}  // namespace fluoro::cli::bench
