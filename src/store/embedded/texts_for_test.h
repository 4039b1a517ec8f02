// Texts as columns hold them, for tests of how they are cut.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.h"

namespace fluoro::store {

inline std::string Digits(Rng& rng, std::size_t count, std::string_view alphabet) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text.push_back(alphabet[rng.Below(alphabet.size())]);
  return text;
}

// Pieces that stand near each edge of the rules.
inline std::string RandomText(Rng& rng) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (std::uint64_t left = rng.Below(7); left > 0; --left) {
    switch (rng.Below(9)) {
      case 0:
        text += std::to_string(rng.Below(1'000));
        break;
      case 1:
        text += std::to_string(rng.Next());
        break;
      case 2:
        text += Digits(rng, 1 + rng.Below(21), "0123456789");
        break;
      case 3:
        text += Digits(rng, 1 + rng.Below(40), kHex);
        break;
      case 4:
        text += Digits(rng, 7 + rng.Below(3), kHex) + "-" + Digits(rng, 4, kHex) + "-" +
                Digits(rng, 4, kHex) + "-" + Digits(rng, 4, kHex) + "-" + Digits(rng, 12, kHex);
        break;
      case 5:
        text += "00" + std::to_string(rng.Below(100));
        break;
      case 6:
        text += "/items/";
        break;
      case 7:
        text += "ABCDEF0";
        break;
      default:
        text += rng.Chance(0.5) ? "." : "-";
    }
  }
  return text;
}

// A family of texts with few patterns, as a column of a real attribute is.
inline std::string FamilyText(Rng& rng, std::uint64_t family) {
  switch (family) {
    case 0:
      return Digits(rng, 16, "0123456789abcdef");
    case 1:
      return "user-" + Digits(rng, 6, "0123456789");
    case 2:
      return "https://shop.example/api/v2/orders/" + std::to_string(rng.Below(100'000)) +
             "?page=" + std::to_string(rng.Below(20)) + "&size=5";
    case 3:
      return std::to_string(rng.Below(256)) + "." + std::to_string(rng.Below(256)) + ".0." +
             std::to_string(rng.Below(256));
    case 4:
      return Digits(rng, 8, "0123456789abcdef") + "-0000-4000-8000-" +
             Digits(rng, 12, "0123456789abcdef");
    default:
      return rng.Chance(0.5) ? FamilyText(rng, rng.Below(5)) : RandomText(rng);
  }
}

}  // namespace fluoro::store
