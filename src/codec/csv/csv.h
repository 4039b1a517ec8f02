// CSV of spans:
// TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration.
// ParentID is `root` for the first span; Duration is in microseconds; PodName is kept as
// k8s.pod.name and the service is PodName without its `-<hash>-<pod>` ending.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::csv {

/// Errors: kCorruption with the line and column. Ids shorter than ours are left-padded with zeros.
/// Pure.
Result<model::SpanBatch> DecodeSpans(std::string_view text, const model::Limits& limits,
                                     model::DecodeStats& stats);

/// With a header line. Cells that a spreadsheet would run (=, +, -, @) are prefixed with '. Pure.
std::string EncodeSpans(std::span<const model::Span> spans, bool header);

}  // namespace fluoro::codec::csv
