#include "redact/keyed_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

#include "base/assert.h"
#include "base/hex.h"

namespace fluoro::redact {

std::string KeyedHash(const crypto::Secret& key, std::string_view text, std::size_t digits) {
  std::array<std::uint8_t, 32> mac{};
  unsigned bytes = 0;
  const auto* made =
      HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.bytes().size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &bytes);
  FLUORO_ASSERT(made != nullptr && bytes == mac.size());
  return ToHex(std::span(mac).first(8)).substr(0, digits);
}

}  // namespace fluoro::redact
