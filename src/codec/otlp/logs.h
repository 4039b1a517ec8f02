// OTLP logs: ExportLogsServiceRequest (protobuf and JSON) -> model. A log record that names a trace
// and a span is an event of that span which came on its own.
// Source: opentelemetry-proto 1.x, logs/v1/logs.proto, collector/logs/v1/logs_service.proto.
#pragma once

#include "codec/otlp/otlp.h"

namespace fluoro::codec::otlp {

/// One span a record, flagged kLogRecord: its parent is the span that the record names, its one
/// event is the record, its id follows from the record's bytes, so that one sent twice is kept
/// once. The event is named by `event_name`, attribute `event.name`, "exception" or "log"; its
/// attributes are the record's, with the body as `gen_ai.event.content` (of events `gen_ai.*`) or
/// `body`, and the severity as `log.severity`. Records that name no span are counted in
/// stats.rejected_spans. Limits and errors: as DecodeTraces. Pure.
Result<Decoded> DecodeLogs(std::string_view body, Encoding encoding, const model::Limits& limits);

}  // namespace fluoro::codec::otlp
