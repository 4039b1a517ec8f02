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

/// {"data":[trace, ...]}, an array of traces, or one bare trace. Errors: kCorruption with the byte
/// offset. Pure.
Result<model::SpanBatch> DecodeTraces(std::string_view json, const model::Limits& limits,
                                      model::DecodeStats& stats);

/// Appends one trace object {"traceID","spans","processes","warnings"}. Pure.
void AppendTrace(const model::Trace& trace, JsonWriter& out);

}  // namespace fluoro::codec::jaeger
