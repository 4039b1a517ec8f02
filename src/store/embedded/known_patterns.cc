#include "store/embedded/known_patterns.h"

#include <algorithm>
#include <utility>

#include "store/embedded/text_digits.h"

namespace fluoro::store {
namespace {

constexpr std::uint32_t KindOf(TextSlot slot, std::size_t digits = 0) {
  return static_cast<std::uint32_t>(slot) | static_cast<std::uint32_t>(digits) << 8;
}

bool IsHex(char c) { return Digit(c) < 16; }

template <class Word>
Word WordAt(std::string_view text, std::size_t at) {
  Word word = 0;
  std::memcpy(&word, text.data() + at, sizeof(Word));
  return word;
}

// The first eight bytes, zeros behind the end.
inline std::uint64_t Head(std::string_view text) {
  const std::size_t bytes = text.size();
  if (bytes >= 8) return WordAt<std::uint64_t>(text, 0);
  if (bytes >= 4) {
    return WordAt<std::uint32_t>(text, 0) | std::uint64_t{WordAt<std::uint32_t>(text, bytes - 4)}
                                                << (8 * (bytes - 4));
  }
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    head |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  return head;
}
// The last eight bytes, if there are as many.
inline std::uint64_t Tail(std::string_view text) {
  return text.size() < 8 ? 0 : WordAt<std::uint64_t>(text, text.size() - 8);
}

// Whether the text begins with a literal of eight bytes or more: those that begin alike mostly end
// otherwise.
inline bool BeginsWithLong(std::string_view text, std::string_view literal, std::uint64_t tail) {
  return WordAt<std::uint64_t>(text, literal.size() - 8) == tail &&
         std::memcmp(text.data(), literal.data(), literal.size() - 8) == 0;
}

// Of a word, what a literal of so many bytes fills.
constexpr std::array<std::uint64_t, 9> kHeadMasks = {0,
                                                     0xff,
                                                     0xffff,
                                                     0xff'ffff,
                                                     0xffff'ffff,
                                                     0xff'ffff'ffff,
                                                     0xffff'ffff'ffff,
                                                     0xff'ffff'ffff'ffff,
                                                     ~std::uint64_t{0}};

// No slot can begin or end inside of it, whatever stands around it.
bool IsCertain(std::string_view literal, bool is_first, bool is_last) {
  if (literal.empty()) return is_first || is_last;
  if ((!is_first && IsHex(literal.front())) || (!is_last && IsHex(literal.back()))) return false;
  std::size_t letters = 0;
  for (const char c : literal) {
    if (Digit(c) < 10) return false;
    letters = IsHex(c) ? letters + 1 : 0;
    if (letters == 8) return false;  // a UUID might begin so
  }
  return true;
}

}  // namespace

// Moves what it finds to the front: most columns go round a few patterns. Inlined as TakeSlot is: a
// call costs as much as what it does.
[[gnu::always_inline]] inline KnownPatterns::Literal* KnownPatterns::Find(std::uint32_t& first,
                                                                          std::string_view rest) {
  const std::uint64_t head = Head(rest);
  Literal* before = nullptr;
  for (std::uint32_t at = first; at != 0;) {
    Literal& literal = literals_[at - 1];
    const std::size_t bytes = literal.bytes;
    if ((head & kHeadMasks[std::min<std::size_t>(bytes, 8)]) == literal.head &&
        bytes <= rest.size() &&
        (bytes <= 8 ||
         BeginsWithLong(rest, {bytes_.data() + literal.begin, bytes}, literal.tail)) &&
        (bytes == rest.size() || IsHex(rest[bytes]))) {
      if (before != nullptr) {
        before->sibling = literal.sibling;
        literal.sibling = std::exchange(first, at);
      }
      return &literal;
    }
    before = &literal;
    at = literal.sibling;
  }
  return nullptr;
}

// Takes a run of digits 0-9a-f off the front and returns what TextCutter makes of one that stands
// alone; 0: no slot, or not certain.
[[gnu::always_inline]] inline std::uint32_t KnownPatterns::TakeSlot(std::string_view& rest) {
  if (count_ == kTextSlotsMax) return 0;
  std::uint64_t& number = numbers_[count_];
  std::uint64_t decimal = 0;
  std::size_t bytes = 0;
  for (; bytes < rest.size(); ++bytes) {
    const unsigned digit = static_cast<unsigned char>(rest[bytes]) - unsigned{'0'};
    if (digit > 9) break;
    decimal = decimal * 10 + digit;
  }
  const bool is_decimal = bytes == rest.size() || !IsHex(rest[bytes]);
  if (!is_decimal) {
    const HexRun run = RunOfHex(rest);
    if (!run.has_decimal) return 0;
    bytes = run.bytes;
  }
  ++count_;
  if (bytes == 8 && rest.size() > 8 && rest[8] == '-' && ReadUuid(rest, number, numbers_[count_])) {
    if (rest.size() > kUuidBytes && IsHex(rest[kUuidBytes])) return 0;
    ++count_;
    rest.remove_prefix(kUuidBytes);
    return KindOf(TextSlot::kUuid);
  }
  const std::string_view digits = rest.substr(0, bytes);
  rest.remove_prefix(bytes);
  if (is_decimal) {
    if (bytes == 0 || bytes > kDigitsMax) return 0;
    number = decimal;
    return digits[0] == '0' && bytes > 1 ? KindOf(TextSlot::kPadded, bytes)
                                         : KindOf(TextSlot::kNumber);
  }
  if (bytes < kHexDigitsMin || bytes > kHexDigitsMax) return 0;
  number = HexNumber(digits);
  return KindOf(TextSlot::kHex, bytes);
}

std::optional<std::uint32_t> KnownPatterns::Match(std::string_view text) {
  if (text.empty() || text.size() > kCutTextBytesMax) return std::nullopt;
  count_ = 0;
  std::string_view rest = text;
  std::uint32_t slot = 0;
  while (true) {
    const Literal* const literal = Find(FirstBehind(slot), rest);
    if (literal == nullptr) return std::nullopt;
    rest.remove_prefix(literal->bytes);
    std::uint32_t number = literal->number;
    if (!rest.empty()) {
      const std::uint32_t kind = TakeSlot(rest);
      for (slot = literal->slots; slot != 0 && slots_[slot - 1].kind != kind;)
        slot = slots_[slot - 1].sibling;
      if (slot == 0) return std::nullopt;
      number = slots_[slot - 1].number;
    }
    if (rest.empty()) return number == 0 ? std::nullopt : std::optional(number - 1);
  }
}

// Into pieces_. False: it is not certain.
bool KnownPatterns::Split(std::string_view pattern) {
  pieces_.clear();
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= pattern.size(); ++at) {
    const bool is_last = at == pattern.size();
    if (!is_last && Digit(pattern[at]) != kSlotByte) continue;
    Piece piece{.literal = pattern.substr(begin, at - begin)};
    if (!IsCertain(piece.literal, begin == 0, is_last)) return false;
    if (!is_last) {
      const auto slot = static_cast<TextSlot>(pattern[at]);
      const bool has_width = slot == TextSlot::kPadded || slot == TextSlot::kHex;
      if (has_width) ++at;
      piece.kind = KindOf(slot, has_width ? static_cast<unsigned char>(pattern[at]) : 0);
    }
    pieces_.push_back(piece);
    begin = at + 1;
  }
  return true;
}

