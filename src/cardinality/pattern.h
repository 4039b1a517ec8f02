// What kind of text a value is, by its form alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fluoro::cardinality {

/// Stored: never renumber.
enum class Pattern : std::uint8_t {
  kText = 0,
  kUuid = 1,       ///< 8-4-4-4-12 hex digits
  kHex = 2,        ///< 8 hex digits or more, of them some 0-9 and some a-f
  kNumber = 3,     ///< an optional sign, digits, at most one point
  kEmail = 4,      ///< name@host.domain
  kTimestamp = 5,  ///< begins yyyy-mm-ddThh:mm
  kPathId = 6,     ///< segments between slashes, one of which is a UUID, hex, a number or an e-mail
  kNumbered = 7,   ///< a word and a number: user-4213
};
inline constexpr std::size_t kPatterns = 8;

Pattern PatternOf(std::string_view text);
/// A UUID, hex, a number or an e-mail: what names one thing rather than a kind of things.
constexpr bool IsIdLike(Pattern pattern) {
  return pattern >= Pattern::kUuid && pattern <= Pattern::kEmail;
}
/// "text", "uuid", "hex", "number", "email", "timestamp", "path id", "numbered".
std::string_view PatternName(Pattern pattern);
/// What to do about a key whose values are of this pattern, as one sentence.
std::string_view RemedyOf(Pattern pattern);

}  // namespace fluoro::cardinality
