// Base64 text (RFC 4648, standard alphabet).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fluoro {

/// With padding, one line.
std::string ToBase64(std::string_view bytes);
/// Padding may be absent; the URL alphabet (`-`, `_`) is taken too. nullopt for anything else.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace fluoro
