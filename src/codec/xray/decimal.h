// Decimal text -> exact integers. Doubles keep only about 0.2 microseconds of a present-day Unix
// time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fluoro::codec::xray {

/// Nanoseconds of a JSON number that counts seconds, plain or with an exponent ("1478293361.271",
/// "1.478293361271E9"). Digits beyond nanoseconds are cut off. Nothing if the text is no JSON
/// number or beyond 64 bits. Pure.
std::optional<std::int64_t> ParseSeconds(std::string_view number);

/// Integer of a JSON number without a fraction ("200", "200.0", "2e2"). Nothing if it has one or is
/// beyond 64 bits. Pure.
std::optional<std::int64_t> ParseInteger(std::string_view number);

}  // namespace fluoro::codec::xray
