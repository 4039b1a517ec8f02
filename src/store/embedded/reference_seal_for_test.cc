// Encrypted files the slow and obvious way: written from docs/formats/encryption.md.
#include <openssl/evp.h>
#include <xxhash.h>

#include <array>

#include "store/embedded/reference_cursor_for_test.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

const unsigned char* Unsigned(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<std::string> OpenGcm(const std::string& key, const std::string& nonce,
                            const std::string& associated, const std::string& sealed) {
  if (sealed.size() < 16) return Fail(ErrorCode::kCorruption, "reference reader: no tag");
  const std::string body = sealed.substr(0, sealed.size() - 16);
  std::string tag = sealed.substr(body.size());
  std::string plain(body.size() + 16, '\0');
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  int got = 0;
  EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nullptr, Unsigned(key), Unsigned(nonce));
  EVP_DecryptUpdate(context, nullptr, &got, Unsigned(associated),
                    static_cast<int>(associated.size()));
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  EVP_DecryptUpdate(context, out, &got, Unsigned(body), static_cast<int>(body.size()));
  plain.resize(static_cast<std::size_t>(got));
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag.data());
  std::array<unsigned char, 16> rest{};
  const bool is_right = EVP_DecryptFinal_ex(context, rest.data(), &got) == 1;
  EVP_CIPHER_CTX_free(context);
  if (!is_right) return Fail(ErrorCode::kCorruption, "reference reader: a tag is wrong");
  return plain;
}

}  // namespace

Result<Unsealer> Unsealer::Of(std::string_view envelope, int kind, std::uint64_t id,
                              const Keys& keys) {
  Cursor in(envelope);
  const std::uint64_t version = in.Fixed(1);
  const std::uint64_t name_bytes = in.Fixed(1);
  const bool zeros = in.Bytes(6) == std::string(6, '\0');
  const std::string nonce = in.Bytes(12);
  const std::string wrapped = in.Bytes(48);
  std::string name = in.Bytes(128);
  const bool more_zeros = in.Bytes(4) == std::string(4, '\0');
  const std::uint64_t sum = in.Fixed(8);
  if (in.failed() || !in.done() || version != 1 || !zeros || !more_zeros || name_bytes > 128 ||
      name.substr(name_bytes) != std::string(128 - name_bytes, '\0') ||
      sum != XXH3_64bits(envelope.data(), 200))
    return Fail(ErrorCode::kCorruption, "reference reader: an envelope");
  name.resize(name_bytes);
  const auto key = keys.find(name);
  if (key == keys.end()) return Fail(ErrorCode::kPermissionDenied, "reference reader: no key");
  Unsealer unsealer;
  unsealer.file_ = Little(1, 1) + Little(static_cast<std::uint64_t>(kind), 1) + Little(id, 8);
  const std::string associated =
      std::string("fluoro data key\0", 16) + static_cast<char>(name_bytes) + name + unsealer.file_;
  FLUORO_TRY(unsealer.data_key_, OpenGcm(key->second, nonce, associated, wrapped));
  return unsealer;
}

Result<std::string> Unsealer::Open(std::uint64_t place, const std::string& what,
                                   const std::string& sealed) const {
  return OpenGcm(data_key_, std::string(4, '\0') + Little(place, 8), file_ + what, sealed);
}

}  // namespace fluoro::store::reference
