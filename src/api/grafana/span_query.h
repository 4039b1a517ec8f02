// What /api/traces asks for, and which spans answer it.
// Source: jaegertracing.io, "APIs", HTTP JSON: query parameters of /api/traces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/ids.h"
#include "model/span.h"

namespace fluoro::api::grafana {

using Parameters = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::size_t kTracesDefault = 100;
inline constexpr std::size_t kTracesMax = 1'500;
inline constexpr std::size_t kTagsBytesMax = 64 << 10;

struct SpanQuery {
  std::vector<model::TraceId> trace_ids;  ///< instead of all below, if not empty
  std::string service;
  std::string operation;  ///< empty: any
  std::vector<std::pair<std::string, std::string>> tags;
  std::int64_t from_ns = 0;   ///< start of the span: from here
  std::int64_t until_ns = 0;  ///< to here, inclusive
  std::optional<std::int64_t> duration_min_ns;
  std::optional<std::int64_t> duration_max_ns;
  std::size_t limit = kTracesDefault;

  /// Errors: kInvalidArgument, naming the parameter.
  static Result<SpanQuery> Parse(const Parameters& parameters, std::int64_t now_ns);
  /// True if the span answers everything at once; `service` is that of the span or of its nearest
  /// ancestor with one.
  [[nodiscard]] bool Matches(const model::Span& span, std::string_view span_service) const;
};

/// Go's notation: "1.5s", "200ms", "1m30s", "100us"; units ns, us, µs, ms, s, m, h. Errors:
/// kInvalidArgument.
Result<std::int64_t> ParseGoDuration(std::string_view text);

/// 1 to 32 hex digits, padded with zeros on the left, or an X-Ray id. Errors: kInvalidArgument.
Result<model::TraceId> ParseJaegerTraceId(std::string_view text);

/// "server", "client", "internal", "producer", "consumer"; "" if unspecified.
std::string_view SpanKindName(model::SpanKind kind);

}  // namespace fluoro::api::grafana
