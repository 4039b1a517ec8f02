// Bounds that every decoder applies before it takes memory. Configuration fills it once; decoders
// only read.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fluoro::model {

struct Limits {
  std::size_t body_bytes_max = std::size_t{64} << 20;      ///< after inflation
  std::size_t document_bytes_max = std::size_t{64} << 10;  ///< one X-Ray document
  std::size_t documents_max = std::size_t{64} << 10;       ///< X-Ray documents of one request
  std::size_t batch_bytes_max =
      std::size_t{128} << 20;  ///< memory of one request's decoded spans (SpanBatch::UsedBytes)
  std::size_t attributes_max = 1'000;  ///< a span, resource, scope, event or link
  std::size_t events_max = 10'000;     ///< a span
  std::size_t links_max = 1'000;       ///< a span
  std::size_t key_bytes_max = 512;
  std::size_t value_bytes_max = std::size_t{64}
                                << 10;  ///< longer strings are cut on a code point, with kTruncated
  std::size_t content_bytes_max =
      std::size_t{1} << 20;  ///< GenAI prompt and answer attributes (model/content.h) ...
  std::size_t span_content_bytes_max = std::size_t{4} << 20;  ///< ... and those of a span together
  std::size_t name_bytes_max = std::size_t{4} << 10;
  int nesting_max = 64;
  // Spans that start outside [start_ns_min, start_ns_max] are refused (`--accept-age`). The edges
  // set it from their clock.
  std::int64_t start_ns_min = INT64_MIN;
  std::int64_t start_ns_max = INT64_MAX;
  std::int64_t receive_ns = 0;  ///< stands in for a start time of 0 (OTLP) or none (Zipkin)
};

/// Counts of what a decoder refused or cut, for counters and partial-success answers.
struct DecodeStats {
  std::uint64_t spans = 0;  ///< accepted
  std::uint64_t rejected_spans = 0;
  std::uint64_t truncated_values = 0;
  std::uint64_t dropped_attributes = 0;
  std::uint64_t dropped_events = 0;
  std::uint64_t dropped_links = 0;
  std::uint64_t repaired_texts = 0;       ///< invalid UTF-8 replaced
  std::uint64_t dropped_subsegments = 0;  ///< X-Ray: bad embedded subsegments left out
};

}  // namespace fluoro::model
