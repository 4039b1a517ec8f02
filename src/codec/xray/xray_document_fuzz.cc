// Any bytes as a segment document: never crashes, never leaves half a document, and what it keeps
// can be decoded again.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/utf8.h"
#include "codec/xray/decode.h"
#include "codec/xray/json_tape.h"

namespace fluoro::codec::xray {
namespace {

constexpr std::uint32_t kDepthMax = 196;

// What a strict parser takes, the tape takes too.
void CompareWithSimdjson(std::string_view text) {
  if (!IsValidUtf8(text)) return;
  JsonTape tape;
  const auto parsed = tape.Parse(text, kDepthMax);
  simdjson::dom::parser parser;
  const bool strict = parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS;
  FLUORO_ASSERT(!strict || parsed || parsed.error().code == ErrorCode::kTooLarge);
  if (!parsed) return;
  JsonTape again;
  FLUORO_ASSERT(again.Parse(tape.text(), kDepthMax).has_value());
  FLUORO_ASSERT(again.text() == tape.text() && !again.repaired());
}

void DecodeTwice(std::string_view text) {
  const model::Limits limits;
  model::SpanBatch batch;
  std::vector<Unprocessed> unprocessed;
  model::DecodeStats stats;
  DecodeDocument(text, limits, batch, unprocessed, stats);
  FLUORO_ASSERT(batch.size() == stats.spans);
  FLUORO_ASSERT(!batch.empty() || !unprocessed.empty());
  model::SpanReader reader(batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    const model::Span span = reader.Read(i);
    FLUORO_ASSERT(!span.span_id.IsZero() && span.end_ns >= span.start_ns);
    FLUORO_ASSERT(IsValidUtf8(span.name) && IsValidUtf8(span.document));
    if (span.Has(model::kSubsegment) && !span.Has(model::kIndependent)) continue;
    // A document without its subsegments is a document.
    model::SpanBatch alone;
    DecodeDocument(span.document, limits, alone, unprocessed, stats);
    FLUORO_ASSERT(alone.size() == 1);
    model::Span again = alone.MakeSpan(0);
    again.flags |= span.flags & model::kTextRepaired;
    FLUORO_ASSERT(again == span);
  }
}

}  // namespace
}  // namespace fluoro::codec::xray

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fluoro::codec::xray::CompareWithSimdjson(text);
  fluoro::codec::xray::DecodeTwice(text);
  return 0;
}
