#include "cardinality/pattern.h"

#include <algorithm>
#include <array>

namespace fluoro::cardinality {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsHexLetter(char c) { return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
constexpr bool IsHexDigit(char c) { return IsDigit(c) || IsHexLetter(c); }

// `form`: 0 a digit, x a hex digit, all else itself.
bool HasForm(std::string_view text, std::string_view form) {
  return text.size() >= form.size() &&
         std::ranges::equal(form, text.substr(0, form.size()), [](char wanted, char c) {
           if (wanted == '0') return IsDigit(c);
           if (wanted == 'x') return IsHexDigit(c);
           return wanted == c;
         });
}

bool IsUuid(std::string_view text) {
  return text.size() == 36 && HasForm(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

bool IsHex(std::string_view text) {
  return text.size() >= 8 && std::ranges::all_of(text, IsHexDigit) &&
         std::ranges::any_of(text, IsDigit) && std::ranges::any_of(text, IsHexLetter);
}

bool IsNumber(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return std::ranges::any_of(text, IsDigit) && std::ranges::count(text, '.') <= 1 &&
         std::ranges::all_of(text, [](char c) { return IsDigit(c) || c == '.'; });
}

bool IsEmail(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == 0 || at == std::string_view::npos || text.find('@', at + 1) != std::string_view::npos ||
      text.find_first_of(" /") != std::string_view::npos)
    return false;
  const std::size_t point = text.rfind('.');
  return point != std::string_view::npos && point > at + 1 && point + 1 < text.size();
}

bool IsTimestamp(std::string_view text) {
  return HasForm(text, "0000-00-00T00:00") || HasForm(text, "0000-00-00 00:00");
}

bool HasIdSegment(std::string_view text) {
  if (!text.contains('/')) return false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    const std::string_view part = text.substr(0, end);
    if (IsUuid(part) || IsHex(part) || IsNumber(part) || IsEmail(part)) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

bool IsNumbered(std::string_view text) {
  const std::size_t word = text.find_first_of("0123456789");
  return word > 0 && word != std::string_view::npos &&
         text.find_last_not_of("0123456789") == word - 1 &&
         text.find_first_of(" /") == std::string_view::npos;
}

struct Told {
  std::string_view name;
  std::string_view remedy;
};
constexpr std::array<Told, kPatterns> kTold{{
    {"text",
     "Send a name from a closed list and keep the text beside it, or look it up by exact "
     "match only."},
    {"uuid", "It names one thing: look it up by exact match, and group by what it belongs to."},
    {"hex", "It names one thing: look it up by exact match, and group by what it belongs to."},
    {"number", "Send it as a number, which is filtered by range, or group by ranges of it."},
    {"email",
     "It names a person: hash it before it is sent, and group by what the person belongs "
     "to."},
    {"timestamp", "The span has its time already; send a number, or the hour alone."},
    {"path id",
     "Put {id} in place of the ids (http.route), so that routes and not addresses are "
     "grouped."},
    {"numbered",
     "Group by the word without its number, or by a hash of it into some hundred "
     "buckets."},
}};

}  // namespace

Pattern PatternOf(std::string_view text) {
  if (IsUuid(text)) return Pattern::kUuid;
  if (IsNumber(text)) return Pattern::kNumber;
  if (IsHex(text)) return Pattern::kHex;
  if (IsEmail(text)) return Pattern::kEmail;
  if (IsTimestamp(text)) return Pattern::kTimestamp;
  if (HasIdSegment(text)) return Pattern::kPathId;
  return IsNumbered(text) ? Pattern::kNumbered : Pattern::kText;
}

std::string_view PatternName(Pattern pattern) {
  return kTold.at(static_cast<std::size_t>(pattern)).name;
}

std::string_view RemedyOf(Pattern pattern) {
  return kTold.at(static_cast<std::size_t>(pattern)).remedy;
}

}  // namespace fluoro::cardinality
