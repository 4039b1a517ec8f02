// Cuts a text into a pattern and numbers: "user-004213" is the pattern "user-" with a slot for six
// digits, and 4213. The rule: docs/formats/block.md, texts of kind 2.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "store/embedded/byte_classes.h"

namespace fluoro::store {

/// Numbers that one text can have.
inline constexpr std::size_t kTextSlotsMax = 8;
/// Longer texts are not cut.
inline constexpr std::size_t kCutTextBytesMax = ByteClasses::kTextBytesMax;

/// Stands in a pattern where a text has a number. Stored: never renumber.
enum class TextSlot : char {
  kNumber = 1,  ///< decimal digits without a leading zero
  kPadded = 2,  ///< so many decimal digits as the next byte says
  kHex = 3,     ///< so many digits 0-9a-f as the next byte says
  kUuid = 4,    ///< 8-4-4-4-12 digits 0-9a-f; two numbers
};

/// Cuts one text after the other. Equal texts give equal patterns and numbers, different ones do
/// not.
class TextCutter {
 public:
  /// False: this text cannot be cut.
  bool Cut(std::string_view text);
  [[nodiscard]] std::string_view pattern() const { return {pattern_.data(), bytes_}; }
  [[nodiscard]] std::span<const std::uint64_t> numbers() const {
    return std::span(numbers_).first(count_);
  }

 private:
  void Add(std::uint64_t number) { numbers_[count_++] = number; }
  void Put(char c) { pattern_[bytes_++] = c; }
  void Put(TextSlot slot) { Put(static_cast<char>(slot)); }
  void Put(std::string_view text) {
    std::memcpy(pattern_.data() + bytes_, text.data(), text.size());
    bytes_ += text.size();
  }
  bool CutLettersUuid(std::string_view text, std::size_t& at, std::size_t end);
  bool CutUuid(std::string_view text);
  bool PutNumber(std::string_view digits);
  std::size_t CutHex(std::string_view run);
  std::size_t CutDigits(std::string_view run);

  ByteClasses classes_;
  // A slot takes no more bytes than its number has, or one more.
  std::array<char, kCutTextBytesMax + kTextSlotsMax> pattern_;
  std::size_t bytes_ = 0;
  std::array<std::uint64_t, kTextSlotsMax> numbers_{};
  std::size_t count_ = 0;
};

}  // namespace fluoro::store
