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

/// A JSON array of spans (or of arrays of spans, as Zipkin's own query API prints traces).
/// Errors: kCorruption with the byte offset and the member; the whole body is refused. Pure.
Result<model::SpanBatch> DecodeSpans(std::string_view json, Version version,
                                     const model::Limits& limits, model::DecodeStats& stats);

/// Zipkin v2 array. Pure.
std::string EncodeSpans(std::span<const model::Span> spans);

}  // namespace fluoro::codec::zipkin
