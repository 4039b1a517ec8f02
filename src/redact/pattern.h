// A pattern of a user, matched in linear time (RE2).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace re2 {
class RE2;
}

namespace fluoro::redact {

/// Immutable; thread-safe.
class Pattern {
 public:
  /// Errors: kInvalidArgument: no pattern, too large for a megabyte of automaton, or one that
  /// matches the empty text.
  static Result<Pattern> Compile(const std::string& text);
  /// Begin and end of the first match at or behind `from`.
  [[nodiscard]] std::optional<std::pair<std::size_t, std::size_t>> Find(std::string_view text,
                                                                        std::size_t from) const;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace fluoro::redact
