#include "store/embedded/file_cipher.h"

#include <utility>

#include "store/embedded/bytes.h"

namespace fluoro::store {
namespace {

constexpr std::uint8_t kVersion = 1;

std::string Associated(FileKind kind, std::uint64_t id, std::string_view what) {
  std::string associated;
  ByteWriter out(associated);
  out.PutU8(kVersion);
  out.PutU8(static_cast<std::uint8_t>(kind));
  out.PutFixed64(id);
  out.PutBytes(what);
  return associated;
}

}  // namespace

FileCipher::FileCipher(FileKind kind, std::uint64_t id, const crypto::Secret& data_key,
                       crypto::Envelope envelope)
    : kind_(kind), id_(id), data_key_(data_key), envelope_(std::move(envelope)) {}

std::shared_ptr<const FileCipher> FileCipher::Make(const crypto::Keyring* keys, FileKind kind,
                                                   std::uint64_t id) {
  const auto used = keys == nullptr ? std::nullopt : keys->used();
  if (!used) return nullptr;
  const crypto::Secret data_key = crypto::Secret::Random();
  return std::shared_ptr<const FileCipher>(new FileCipher(
      kind, id, data_key, crypto::Wrap(data_key, used->name, used->key, Associated(kind, id, {}))));
}

Result<std::shared_ptr<const FileCipher>> FileCipher::Of(const crypto::Keyring* keys,
                                                         const crypto::Envelope& envelope,
                                                         FileKind kind, std::uint64_t id) {
  const auto key = keys == nullptr ? std::nullopt : keys->Find(envelope.key_name);
  if (!key) {
    return Fail(ErrorCode::kPermissionDenied, "key " + envelope.key_name + " is not available");
  }
  FLUORO_TRY(const crypto::Secret data_key,
             crypto::Unwrap(envelope, *key, Associated(kind, id, {})));
  return std::shared_ptr<const FileCipher>(new FileCipher(kind, id, data_key, envelope));
}

crypto::Envelope FileCipher::WrapAgain(const crypto::Keyring::NamedKey& key) const {
  return crypto::Wrap(data_key_, key.name, key.key, Associated(kind_, id_, {}));
}

void FileCipher::Seal(std::uint64_t place, std::string_view what, std::string_view plain,
                      std::string& out) const {
  crypto::Seal(data_key_, crypto::NonceOf(place), Associated(kind_, id_, what), plain, out);
}

Result<void> FileCipher::Open(std::uint64_t place, std::string_view what,
                              std::string& sealed) const {
  return crypto::OpenInPlace(data_key_, crypto::NonceOf(place), Associated(kind_, id_, what),
                             sealed);
}

}  // namespace fluoro::store
