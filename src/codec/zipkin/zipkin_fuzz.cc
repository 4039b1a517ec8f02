// Both versions of Zipkin JSON; what is accepted must survive a round trip through our own form.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "codec/zipkin/zipkin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto version : {codec::zipkin::Version::kV1, codec::zipkin::Version::kV2}) {
    model::Limits limits;
    limits.receive_ns = 1'700'000'000'000'000'000;
    model::DecodeStats stats;
    const auto batch = codec::zipkin::DecodeSpans(text, version, limits, stats);
    if (!batch) {
      FLUORO_ASSERT(!batch.error().message.empty());
      continue;
    }
    FLUORO_ASSERT(batch->size() == stats.spans);
    std::vector<model::Span> spans;
    for (std::uint32_t i = 0; i < batch->size(); ++i) spans.push_back(batch->MakeSpan(i));
    const auto again = codec::zipkin::DecodeSpans(codec::zipkin::EncodeSpans(spans),
                                                  codec::zipkin::Version::kV2, limits, stats);
    FLUORO_ASSERT(again.has_value());
    FLUORO_ASSERT(again->size() == batch->size());
  }
  return 0;
}
