#include "codec/otlp/json_text.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace fluoro::codec::otlp::internal {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> MakeDigits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::uint8_t i = 0; i < 64; ++i) digits[static_cast<std::uint8_t>(kAlphabet[i])] = i;
  digits['-'] = 62;
  digits['_'] = 63;
  return digits;
}
constexpr std::array<std::uint8_t, 256> kDigits = MakeDigits();

// The code unit of "\uXXXX" at `at`, or none.
std::optional<unsigned> EscapedUnit(std::string_view json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const char c = json[i];
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<unsigned>((c | 0x20) - 'a' + 10);
    } else {
      return std::nullopt;
    }
    unit = unit * 16 + digit;
  }
  return unit;
}

bool IsHighSurrogate(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

}  // namespace

std::optional<std::string> DecodeBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int bits_count = 0;
  for (const char c : text) {
    const std::uint8_t digit = kDigits[static_cast<std::uint8_t>(c)];
    if (digit == kNoDigit) return std::nullopt;
    bits = (bits << 6) | digit;
    bits_count += 6;
    if (bits_count >= 8) {
      bits_count -= 8;
      bytes.push_back(static_cast<char>(bits >> bits_count));
    }
  }
  return bytes;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int bits_count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    bits_count += 8;
    while (bits_count >= 6) {
      bits_count -= 6;
      text.push_back(kAlphabet[(bits >> bits_count) & 63]);
    }
  }
  if (bits_count > 0) text.push_back(kAlphabet[(bits << (6 - bits_count)) & 63]);
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

std::string RepairJson(std::string_view json) {
  std::string out = RepairUtf8(json);
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] != '\\') continue;
    const auto unit = EscapedUnit(out, i);
    if (!unit) {
      ++i;  // the escaped character
      continue;
    }
    if (IsHighSurrogate(*unit)) {
      const auto next = EscapedUnit(out, i + 6);
      if (next && IsLowSurrogate(*next)) {
        i += 11;
        continue;
      }
    }
    if (IsHighSurrogate(*unit) || IsLowSurrogate(*unit)) out.replace(i, 6, "\\ufffd");
    i += 5;
  }
  return out;
}

}  // namespace fluoro::codec::otlp::internal
