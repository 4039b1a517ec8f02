#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "model/entity.h"

namespace fluoro::model {
namespace {

constexpr std::size_t kNameCodePointsMax = 200;
constexpr std::string_view kPunctuation = "_.:/%&#=+\\-@";

constexpr std::array<bool, 128> kAsciiAllowed = [] {
  std::array<bool, 128> allowed{};
  for (char c = '0'; c <= '9'; ++c) allowed[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) allowed[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) allowed[static_cast<unsigned char>(c)] = true;
  for (const char c : kPunctuation) allowed[static_cast<unsigned char>(c)] = true;
  allowed[' '] = true;
  return allowed;
}();

// RE2 knows the Unicode classes.
const RE2& Disallowed() {
  static const RE2 pattern(R"([^\p{L}\p{N}\p{Z}_.:/%&#=+\\\-@])");
  return pattern;
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void CutToCodePoints(std::string& text) {
  if (text.size() <= kNameCodePointsMax) return;
  std::size_t code_points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (IsContinuation(text[i])) continue;
    if (++code_points > kNameCodePointsMax) {
      text.resize(i);
      return;
    }
  }
}

}  // namespace

std::string CleanName(std::string_view name) {
  std::string clean(name);
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 128; });
  if (ascii) {
    std::erase_if(clean, [](char c) { return !kAsciiAllowed[static_cast<unsigned char>(c)]; });
  } else {
    clean = RepairUtf8(clean);  // U+FFFD is in none of the classes, so invalid bytes go too
    RE2::GlobalReplace(&clean, Disallowed(), "");
  }
  CutToCodePoints(clean);
  return clean;
}

}  // namespace fluoro::model
