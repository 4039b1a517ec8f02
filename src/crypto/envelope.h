// A data key wrapped by a named key. docs/formats/encryption.md.
//
// envelope := version:1 name_bytes:1 zero:6 nonce:12 wrapped:48 name:128 zero:4 sum:8 (XXH3-64)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "crypto/aead.h"

namespace fluoro::crypto {

inline constexpr std::size_t kEnvelopeBytes = 208;
inline constexpr std::size_t kKeyNameBytesMax = 128;

struct Envelope {
  std::string key_name;
  Nonce nonce{};
  std::array<std::uint8_t, kKeyBytes + kTagBytes> wrapped{};
  bool operator==(const Envelope&) const = default;
};

/// A name of a key: 1 to 128 printable ASCII characters without spaces, the first not '#'.
bool IsKeyName(std::string_view name);

/// kEnvelopeBytes long.
std::string EncodeEnvelope(const Envelope& envelope);
/// Errors: kCorruption; kUnsupported for a later version. Pure.
Result<Envelope> DecodeEnvelope(std::string_view bytes);

/// `what_for` says whose data key it is: it opens for nothing else.
Envelope Wrap(const Secret& data_key, std::string_view key_name, const Secret& key,
              std::string_view what_for);
/// Errors: kPermissionDenied: the key is another than the one that wrapped it.
Result<Secret> Unwrap(const Envelope& envelope, const Secret& key, std::string_view what_for);

}  // namespace fluoro::crypto
