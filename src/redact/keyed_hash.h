// What removed values leave behind so that equal ones can still be told: a hash under a key that
// each store makes for itself, so that nobody can try all phone numbers without the key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/aead.h"

namespace fluoro::redact {

/// Lower-case hex digits of HMAC-SHA-256 of `text`, the first `digits` (at most 16).
std::string KeyedHash(const crypto::Secret& key, std::string_view text, std::size_t digits);

}  // namespace fluoro::redact
