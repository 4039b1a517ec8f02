// Hexadecimal text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fluoro {

/// Lower-case hex of the bytes.
std::string ToHex(std::span<const std::uint8_t> bytes);
/// Fills `out` from exactly 2 * out.size() hex digits of either case; false otherwise.
bool FromHex(std::string_view text, std::span<std::uint8_t> out);

}  // namespace fluoro