KnownPatterns::Literal* KnownPatterns::Add(std::uint32_t slot, std::string_view text) {
  std::size_t branches = 0;
  for (std::uint32_t at = FirstBehind(slot); at != 0; at = literals_[at - 1].sibling) {
    Literal& literal = literals_[at - 1];
    if (std::string_view(bytes_).substr(literal.begin, literal.bytes) == text) return &literal;
    ++branches;
  }
  if (branches == kBranchesMax || literals_.size() == kNodesMax) return nullptr;
  literals_.push_back({.head = Head(text),
                       .tail = Tail(text),
                       .begin = static_cast<std::uint32_t>(bytes_.size()),
                       .bytes = static_cast<std::uint32_t>(text.size()),
                       .sibling = FirstBehind(slot)});
  bytes_.append(text);
  FirstBehind(slot) = static_cast<std::uint32_t>(literals_.size());
  return &literals_.back();
}

void KnownPatterns::Learn(std::string_view pattern, std::uint32_t number) {
  if (pattern.empty() || !Split(pattern)) return;
  std::uint32_t slot = 0;
  for (const Piece& piece : pieces_) {
    if (piece.literal.empty() && piece.kind == 0) {  // ends behind a slot
      slots_[slot - 1].number = number + 1;
      return;
    }
    Literal* const literal = Add(slot, piece.literal);
    if (literal == nullptr) return;
    if (piece.kind == 0) {
      literal->number = number + 1;
      return;
    }
    for (slot = literal->slots; slot != 0 && slots_[slot - 1].kind != piece.kind;)
      slot = slots_[slot - 1].sibling;
    if (slot == 0) {
      if (slots_.size() == kNodesMax) return;
      slots_.push_back({.kind = piece.kind, .sibling = literal->slots});
      slot = literal->slots = static_cast<std::uint32_t>(slots_.size());
    }
  }
}

void KnownPatterns::Clear() {
  literals_.clear();
  slots_.clear();
  bytes_.clear();
  first_ = 0;
}

}  // namespace fluoro::store
