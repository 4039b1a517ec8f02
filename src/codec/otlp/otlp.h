// OTLP traces: ExportTraceServiceRequest (protobuf and JSON) <-> model.
// Source: opentelemetry-proto 1.x, trace/v1/trace.proto, collector/trace/v1/trace_service.proto;
// OTLP specification.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::otlp {

enum class Encoding : std::uint8_t { kProtobuf, kJson };

/// Spans that cannot be kept are counted in stats.rejected_spans; the first reason stands in
/// `reject_reason`.
struct Decoded {
  model::SpanBatch batch;
  model::DecodeStats stats;
  std::string reject_reason;
};

/// One pass over borrowed bytes into columns; no protobuf objects. An empty body is an empty
/// request. `unsampled` marks every span with kUnsampled (datagram prefix T1U). Errors: kCorruption
/// (with byte offset), kTooLarge (nesting, text arena). Thread-safe: pure.
Result<Decoded> DecodeTraces(std::string_view body, Encoding encoding, const model::Limits& limits,
                             bool unsampled = false);

/// TracesData of these spans (each in its own protocol's OTel view), grouped by resource and scope
/// in order of appearance. Lossless for what came as OTLP. Pure.
std::string EncodeTraces(std::span<const model::Span> spans, Encoding encoding);

/// ExportTraceServiceResponse; rejected 0 and an empty message give the empty message ("" or "{}").
std::string EncodeResponse(std::uint64_t rejected_spans, std::string_view message,
                           Encoding encoding);
/// ExportLogsServiceResponse.
std::string EncodeLogsResponse(std::uint64_t rejected_records, std::string_view message,
                               Encoding encoding);

/// google.rpc.Status with an optional RetryInfo detail.
std::string EncodeStatus(int code, std::string_view message,
                         std::optional<std::int64_t> retry_delay_ns, Encoding encoding);

}  // namespace fluoro::codec::otlp
