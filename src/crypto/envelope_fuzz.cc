// Wrapped keys and key files from anywhere.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crypto/envelope.h"
#include "crypto/keyring.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::crypto;  // NOLINT(google-build-using-namespace): one function
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto envelope = DecodeEnvelope(bytes)) {
    if (DecodeEnvelope(EncodeEnvelope(*envelope)) != *envelope) std::abort();
    const std::array<std::uint8_t, kKeyBytes> key{};
    if (Unwrap(*envelope, Secret(key), "fuzz")) std::abort();
  }
  (void)Keyring::Parse(bytes);
  return 0;
}
