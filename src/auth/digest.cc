#include "auth/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/assert.h"
#include "base/hex.h"

namespace fluoro::auth {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Digest Sha256(std::string_view bytes) {
  Digest digest;
  SHA256(Bytes(bytes), bytes.size(), digest.data());
  return digest;
}

std::string Sha256Hex(std::string_view bytes) { return ToHex(Sha256(bytes)); }

Digest HmacSha256(std::string_view key, std::string_view bytes) {
  Digest digest;
  unsigned size = 0;
  FLUORO_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(bytes),
                     bytes.size(), digest.data(), &size) != nullptr);
  FLUORO_ASSERT(size == digest.size());
  return digest;
}

std::string_view AsText(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomText(std::string_view alphabet, std::size_t count) {
  FLUORO_ASSERT(!alphabet.empty() && alphabet.size() <= 256);
  // Bytes beyond the last whole multiple would favour the first characters.
  const std::size_t fair = 256 / alphabet.size() * alphabet.size();
  std::string text;
  while (text.size() < count) {
    std::array<unsigned char, 64> bytes;
    FLUORO_ASSERT(RAND_priv_bytes(bytes.data(), bytes.size()) == 1);
    for (const unsigned char byte : bytes) {
      if (byte < fair && text.size() < count) text += alphabet[byte % alphabet.size()];
    }
    OPENSSL_cleanse(bytes.data(), bytes.size());
  }
  return text;
}

}  // namespace fluoro::auth
