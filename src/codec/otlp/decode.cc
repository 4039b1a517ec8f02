#include "codec/otlp/decode.h"

#include <algorithm>

namespace fluoro::codec::otlp {
namespace {

// Offsets into the arena are 32 bits wide; repairing text makes it at most three times as long.
constexpr std::size_t kBodyBytesMax = UINT32_MAX / 4;

}  // namespace

Result<Decoded> DecodeTraces(std::string_view body, Encoding encoding, const model::Limits& limits,
                             bool unsampled) {
  if (body.empty()) return Decoded{};
  const std::size_t bytes_max = std::min(limits.body_bytes_max, kBodyBytesMax);
  if (body.size() > bytes_max) {
    return Fail(ErrorCode::kTooLarge, "OTLP request of " + std::to_string(body.size()) +
                                          " bytes; the limit is " + std::to_string(bytes_max));
  }
  return encoding == Encoding::kProtobuf ? internal::DecodeProtobuf(body, limits, unsampled)
                                         : internal::DecodeJson(body, limits, unsampled);
}

}  // namespace fluoro::codec::otlp
