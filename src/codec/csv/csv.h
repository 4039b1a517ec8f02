// CSV of spans (RFC 4180):
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

/// A first line that names columns sets their order and may leave out ParentID, PodName,
/// OperationName, and one of EndTimeUnixNano and Duration; columns of other names are skipped.
/// Without it the columns stand in the order above. Ids shorter than ours are left-padded with
/// zeros. CSV tells no kinds: a span is SERVER if its parent is absent from the text or of another
/// service, else CLIENT if a child is of another service, else INTERNAL.
/// Errors: kCorruption with the line and column ("line 3, column 41: SpanID: ..."), kTooLarge.
/// Pure.
Result<model::SpanBatch> DecodeSpans(std::string_view text, const model::Limits& limits,
                                     model::DecodeStats& stats);

/// With a header line. Cells that a spreadsheet would run (=, +, -, @) are prefixed with ', which
/// DecodeSpans takes away again. Attributes, events and links have no place in it. Pure.
std::string EncodeSpans(std::span<const model::Span> spans, bool header);

/// "ts-order-service" for "ts-order-service-5b67c48447-fj8b7": the name of a pod without what a
/// Kubernetes deployment adds. Other names stay whole.
std::string_view ServiceOfPod(std::string_view pod_name);

}  // namespace fluoro::codec::csv
