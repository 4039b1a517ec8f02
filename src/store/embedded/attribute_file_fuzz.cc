// Any bytes as the file of the cardinality guard: refused, or a state that is written as it was
// read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/embedded/attribute_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one purpose
  // Bytes behind the header and before the sum are what is tried: no fuzzer finds a sum.
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!DecodeAttributeFile(bytes, nullptr)) {
    const auto state = DecodeAttributeState(bytes);
    if (!state) return 0;
    const std::string again = EncodeAttributeFile(*state, nullptr);
    const auto second = DecodeAttributeFile(again, nullptr);
    if (!second || EncodeAttributeFile(*second, nullptr) != again) __builtin_trap();
  }
  return 0;
}
