// What kinds of bytes a text is made of, as a bit a byte: runs are then found a word at a time.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fluoro::store {

/// Which bytes of one text belong to a class; those behind its end do not.
template <std::size_t kWords>
class ByteMask {
 public:
  /// The first at `from` or behind it; `end` if there is none before it.
  [[nodiscard]] std::size_t Next(std::size_t from, std::size_t end) const {
    return Find(from, end, 0);
  }
  /// The first at `from` or behind it that does not belong to the class; at most `end`.
  [[nodiscard]] std::size_t EndOfRun(std::size_t from, std::size_t end) const {
    return Find(from, end, ~std::uint64_t{0});
  }
  /// Where those begin that stand without a gap before `at`; at least `from`.
  [[nodiscard]] std::size_t BeginOfRun(std::size_t at, std::size_t from) const {
    while (at > from) {
      const std::size_t bits = (at - 1) % 64 + 1;  // of this word before `at`
      const std::uint64_t gaps = ~words_[(at - 1) / 64] << (64 - bits);
      if (gaps != 0) return std::max(from, at - static_cast<std::size_t>(std::countl_zero(gaps)));
      at -= bits;
    }
    return from;
  }
  [[nodiscard]] std::uint64_t word(std::size_t i) const { return words_[i]; }
  void SetWord(std::size_t i, std::uint64_t bits) { words_[i] = bits; }
  /// Adds those of 16 bytes, of which the first is number `at`, a multiple of 16.
  void Add(std::size_t at, std::uint64_t bits) { words_[at / 64] |= bits << (at % 64); }

 private:
  [[nodiscard]] std::size_t Find(std::size_t from, std::size_t end, std::uint64_t inverted) const {
    while (from < end) {
      const std::uint64_t bits = (words_[from / 64] ^ inverted) >> (from % 64);
      if (bits != 0) return std::min(end, from + static_cast<std::size_t>(std::countr_zero(bits)));
      from += 64 - from % 64;
    }
    return end;
  }
  std::array<std::uint64_t, kWords> words_;
};

struct ByteClasses {
  static constexpr std::size_t kTextBytesMax = 1'024;
  using Mask = ByteMask<kTextBytesMax / 64>;
  Mask decimal;  ///< 0-9
  Mask hex;      ///< 0-9a-f
  /// False: nowhere stand eight letters a-f in a row.
  bool may_have_eight_letters = false;

  /// Reads a text of at most kTextBytesMax bytes. False: it has a byte 1 to 4, which mark slots in
  /// patterns (TextSlot).
  bool Read(std::string_view text);

 private:
  void FindEightLetters(std::size_t words);
};

#ifdef __SSE2__
inline bool ByteClasses::Read(std::string_view text) {
  const std::size_t words = (text.size() + 63) / 64;
  for (std::size_t i = 0; i < words; ++i) {
    decimal.SetWord(i, 0);
    hex.SetWord(i, 0);
  }
  const auto between = [](__m128i block, char first, char count) {
    const __m128i moved = _mm_sub_epi8(block, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(moved, _mm_set1_epi8(static_cast<char>(count - 1))), moved);
  };
  __m128i slots = _mm_setzero_si128();
  // Of the bytes in the block the last `taken` are those from `at` on.
  const auto add = [&](const char* from, std::size_t at, unsigned taken) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i decimals = between(block, '0', 10);
    const __m128i digits = _mm_or_si128(decimals, between(block, 'a', 6));
    slots = _mm_or_si128(slots, between(block, 1, 4));
    decimal.Add(at, static_cast<std::uint32_t>(_mm_movemask_epi8(decimals)) >> (16 - taken));
    hex.Add(at, static_cast<std::uint32_t>(_mm_movemask_epi8(digits)) >> (16 - taken));
  };
  std::size_t at = 0;
  for (; at + 16 <= text.size(); at += 16) add(text.data() + at, at, 16);
  const auto rest = static_cast<unsigned>(text.size() - at);
  if (rest > 0 && at > 0) {
    add(text.data() + text.size() - 16, at, rest);
  } else if (rest > 0) {
    std::array<char, 16> padded{};
    std::memcpy(padded.data() + 16 - rest, text.data(), rest);
    add(padded.data(), at, rest);
  }
  FindEightLetters(words);
  return _mm_movemask_epi8(slots) == 0;
}
#else
inline bool ByteClasses::Read(std::string_view text) {
  const std::size_t words = (text.size() + 63) / 64;
  bool is_plain = true;
  for (std::size_t word = 0; word < words; ++word) {
    std::uint64_t decimals = 0;
    std::uint64_t letters = 0;
    const std::string_view bytes = text.substr(word * 64, 64);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      decimals |= std::uint64_t{byte - unsigned{'0'} < 10} << i;
      letters |= std::uint64_t{byte - unsigned{'a'} < 6} << i;
      is_plain = is_plain && byte - 1U >= 4U;
    }
    decimal.SetWord(word, decimals);
    hex.SetWord(word, decimals | letters);
  }
  FindEightLetters(words);
  return is_plain;
}
#endif

inline void ByteClasses::FindEightLetters(std::size_t words) {
  std::uint64_t found = 0;
  std::uint64_t crossing = 0;  // the last bit of the word before
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t letters = hex.word(i) & ~decimal.word(i);
    const std::uint64_t two = letters & letters >> 1;
    const std::uint64_t four = two & two >> 2;
    found |= (four & four >> 4) | (crossing & letters);
    crossing = letters >> 63;
  }
  may_have_eight_letters = found != 0;
}

}  // namespace fluoro::store
