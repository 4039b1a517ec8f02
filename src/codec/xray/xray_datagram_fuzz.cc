// Any bytes as a daemon datagram: either an error or a body that borrows from it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/xray/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::codec::xray::Datagram;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = fluoro::codec::xray::ParseDatagram(text);
  if (!parsed) {
    FLUORO_ASSERT(parsed.error().code == fluoro::ErrorCode::kCorruption);
    FLUORO_ASSERT(!parsed.error().message.empty());
    return 0;
  }
  FLUORO_ASSERT(text.ends_with(parsed->body));
  FLUORO_ASSERT(parsed->kind != Datagram::Body::kDocument || !parsed->body.empty());
  return 0;
}
