// X-Ray segment documents and daemon datagrams -> SpanBatch.
// Source: X-Ray developer guide, "Segment documents" and "Sending trace data"; mapping:
// docs/formats/attributes.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "codec/xray/json_tape.h"
#include "codec/xray/resource_index.h"
#include "model/limits.h"
#include "model/span_batch.h"

namespace fluoro::codec::xray {

/// One entry of UnprocessedTraceSegments.
struct Unprocessed {
  std::optional<std::string> id;  ///< the document's `id` where it could be read
  std::string error_code;         ///< "MissingTraceId", "ParseError", "DocumentTooLarge", ...
  std::string message;            ///< "Invalid segment. ErrorCode: MissingId, Cause: ..."
};

/// What decoding keeps from one document to the next: buffers, and which resources the batch has,
/// so that equal ones stand in it once. For the documents of one batch. Not thread-safe.
struct DecodeScratch {
  JsonTape tape;
  ResourceIndex resources;
};

/// Decodes one element of TraceSegmentDocuments: a segment, an independent subsegment, or an array
/// of them. Whatever is good is appended to `batch` (an embedded subsegment becomes a span of its
/// own), each bad document adds one entry to `unprocessed`; a bad embedded subsegment is left out
/// and counted. Pure; never fails as a whole.
void DecodeDocument(std::string_view document, const model::Limits& limits, model::SpanBatch& batch,
                    std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats);
/// The same; `scratch` must not have seen another batch.
void DecodeDocument(std::string_view document, const model::Limits& limits, model::SpanBatch& batch,
                    std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats,
                    DecodeScratch& scratch);

/// What a daemon datagram carries.
struct Datagram {
  enum class Body {
    kDocument,
    kOtlpSampled /* T1S */,
    kOtlpUnsampled /* T1U */,
    kMetrics /* T1M: dropped */
  };
  Body kind = Body::kDocument;
  std::string_view body;  ///< document text, or base64 after the prefix; borrows from the datagram
};
/// Splits at the first LF and checks the header ({"format":"json","version":1}). Errors:
/// kCorruption. Pure.
Result<Datagram> ParseDatagram(std::string_view datagram);

/// Tells documents from the OTLP strings that the AWS OpenTelemetry distributions send in their
/// place.
Datagram ClassifyBody(std::string_view body);

}  // namespace fluoro::codec::xray
