// Requests of a shop for tests of comparisons: several spans each, keys of every sort, and nothing
// that differs unless it is planted.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/assembly.h"
#include "model/testing.h"

namespace fluoro::analysis::compare::testing {

inline model::TraceId TraceIdOf(std::uint64_t number) {
  model::TraceId id;
  id.bytes[0] = 1;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

/// Standard normal.
inline double Normal(Rng& rng) {
  const double u = 1 - rng.Unit();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * rng.Unit());
}

/// Few are frequent, many are rare.
inline std::uint64_t Skewed(Rng& rng, std::uint64_t values) {
  return static_cast<std::uint64_t>(std::pow(static_cast<double>(values), rng.Unit())) - 1;
}

struct Request {
  std::uint64_t number = 0;
  std::string shard;  ///< of the database call
  double duration_ms = 0;
  bool fails = false;
};

inline Request RequestOf(Rng& rng, std::uint64_t number) {
  return {.number = number,
          .shard = "shard-" + std::to_string(rng.Below(12)),
          .duration_ms = 100 * std::exp(0.5 * Normal(rng)),
          .fails = rng.Chance(0.05)};
}

/// An entry, a call of a database for each item, sometimes a cache.
inline model::AssembledTrace TraceOf(Rng& rng, const Request& request) {
  using model::SpanKind;
  using model::testing::SpanBuilder;
  const auto id = TraceIdOf(request.number);
  const auto end_ns = static_cast<std::int64_t>(request.duration_ms * 1e6);
  std::vector<model::Span> spans;
  const auto start = [&](std::string_view name, SpanKind kind, std::string_view service) {
    SpanBuilder span(spans.size() + 1, name);
    span.InTrace(id).Kind(kind).Service(service).BetweenNs(0, end_ns);
    if (!spans.empty()) span.Parent(1);
    return span;
  };
  const std::uint64_t pod = rng.Below(6);
  spans.push_back(
      start("GET /items", SpanKind::kServer, "shop")
          .Resource("host.name", "host-" + std::to_string(pod))
          .Resource("k8s.pod.name", "shop-" + std::to_string(pod))
          .Set("http.request.method", rng.Chance(0.8) ? "GET" : "POST")
          .Set("http.response.status_code", request.fails     ? 503
                                            : rng.Chance(0.9) ? 200
                                                              : 404)
          .Set("user_agent.original", "agent/" + std::to_string(Skewed(rng, 40)))
          .Set("tenant", "tenant-" + std::to_string(Skewed(rng, 300)))
          .Set("request.id", std::to_string(request.number) + "-x")
          .Set("body.size", static_cast<std::int64_t>(1000 * std::exp(Normal(rng))))
          .Set("load", 0.5 + 0.1 * Normal(rng))
          .Set("beta", rng.Chance(0.02))
          .Status(request.fails ? model::StatusCode::kError : model::StatusCode::kUnset));
  for (std::uint64_t calls = 1 + rng.Below(4); calls > 0; --calls) {
    spans.push_back(start("SELECT", SpanKind::kClient, "shop")
                        .Set("db.system", "postgresql")
                        .Set("db.shard", request.shard)
                        .Set("db.rows", static_cast<std::int64_t>(rng.Below(5))));
  }
  if (rng.Chance(0.4)) {
    spans.push_back(start("GET", SpanKind::kClient, "shop")
                        .Set("db.system", "redis")
                        .Set("cache.hit", rng.Chance(0.7)));
  }
  return model::testing::AssembleSpans(std::move(spans));
}

}  // namespace fluoro::analysis::compare::testing
