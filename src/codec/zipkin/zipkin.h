// Zipkin JSON v2 and v1 <-> model. Source: Zipkin API (zipkin2-api.yaml, zipkin-api.yaml);
// docs/formats/zipkin-jaeger.md.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::zipkin {

enum class Version { kV1, kV2 };

/// A JSON array of spans (or of arrays of spans, as Zipkin's own query API prints traces). Spans
/// that start outside the limits are counted in `stats` and left out; a v1 span that holds both
/// halves of a call becomes two.
/// Errors: kCorruption with the byte offset and the member ("byte 17: id: missing"), kTooLarge; the
/// whole body is refused. Pure.
Result<model::SpanBatch> DecodeSpans(std::string_view json, Version version,
                                     const model::Limits& limits, model::DecodeStats& stats);

/// Zipkin v2 array, spans of any source. Links and dropped counts have no place in it. Pure.
std::string EncodeSpans(std::span<const model::Span> spans);

/// Id of the server half of a call whose client half has the same `id`: the first 8 bytes of
/// SHA-256(the 16 bytes of the trace id, the 8 bytes of the id, "shared").
model::SpanId SharedSpanId(const model::TraceId& trace_id, const model::SpanId& id);

}  // namespace fluoro::codec::zipkin
