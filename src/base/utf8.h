// UTF-8 checks and repair.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fluoro {

bool IsValidUtf8(std::string_view text);
/// Each maximal invalid part becomes one U+FFFD.
std::string RepairUtf8(std::string_view text);
/// Longest prefix of at most `bytes_max` bytes that does not split a code point.
std::string_view TruncateUtf8(std::string_view text, std::size_t bytes_max);

}  // namespace fluoro
