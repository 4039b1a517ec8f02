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

// The first eight bytes, zeros behind the end.
std::uint64_t Head(std::string_view text) {
  std::uint64_t head = 0;
  if (text.size() >= 8) {
    std::memcpy(&head, text.data(), 8);
  } else {
    for (std::size_t i = 0; i < text.size(); ++i)
      head |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  }
  return head;
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

// Moves what it finds to the front: most columns go round a few patterns.
KnownPatterns::Literal* KnownPatterns::Find(std::uint32_t& first, std::string_view rest) {
  const std::uint64_t head = Head(rest);
  Literal* before = nullptr;
  for (std::uint32_t at = first; at != 0;) {
    Literal& literal = literals_[at - 1];
    const std::size_t bytes = literal.bytes;
    if ((head & kHeadMasks[std::min<std::size_t>(bytes, 8)]) == literal.head &&
        bytes <= rest.size() && (bytes == rest.size() || IsHex(rest[bytes])) &&
        (bytes <= 8 ||
         std::memcmp(rest.data() + 8, bytes_.data() + literal.begin + 8, bytes - 8) == 0)) {
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
std::uint32_t KnownPatterns::TakeSlot(std::string_view& rest) {
  if (count_ == kTextSlotsMax) return 0;
  std::uint64_t number = 0;
  std::size_t bytes = 0;
  for (; bytes < rest.size() && Digit(rest[bytes]) < 10; ++bytes)
    number = number * 10 + Digit(rest[bytes]);
  const bool is_decimal = bytes == rest.size() || !IsHex(rest[bytes]);
  bool has_decimal = bytes > 0;
  for (; bytes < rest.size() && IsHex(rest[bytes]); ++bytes)
    has_decimal = has_decimal || Digit(rest[bytes]) < 10;
  if (!has_decimal) return 0;

  std::uint32_t kind = 0;
  if (bytes == 8 && ReadUuid(rest, numbers_[count_], numbers_[count_ + 1])) {
    if (rest.size() > kUuidBytes && IsHex(rest[kUuidBytes])) return 0;
    kind = KindOf(TextSlot::kUuid);
    bytes = kUuidBytes;
    ++count_;
  } else if (is_decimal) {
    if (bytes > kDigitsMax) return 0;
    const bool is_padded = rest[0] == '0' && bytes > 1;
    kind = is_padded ? KindOf(TextSlot::kPadded, bytes) : KindOf(TextSlot::kNumber);
    numbers_[count_] = number;
  } else {
    if (bytes < kHexDigitsMin || bytes > kHexDigitsMax) return 0;
    kind = KindOf(TextSlot::kHex, bytes);
    numbers_[count_] = HexNumber(rest.substr(0, bytes));
  }
  ++count_;
  rest.remove_prefix(bytes);
  return kind;
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
