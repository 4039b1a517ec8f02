#include "codec/xray/decimal.h"

#include <algorithm>
#include <limits>

namespace fluoro::codec::xray {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// digits * 10^exponent, as text: `whole` and `fraction` name the digits around the point.
struct Decimal {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::int64_t exponent = 0;

  [[nodiscard]] std::int64_t digits_count() const {
    return static_cast<std::int64_t>(whole.size() + fraction.size());
  }
  [[nodiscard]] char Digit(std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return at < whole.size() ? whole[at] : fraction[at - whole.size()];
  }
};

std::string_view TakeDigits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

std::optional<Decimal> Split(std::string_view text) {
  Decimal d;
  if (text.starts_with('-')) {
    d.negative = true;
    text.remove_prefix(1);
  }
  d.whole = TakeDigits(text);
  if (d.whole.empty()) return std::nullopt;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    d.fraction = TakeDigits(text);
    if (d.fraction.empty()) return std::nullopt;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const std::string_view digits = TakeDigits(text);
    if (digits.empty()) return std::nullopt;
    constexpr std::int64_t kExponentMax = 1'000'000'000;
    for (const char c : digits) d.exponent = std::min(kExponentMax, d.exponent * 10 + (c - '0'));
    if (negative) d.exponent = -d.exponent;
  }
  if (!text.empty()) return std::nullopt;
  return d;
}

// The integer d * 10^shift, digits behind the point cut off; nothing beyond 64 bits. `exact`:
// nothing was cut off.
struct Scaled {
  std::int64_t value = 0;
  bool exact = true;
};
std::optional<Scaled> Scale(const Decimal& d, int shift) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::int64_t point = static_cast<std::int64_t>(d.whole.size()) + d.exponent + shift;
  std::uint64_t value = 0;
  bool exact = true;
  for (std::int64_t i = 0; i < d.digits_count(); ++i) {
    const auto digit = static_cast<std::uint64_t>(d.Digit(i) - '0');
    if (i >= point) {
      exact = exact && digit == 0;
      if (!exact) break;
      continue;
    }
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  for (std::int64_t i = d.digits_count(); i < point && value != 0; ++i) {
    if (value > kMax / 10) return std::nullopt;
    value *= 10;
  }
  const auto magnitude = static_cast<std::int64_t>(value);
  return Scaled{.value = d.negative ? -magnitude : magnitude, .exact = exact};
}

}  // namespace

std::optional<std::int64_t> ParseSeconds(std::string_view number) {
  const auto decimal = Split(number);
  if (!decimal) return std::nullopt;
  const auto scaled = Scale(*decimal, 9);
  if (!scaled) return std::nullopt;
  return scaled->value;
}

std::optional<std::int64_t> ParseInteger(std::string_view number) {
  const auto decimal = Split(number);
  if (!decimal) return std::nullopt;
  const auto scaled = Scale(*decimal, 0);
  if (!scaled || !scaled->exact) return std::nullopt;
  return scaled->value;
}

}  // namespace fluoro::codec::xray
