// What both OTLP fuzz targets check: whatever is accepted can be written and read again, and
// writing what was read gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "codec/otlp/otlp.h"

namespace fluoro::codec::otlp {

inline std::vector<model::Span> SpansOf(const model::SpanBatch& batch) {
  std::vector<model::Span> spans;
  model::SpanReader reader(batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

inline void CheckDecoding(const std::uint8_t* data, std::size_t size, Encoding encoding) {
  model::Limits limits;
  limits.receive_ns = 1;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto decoded = DecodeTraces(body, encoding, limits);
  if (!decoded) return;
  FLUORO_ASSERT(decoded->stats.spans == decoded->batch.size());
  const std::vector<model::Span> spans = SpansOf(decoded->batch);
  for (const Encoding out : {Encoding::kProtobuf, Encoding::kJson}) {
    const std::string bytes = EncodeTraces(spans, out);
    const auto again = DecodeTraces(bytes, out, limits);
    FLUORO_ASSERT(again.has_value());
    FLUORO_ASSERT(again->batch.size() == spans.size());
    FLUORO_ASSERT(EncodeTraces(SpansOf(again->batch), out) == bytes);
  }
}

}  // namespace fluoro::codec::otlp
