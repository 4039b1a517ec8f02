// Jaeger's UI JSON (the query API's trace shape) <-> model. Source: jaeger-idl, model/json;
// docs/formats/zipkin-jaeger.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::jaeger {

/// {"data":[trace, ...]}, {"data":trace}, an array of traces, or one bare trace. Spans that start
/// outside the limits are counted in `stats` and left out.
/// Errors: kCorruption with the byte offset and the member ("byte 40: spanID: missing"), kTooLarge;
/// the whole body is refused. Pure.
Result<model::SpanBatch> DecodeTraces(std::string_view json, const model::Limits& limits,
                                      model::DecodeStats& stats);

/// Appends one trace object {"traceID","spans","processes","warnings"}; spans of any source, with
/// their OpenTelemetry attributes as tags. A span whose resource has no service name gets that of
/// its nearest ancestor that has one. Pure.
void AppendTrace(const model::Trace& trace, JsonWriter& out);

}  // namespace fluoro::codec::jaeger
