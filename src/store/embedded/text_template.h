// Texts as patterns and numbers: "user-004213" is the pattern "user-" with a slot for six digits,
// and 4213. Columns of ids, URLs and addresses shrink to a few patterns and packed integers, and
// are compared without making texts of them. docs/formats/block.md, texts of kind 2.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/embedded/columns.h"
#include "store/embedded/known_patterns.h"
#include "store/embedded/text_cutter.h"

namespace fluoro::store {

/// Collects texts as patterns and numbers. Not thread-safe.
class TemplateColumn {
 public:
  /// False: it is not of this kind, or has more patterns than are worth it; it is of no more use
  /// until Clear.
  bool Add(std::string_view text);
  /// What stands behind the kind.
  void Encode(std::string& out) const;
  void Clear();

 private:
  void AddNumbers(std::span<const std::uint64_t> numbers);

  TextCutter cutter_;
  KnownPatterns known_;
  TextColumn patterns_;
  std::array<std::vector<std::uint64_t>, kTextSlotsMax> numbers_;
};

/// A column of patterns and numbers, read. Borrows from the column's bytes.
class TemplatedTexts {
 public:
  /// @param in  behind the kind. Errors: kCorruption, kUnsupported.
  static Result<TemplatedTexts> Decode(ByteReader& in, std::size_t count);

  /// Whether some value may equal `text`; false is certain. Reads no more than that takes: most
  /// searches for an id end here. @param in  behind the kind. Errors: kCorruption, kUnsupported.
  static Result<bool> MayEqual(ByteReader in, std::size_t count, std::string_view text);

  /// The texts in these ranges, which are not empty and stand in order, one behind the other.
  Result<void> Expand(std::span<const model::Range> ranges, std::string& to,
                      std::vector<TextPiece>& pieces) const;
  /// Calls `visit(value)` with each value that equals `text`.
  template <class Visit>
  void FindEqual(std::string_view text, Visit&& visit) const;
  /// Sets in `hits` (one a value) those that contain `text`. False: none does.
  Result<bool> FindContaining(std::string_view text, std::vector<bool>& hits) const;

 private:
  friend class ContainsPlan;
  // One piece of a pattern: a literal and the slot behind it.
  struct Part {
    std::string_view literal;
    TextSlot slot = TextSlot::kNumber;
    std::uint8_t digits = 0;  // 0 in the last part: no slot
    bool is_last = false;
  };
  struct Pattern {
    std::vector<Part> parts;
    std::size_t numbers = 0;
  };
  // A number of each of the patterns' slots in turn.
  class Walk;
  static Result<Pattern> Parse(std::string_view pattern);
  static Result<void> Print(const Pattern& pattern, const std::uint64_t* numbers, std::string& to);

  CodedTexts patterns_;
  std::vector<Pattern> parsed_;
  std::vector<std::vector<std::uint64_t>> numbers_;
  std::size_t count_ = 0;
};

/// Goes through the values in order, keeping the place in each slot's numbers.
class TemplatedTexts::Walk {
 public:
  explicit Walk(const TemplatedTexts& texts) : texts_(texts) {}
  [[nodiscard]] std::size_t value() const { return value_; }
  [[nodiscard]] std::size_t pattern() const { return texts_.patterns_.CodeOf(value_); }
  [[nodiscard]] std::uint64_t Number(std::size_t slot) const {
    return texts_.numbers_[slot][at_[slot]];
  }
  [[nodiscard]] bool done() const { return value_ == texts_.count_; }
  void Next() {
    const std::size_t numbers = texts_.parsed_[pattern()].numbers;
    for (std::size_t slot = 0; slot < numbers; ++slot) ++at_[slot];
    ++value_;
  }

 private:
  const TemplatedTexts& texts_;
  std::size_t value_ = 0;
  std::array<std::size_t, kTextSlotsMax> at_{};
};

template <class Visit>
void TemplatedTexts::FindEqual(std::string_view text, Visit&& visit) const {
  TextCutter cutter;
  if (!cutter.Cut(text)) return;
  const std::span<const std::uint64_t> wanted = cutter.numbers();
  std::vector<bool> is_wanted(parsed_.size());
  bool any = false;
  for (std::size_t i = 0; i < parsed_.size(); ++i) {
    const bool equal = patterns_.Entry(i) == cutter.pattern();
    is_wanted[i] = equal;
    any = any || equal;
  }
  if (!any) return;
  // Most searches for an id end here.
  for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
    if (std::ranges::find(numbers_[slot], wanted[slot]) == numbers_[slot].end()) return;
  }
  for (Walk walk(*this); !walk.done(); walk.Next()) {
    if (!is_wanted[walk.pattern()]) continue;
    std::size_t slot = 0;
    while (slot < wanted.size() && walk.Number(slot) == wanted[slot]) ++slot;
    if (slot == wanted.size()) visit(walk.value());
  }
}

}  // namespace fluoro::store
