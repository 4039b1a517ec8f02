// What is to be removed, and how: rules that users write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::redact {

/// What happens to prompts, answers and everything else at the door (`--content`).
enum class ContentMode : std::uint8_t {
  kNone,      ///< content is dropped; everything else as kRedacted
  kHash,      ///< of content stays length, estimated tokens and hash; everything else as kRedacted
  kRedacted,  ///< detectors and rules over everything
  kFull,      ///< as sent: nothing is looked at
};
/// "none", "hash", "redacted", "full".
std::string_view ContentModeName(ContentMode mode);
std::optional<ContentMode> ParseContentMode(std::string_view name);

enum class Action : std::uint8_t {
  kHash,  ///< <name:3f9a>: equal values stay equal
  kMask,  ///< <name>
  kDrop,  ///< nothing
  kKeep,  ///< stays as it is: an exception, or a detector that is off
};
std::string_view ActionName(Action action);
std::optional<Action> ParseAction(std::string_view name);

enum class RuleKind : std::uint8_t { kKey, kPattern, kDetector };

/// `name` stands in the values that the rule removed: [a-z0-9-], 1 to 32 characters.
struct Rule {
  std::string name;
  RuleKind kind = RuleKind::kKey;
  /// kKey: name of an attribute, or of a member inside JSON (alone, or dotted from the attribute
  /// on); `*` stands for anything. kPattern: RE2 syntax. kDetector: DetectorName.
  std::string match;
  Action action = Action::kHash;
  bool operator==(const Rule&) const = default;
};

inline constexpr std::size_t kRulesMax = 100;
inline constexpr std::size_t kMatchBytesMax = 1'000;

/// {"key"|"pattern"|"detector":..., "action":...}; `action` may be absent. Errors: kInvalidArgument
/// saying which member, and what was wanted.
Result<Rule> ParseRule(std::string_view name, std::string_view json);
/// The object that ParseRule reads, with "name" in front.
std::string PrintRule(const Rule& rule);
/// Errors: kInvalidArgument: bad name, empty match, an unknown detector, a pattern that RE2 does
/// not take or that matches the empty text.
Result<void> CheckRule(const Rule& rule);

}  // namespace fluoro::redact
