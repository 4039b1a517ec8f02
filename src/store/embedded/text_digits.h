// Digits in texts and the numbers they are.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fluoro::store {

inline constexpr std::size_t kDigitsMax = 18;  // fit into 64 bits
inline constexpr std::size_t kHexDigitsMin = 8;
inline constexpr std::size_t kHexDigitsMax = 16;
inline constexpr std::size_t kUuidBytes = 36;

inline constexpr std::uint8_t kOther = 0xff;
inline constexpr std::uint8_t kSlotByte = 0xfe;
// Of each byte: the value of a digit 0-9a-f, kSlotByte, or kOther.
inline constexpr std::array<std::uint8_t, 256> kDigits = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kOther);
  for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) values['a' + i] = static_cast<std::uint8_t>(10 + i);
  for (unsigned i = 1; i <= 4; ++i) values[i] = kSlotByte;
  return values;
}();

inline std::uint8_t Digit(char c) { return kDigits[static_cast<unsigned char>(c)]; }

/// Digits 0-9a-f that stand without a gap.
struct HexRun {
  std::size_t bytes = 0;
  bool has_decimal = false;  ///< one of them is 0-9
};
/// What a text begins with.
inline HexRun RunOfHex(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighs = kOnes << 7;
  HexRun run;
  // Eight at once, a high bit each; bytes beyond ASCII have theirs and are none of them.
  for (; run.bytes + 8 <= text.size(); run.bytes += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + run.bytes, 8);
    const std::uint64_t ascii = bytes & ~kHighs;
    const auto from = [&](char c) { return ascii + kOnes * static_cast<unsigned>(0x80 - c); };
    const std::uint64_t decimals = from('0') & ~from('9' + 1) & ~bytes & kHighs;
    const std::uint64_t letters = from('a') & ~from('f' + 1) & ~bytes & kHighs;
    const std::uint64_t others = ~(decimals | letters) & kHighs;
    if (others != 0) {
      const auto end = static_cast<unsigned>(std::countr_zero(others));  // a multiple of 8, less 1
      run.has_decimal = run.has_decimal || (decimals & ((std::uint64_t{1} << end) - 1)) != 0;
      run.bytes += end / 8;
      return run;
    }
    run.has_decimal = run.has_decimal || decimals != 0;
  }
  for (; run.bytes < text.size() && Digit(text[run.bytes]) < 16; ++run.bytes)
    run.has_decimal = run.has_decimal || Digit(text[run.bytes]) < 10;
  return run;
}

// Eight digits at once: the first is the highest.
inline std::uint32_t EightHexDigits(std::string_view digits) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, digits.data(), 8);
  bytes = (bytes & 0x0f0f0f0f0f0f0f0fU) + 9 * (bytes >> 6 & 0x0101010101010101U);
  bytes = (bytes << 4 | bytes >> 8) & 0x00ff00ff00ff00ffU;
  bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffffU;
  return std::byteswap(static_cast<std::uint32_t>(bytes | bytes >> 16));
}

inline std::uint64_t HexNumber(std::string_view digits) {
  std::uint64_t number = 0;
  for (; digits.size() >= 8; digits.remove_prefix(8))
    number = number << 32 | EightHexDigits(digits);
  for (const char c : digits) number = number << 4 | Digit(c);
  return number;
}
inline std::uint64_t DecimalNumber(std::string_view digits) {
  std::uint64_t number = 0;
  for (const char c : digits) number = number * 10 + static_cast<unsigned char>(c - '0');
  return number;
}

/// Of a text that begins with 8-4-4-4-12 digits 0-9a-f: the two halves of the number.
inline bool ReadUuid(std::string_view text, std::uint64_t& high, std::uint64_t& low) {
  if (text.size() < kUuidBytes || text[8] != '-' || text[13] != '-' || text[18] != '-' ||
      text[23] != '-')
    return false;
  std::array<char, 32> digits{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < kUuidBytes; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) continue;
    if (Digit(text[i]) >= 16) return false;
    digits[count++] = text[i];
  }
  high = HexNumber({digits.data(), 16});
  low = HexNumber({digits.data() + 16, 16});
  return true;
}

}  // namespace fluoro::store
