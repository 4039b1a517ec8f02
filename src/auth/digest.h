// SHA-256, HMAC, secrets: thin names over OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fluoro::auth {

using Digest = std::array<std::uint8_t, 32>;

Digest Sha256(std::string_view bytes);
/// Lower-case hex.
std::string Sha256Hex(std::string_view bytes);
/// Source: RFC 2104 with SHA-256. Any key length.
Digest HmacSha256(std::string_view key, std::string_view bytes);
std::string_view AsText(const Digest& digest);

/// Equality whose time tells nothing but whether the lengths differ.
bool SameSecret(std::string_view a, std::string_view b);

/// `count` characters of `alphabet` (at most 256), each equally likely, from the operating system.
std::string RandomText(std::string_view alphabet, std::size_t count);

}  // namespace fluoro::auth
