// The patterns that a column's texts were cut into so far, as a tree of literals and slots: a text
// like one before it is cut in one walk.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/embedded/text_cutter.h"

namespace fluoro::store {

/// Says of many texts what TextCutter::Cut would, and of the others nothing. Bounded: patterns
/// beyond kNodesMax nodes, or beyond kBranchesMax literals at one place, are left to the cutter.
/// Not thread-safe.
class KnownPatterns {
 public:
  static constexpr std::size_t kNodesMax = 1'024;
  static constexpr std::size_t kBranchesMax = 16;

  /// The number under which the pattern of this text was learned; `numbers` are then the text's.
  std::optional<std::uint32_t> Match(std::string_view text);
  [[nodiscard]] std::span<const std::uint64_t> numbers() const {
    return std::span(numbers_).first(count_);
  }
  /// @param pattern  made by TextCutter::Cut. One that does not say for certain how texts like it
  /// are cut is left out: where letters a-f stand beside a slot, or digits in a literal.
  void Learn(std::string_view pattern, std::uint32_t number);
  void Clear();
  /// Literals, or slots if they are more: at most kNodesMax.
  [[nodiscard]] std::size_t nodes() const { return std::max(literals_.size(), slots_.size()); }

 private:
  // Places in literals_ and slots_ count from 1; 0 is none.
  struct Literal {
    std::uint64_t head = 0;   // its first eight bytes, zeros behind its end
    std::uint64_t tail = 0;   // its last eight bytes, if it has as many
    std::uint32_t begin = 0;  // in bytes_
    std::uint32_t bytes = 0;
    std::uint32_t slots = 0;    // what may stand behind it
    std::uint32_t sibling = 0;  // what else may stand here
    std::uint32_t number = 0;   // of the pattern that ends here, from 1
  };
  struct Slot {
    std::uint32_t kind = 0;
    std::uint32_t literals = 0;
    std::uint32_t sibling = 0;
    std::uint32_t number = 0;
  };
  // A literal of a pattern and the kind of the slot behind it; 0: it ends.
  struct Piece {
    std::string_view literal;
    std::uint32_t kind = 0;
  };

  bool Split(std::string_view pattern);
  Literal* Find(std::uint32_t& first, std::string_view rest);
  std::uint32_t TakeSlot(std::string_view& rest);
  Literal* Add(std::uint32_t slot, std::string_view literal);
  std::uint32_t& FirstBehind(std::uint32_t slot) {
    return slot == 0 ? first_ : slots_[slot - 1].literals;
  }

  std::vector<Literal> literals_;
  std::vector<Slot> slots_;
  std::string bytes_;
  std::uint32_t first_ = 0;
  std::array<std::uint64_t, kTextSlotsMax + 1> numbers_{};
  std::size_t count_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace fluoro::store
