#include "crypto/aead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"

namespace fluoro::crypto {
namespace {

// The library counts bytes of one call as int.
constexpr std::size_t kCallBytesMax = std::size_t{1} << 30;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // wipes it
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

// Looking a cipher up by name takes longer than sealing a small section.
const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  FLUORO_ASSERT(cipher != nullptr);
  return cipher;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

enum class Direction : int { kOpen = 0, kSeal = 1 };

Context Begin(const Secret& key, const Nonce& nonce, std::string_view associated,
              Direction direction) {
  Context context(EVP_CIPHER_CTX_new());
  FLUORO_ASSERT(context != nullptr);
  FLUORO_ASSERT(EVP_CipherInit_ex2(context.get(), Aes256Gcm(), key.bytes().data(), nonce.data(),
                                   static_cast<int>(direction), nullptr) == 1);
  int done = 0;
  FLUORO_ASSERT(associated.size() <= kCallBytesMax);
  FLUORO_ASSERT(EVP_CipherUpdate(context.get(), nullptr, &done, Bytes(associated),
                                 static_cast<int>(associated.size())) == 1);
  return context;
}

// The cipher's stream: as many bytes out as in, also in place.
void Run(EVP_CIPHER_CTX* context, std::string_view in, char* out) {
  for (std::size_t at = 0; at < in.size(); at += kCallBytesMax) {
    const auto bytes = static_cast<int>(std::min(in.size() - at, kCallBytesMax));
    int done = 0;
    FLUORO_ASSERT(EVP_CipherUpdate(context, reinterpret_cast<unsigned char*>(out) + at, &done,
                                   Bytes(in) + at, bytes) == 1);
    FLUORO_ASSERT(done == bytes);
  }
}

void FillRandom(std::span<std::uint8_t> out) {
  // Without randomness no key may be made: there is nothing to go on with.
  FLUORO_ASSERT(RAND_priv_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

}  // namespace

Secret::Secret(std::span<const std::uint8_t, kKeyBytes> bytes) {
  std::ranges::copy(bytes, bytes_.begin());
}

Secret Secret::Random() {
  std::array<std::uint8_t, kKeyBytes> bytes;
  FillRandom(bytes);
  const Secret secret(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

Secret::~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

bool Secret::operator==(const Secret& other) const {
  return CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
}

void Wipe(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

Nonce RandomNonce() {
  Nonce nonce;
  FillRandom(nonce);
  return nonce;
}

Nonce NonceOf(std::uint64_t number) {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return nonce;
}

void Seal(const Secret& key, const Nonce& nonce, std::string_view associated,
          std::string_view plain, std::string& out) {
  const Context context = Begin(key, nonce, associated, Direction::kSeal);
  const std::size_t begin = out.size();
  out.resize(begin + plain.size() + kTagBytes);
  Run(context.get(), plain, out.data() + begin);
  auto* const tag = reinterpret_cast<unsigned char*>(out.data()) + begin + plain.size();
  int done = 0;
  FLUORO_ASSERT(EVP_CipherFinal_ex(context.get(), tag, &done) == 1);
  FLUORO_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, int{kTagBytes}, tag) ==
                1);
}

Result<void> OpenInPlace(const Secret& key, const Nonce& nonce, std::string_view associated,
                         std::string& sealed) {
  const auto fail = [&] {
    Wipe(sealed);
    return Fail(ErrorCode::kCorruption, "it does not decrypt: it was changed, or is not for here");
  };
  if (sealed.size() < kTagBytes) return fail();
  const Context context = Begin(key, nonce, associated, Direction::kOpen);
  const std::size_t bytes = sealed.size() - kTagBytes;
  Run(context.get(), std::string_view(sealed).substr(0, bytes), sealed.data());
  FLUORO_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, int{kTagBytes},
                                    sealed.data() + bytes) == 1);
  std::array<unsigned char, kTagBytes> rest;
  int done = 0;
  if (EVP_CipherFinal_ex(context.get(), rest.data(), &done) != 1) return fail();
  sealed.resize(bytes);
  return {};
}

}  // namespace fluoro::crypto
