#include "crypto/envelope.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/assert.h"

namespace fluoro::crypto {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceAt = 8;
constexpr std::size_t kWrappedAt = kNonceAt + kNonceBytes;
constexpr std::size_t kNameAt = kWrappedAt + kKeyBytes + kTagBytes;
constexpr std::size_t kSumAt = kEnvelopeBytes - 8;
static_assert(kNameAt + kKeyNameBytesMax + 4 == kSumAt);

std::string Associated(std::string_view key_name, std::string_view what_for) {
  std::string associated("fluoro data key\0", 16);
  associated += static_cast<char>(key_name.size());
  associated += key_name;
  associated += what_for;
  return associated;
}

}  // namespace

bool IsKeyName(std::string_view name) {
  return !name.empty() && name.size() <= kKeyNameBytesMax && name.front() != '#' &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string EncodeEnvelope(const Envelope& envelope) {
  FLUORO_ASSERT(IsKeyName(envelope.key_name));
  std::string bytes(kEnvelopeBytes, '\0');
  bytes[0] = static_cast<char>(kVersion);
  bytes[1] = static_cast<char>(envelope.key_name.size());
  std::memcpy(bytes.data() + kNonceAt, envelope.nonce.data(), envelope.nonce.size());
  std::memcpy(bytes.data() + kWrappedAt, envelope.wrapped.data(), envelope.wrapped.size());
  envelope.key_name.copy(bytes.data() + kNameAt, kKeyNameBytesMax);
  const std::uint64_t sum = XXH3_64bits(bytes.data(), kSumAt);
  std::memcpy(bytes.data() + kSumAt, &sum, 8);
  return bytes;
}

Result<Envelope> DecodeEnvelope(std::string_view bytes) {
  const auto bad = [](const char* what) {
    return Fail(ErrorCode::kCorruption, std::string("wrapped key: ") + what);
  };
  if (bytes.size() != kEnvelopeBytes) return bad("its length is wrong");
  std::uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + kSumAt, 8);
  if (sum != XXH3_64bits(bytes.data(), kSumAt)) return bad("its sum is wrong");
  if (const auto version = static_cast<std::uint8_t>(bytes[0]); version != kVersion) {
    if (version == 0) return bad("it has no version");
    return Fail(ErrorCode::kUnsupported, "wrapped key: written by a newer program");
  }
  Envelope envelope;
  envelope.key_name = bytes.substr(kNameAt, static_cast<std::uint8_t>(bytes[1]));
  if (static_cast<std::uint8_t>(bytes[1]) > kKeyNameBytesMax || !IsKeyName(envelope.key_name))
    return bad("it names no key");
  std::memcpy(envelope.nonce.data(), bytes.data() + kNonceAt, envelope.nonce.size());
  std::memcpy(envelope.wrapped.data(), bytes.data() + kWrappedAt, envelope.wrapped.size());
  return envelope;
}

Envelope Wrap(const Secret& data_key, std::string_view key_name, const Secret& key,
              std::string_view what_for) {
  FLUORO_ASSERT(IsKeyName(key_name));
  Envelope envelope{.key_name = std::string(key_name), .nonce = RandomNonce(), .wrapped = {}};
  std::string sealed;
  Seal(key, envelope.nonce, Associated(key_name, what_for),
       {reinterpret_cast<const char*>(data_key.bytes().data()), kKeyBytes}, sealed);
  FLUORO_ASSERT(sealed.size() == envelope.wrapped.size());
  std::memcpy(envelope.wrapped.data(), sealed.data(), sealed.size());
  return envelope;
}

Result<Secret> Unwrap(const Envelope& envelope, const Secret& key, std::string_view what_for) {
  std::string sealed(reinterpret_cast<const char*>(envelope.wrapped.data()),
                     envelope.wrapped.size());
  if (!OpenInPlace(key, envelope.nonce, Associated(envelope.key_name, what_for), sealed)) {
    return Fail(ErrorCode::kPermissionDenied,
                "key " + envelope.key_name + " is not the key of that name that encrypted it");
  }
  FLUORO_ASSERT(sealed.size() == kKeyBytes);
  const Secret data_key(std::span<const std::uint8_t, kKeyBytes>(
      reinterpret_cast<const std::uint8_t*>(sealed.data()), kKeyBytes));
  Wipe(sealed);
  return data_key;
}

}  // namespace fluoro::crypto
