#include "codec/otlp/otlp_fuzz_common.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fluoro::codec::otlp::CheckDecoding(data, size, fluoro::codec::otlp::Encoding::kProtobuf);
  return 0;
}
