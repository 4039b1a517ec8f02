// Byte 0 chooses the encoding, the rest is a request of logs.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "codec/otlp/logs.h"
#include "model/log_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;
  if (size == 0) return 0;
  const auto encoding =
      data[0] % 2 == 0 ? codec::otlp::Encoding::kProtobuf : codec::otlp::Encoding::kJson;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  model::Limits limits;
  limits.receive_ns = 1;
  const auto decoded = codec::otlp::DecodeLogs(body, encoding, limits);
  if (!decoded) return 0;
  for (std::uint32_t i = 0; i < decoded->batch.size(); ++i) {
    const model::Span span = decoded->batch.MakeSpan(i);
    FLUORO_ASSERT(model::IsLogRecord(span));
    FLUORO_ASSERT(!span.parent_id.IsZero());
    FLUORO_ASSERT(span.events.size() <= 1);
  }
  return 0;
}
