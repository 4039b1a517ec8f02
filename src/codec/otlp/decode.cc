#include "codec/otlp/decode.h"

#include <algorithm>

#include "base/json.h"

namespace fluoro::codec::otlp {
namespace {

// Offsets into the arena are 32 bits wide; repairing text makes it at most three times as long.
constexpr std::size_t kBodyBytesMax = UINT32_MAX / 4;
// The JSON parser's index takes 4 bytes a bracket, comma, colon and string. Only large bodies are
// counted first; real ones hold a value in 8 bytes.
constexpr std::size_t kUncountedBytes = std::size_t{8} << 20;
constexpr std::size_t kJsonValuesMax = 16'000'000;

}  // namespace

Result<Decoded> DecodeTraces(std::string_view body, Encoding encoding, const model::Limits& limits,
                             bool unsampled) {
  if (body.empty()) return Decoded{};
  const std::size_t bytes_max = std::min(limits.body_bytes_max, kBodyBytesMax);
  if (body.size() > bytes_max) {
    return Fail(ErrorCode::kTooLarge, "OTLP request of " + std::to_string(body.size()) +
                                          " bytes; the limit is " + std::to_string(bytes_max));
  }
  if (encoding == Encoding::kJson && body.size() > kUncountedBytes &&
      JsonValuesExceed(body, kJsonValuesMax)) {
    return Fail(ErrorCode::kTooLarge,
                "OTLP request of more than " + std::to_string(kJsonValuesMax) + " JSON values");
  }
  return encoding == Encoding::kProtobuf ? internal::DecodeProtobuf(body, limits, unsampled)
                                         : internal::DecodeJson(body, limits, unsampled);
}

}  // namespace fluoro::codec::otlp
