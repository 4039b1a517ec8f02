// Strings of JSON, escaped and not; any bytes.
#pragma once

#include <string>
#include <string_view>

namespace fluoro::redact {

/// What stands between the quotes of a JSON string, as it is meant. Escapes that do not exist stay
/// as they are, half a surrogate pair becomes U+FFFD.
std::string UnescapeJson(std::string_view raw);
/// Without quotes around it. Bytes beyond ASCII stay.
void AppendJsonEscaped(std::string_view text, std::string& out);

}  // namespace fluoro::redact
