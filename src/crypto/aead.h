// Authenticated encryption: AES-256-GCM (NIST SP 800-38D), by OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::crypto {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;

/// A key of 32 bytes. Each copy is wiped when it goes.
class Secret {
 public:
  explicit Secret(std::span<const std::uint8_t, kKeyBytes> bytes);
  /// From the library's generator for secrets.
  static Secret Random();
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();

  [[nodiscard]] std::span<const std::uint8_t, kKeyBytes> bytes() const { return bytes_; }
  /// In constant time.
  [[nodiscard]] bool operator==(const Secret& other) const;

 private:
  std::array<std::uint8_t, kKeyBytes> bytes_;
};

/// Overwrites a text that held a secret and empties it.
void Wipe(std::string& text);

using Nonce = std::array<std::uint8_t, kNonceBytes>;
Nonce RandomNonce();
/// Four zero bytes, then the number, little-endian.
Nonce NonceOf(std::uint64_t number);

/// Appends the ciphertext and its tag: kTagBytes more than `plain`. `plain` must not lie in `out`.
/// A nonce must never be used again under the same key for other bytes. Thread-safe.
void Seal(const Secret& key, const Nonce& nonce, std::string_view associated,
          std::string_view plain, std::string& out);

/// Turns what Seal appended back into what it was given. Errors: kCorruption, if a bit of it, of
/// `associated`, the nonce or the key differs; `sealed` is then empty. Thread-safe.
Result<void> OpenInPlace(const Secret& key, const Nonce& nonce, std::string_view associated,
                         std::string& sealed);

}  // namespace fluoro::crypto
