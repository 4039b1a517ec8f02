// Percent-encoding of URLs. Source: RFC 3986, sections 2.1 and 2.3.
#pragma once

#include <string>
#include <string_view>

namespace fluoro {

/// Percent-decodes; '+' becomes a space where `form`. A '%' without two hex digits stays as it is.
std::string PercentDecode(std::string_view text, bool form);
/// Everything but letters, digits and `-._~` becomes %XX, in capitals.
std::string PercentEncode(std::string_view text);

}  // namespace fluoro
