// Jaeger JSON; what is accepted must survive a round trip through our own form.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "codec/jaeger/jaeger.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;
  model::Limits limits;
  limits.receive_ns = 1'700'000'000'000'000'000;
  model::DecodeStats stats;
  const auto batch = codec::jaeger::DecodeTraces(
      std::string_view(reinterpret_cast<const char*>(data), size), limits, stats);
  if (!batch) {
    FLUORO_ASSERT(!batch.error().message.empty());
    return 0;
  }
  FLUORO_ASSERT(batch->size() == stats.spans);
  // The encoder takes whole traces; ids do not matter to it.
  model::Trace trace;
  trace.id = batch->empty() ? model::TraceId{{1}} : batch->trace_ids[0];
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) trace.spans.push_back(reader.Read(i));
  JsonWriter out;
  codec::jaeger::AppendTrace(trace, out);
  const auto again = codec::jaeger::DecodeTraces(out.Take(), limits, stats);
  FLUORO_ASSERT(again.has_value());
  FLUORO_ASSERT(again->size() == batch->size());
  return 0;
}
