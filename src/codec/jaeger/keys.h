// Tags of Jaeger that stand for fields of a span (docs/formats/zipkin-jaeger.md). Source:
// OpenTelemetry specification, "OpenTelemetry to Jaeger transformation".
#pragma once

#include <array>
#include <string_view>

namespace fluoro::codec::jaeger::internal {

inline constexpr std::string_view kSpanKind = "span.kind";
inline constexpr std::string_view kError = "error";
inline constexpr std::string_view kStatusCode = "otel.status_code";
inline constexpr std::string_view kStatusDescription = "otel.status_description";
inline constexpr std::string_view kScopeName = "otel.scope.name";
inline constexpr std::string_view kScopeVersion = "otel.scope.version";
inline constexpr std::string_view kOldScopeName = "otel.library.name";
inline constexpr std::string_view kOldScopeVersion = "otel.library.version";
inline constexpr std::string_view kTraceState = "w3c.tracestate";
inline constexpr std::string_view kServiceName = "service.name";
/// Field of a log that names the event.
inline constexpr std::string_view kEventField = "event";
/// Attribute of a link: "child_of" or "follows_from".
inline constexpr std::string_view kRefType = "opentracing.ref_type";
/// Attribute that keeps a span's `warnings`.
inline constexpr std::string_view kWarnings = "jaeger.warnings";

/// In the order of SpanKind.
inline constexpr std::array<std::string_view, 6> kKinds = {"",       "internal", "server",
                                                           "client", "producer", "consumer"};

}  // namespace fluoro::codec::jaeger::internal
