// CSV; what is accepted must survive a round trip through our own form.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "codec/csv/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  model::DecodeStats stats;
  const auto batch = codec::csv::DecodeSpans(text, {}, stats);
  if (!batch) {
    FLUORO_ASSERT(!batch.error().message.empty());
    return 0;
  }
  std::vector<model::Span> spans;
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) {
    spans.push_back(reader.Read(i));
    spans.back().flags = 0;  // what was repaired once is whole the second time
  }
  const auto again = codec::csv::DecodeSpans(codec::csv::EncodeSpans(spans, true), {}, stats);
  FLUORO_ASSERT(again.has_value() && again->size() == batch->size());
  model::SpanReader second(*again);
  for (std::uint32_t i = 0; i < again->size(); ++i) FLUORO_ASSERT(second.Read(i) == spans[i]);
  return 0;
}
