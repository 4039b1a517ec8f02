#include "store/embedded/columns.h"

// Inlined: most texts are short.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace fluoro::store {
namespace {

constexpr std::uint8_t kConstant = 0;
constexpr std::uint8_t kPacked = 1;
constexpr std::uint8_t kScaled = 2;
constexpr std::uint8_t kPlain = 0;
constexpr std::uint8_t kDictionary = 1;
constexpr std::size_t kGroup = 128;
// After so many texts it is decided whether interning is worth its time.
constexpr std::size_t kTrial = 512;
constexpr std::size_t kLongTrial = 64;  // if they are long
constexpr std::size_t kTrialBytesMax = std::size_t{512} << 10;
constexpr std::size_t kSlotsMin = 16;
// What an emptied column keeps.
constexpr std::size_t kSlotsKeptMax = 4'096;
constexpr std::size_t kKeptBytesMax = std::size_t{64} << 10;

template <class Value, bool kIsScaled>
void PackGroup(std::span<const Value> values, std::uint64_t factor, std::string& out) {
  const auto scaled = [factor](Value value) {
    return kIsScaled ? std::uint64_t{value} / factor : std::uint64_t{value};
  };
  const auto [least, greatest] = std::ranges::minmax(values);
  const std::uint64_t low = scaled(least);
  const auto width = static_cast<unsigned>(std::bit_width(scaled(greatest) - low));
  ByteWriter writer(out);
  writer.PutVarint(low);
  writer.PutU8(static_cast<std::uint8_t>(width));
  if (width == 0) return;
  const std::size_t begin = out.size();
  const std::size_t bytes = (values.size() * width + 7) / 8;
  out.resize(begin + bytes + 8, '\0');  // room for whole words; cut below
  char* to = out.data() + begin;
  std::uint64_t word = 0;
  unsigned filled = 0;
  for (const Value value : values) {
    const std::uint64_t rest = scaled(value) - low;
    word |= rest << filled;
    filled += width;
    if (filled < 64) continue;
    std::memcpy(to, &word, 8);
    to += 8;
    filled -= 64;
    word = filled == 0 ? 0 : rest >> (width - filled);
  }
  std::memcpy(to, &word, 8);
  out.resize(begin + bytes);
}

Result<void> UnpackGroup(ByteReader& in, std::span<std::uint64_t> values) {
  FLUORO_TRY(const std::uint64_t low, in.TakeVarint());
  FLUORO_TRY(const std::uint8_t width, in.TakeU8());
  if (width > 64) return Fail(ErrorCode::kCorruption, "ints: width above 64");
  FLUORO_TRY(const std::string_view bits, in.Take((values.size() * width + 7) / 8));
  if (width == 0) {
    std::fill(values.begin(), values.end(), low);
    return {};
  }
  char padded[kGroup * 8 + 16] = {};
  std::memcpy(padded, bits.data(), bits.size());
  const std::uint64_t mask = width == 64 ? UINT64_MAX : (std::uint64_t{1} << width) - 1;
  std::size_t bit = 0;
  for (std::uint64_t& value : values) {
    std::uint64_t word = 0;
    const std::size_t byte = bit / 8;
    const unsigned shift = bit % 8;
    std::memcpy(&word, padded + byte, 8);
    word >>= shift;
    if (shift + width > 64) {
      word |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(padded[byte + 8]))
              << (64 - shift);
    }
    value = low + (word & mask);
    bit += width;
  }
  return {};
}

// The largest usual unit that divides every value: times often come in whole micro- or
// milliseconds.
template <class Value>
std::uint64_t CommonFactor(std::span<const Value> values) {
  for (const std::uint64_t factor : {std::uint64_t{1'000'000}, std::uint64_t{1'000}}) {
    if (std::ranges::all_of(values, [factor](Value value) { return value % factor == 0; })) {
      return factor;
    }
  }
  return 1;
}

template <class Value>
void Encode(std::span<const Value> values, std::string& out) {
  ByteWriter writer(out);
  if (std::ranges::all_of(values, [&](Value value) { return value == values.front(); })) {
    writer.PutU8(kConstant);
    writer.PutVarint(values.empty() ? 0 : values.front());
    return;
  }
  const std::uint64_t factor = CommonFactor(values);
  writer.PutU8(factor == 1 ? kPacked : kScaled);
  if (factor != 1) writer.PutVarint(factor);
  for (std::size_t i = 0; i < values.size(); i += kGroup) {
    const auto group = values.subspan(i, std::min(kGroup, values.size() - i));
    if (factor == 1) {
      PackGroup<Value, false>(group, factor, out);
    } else {
      PackGroup<Value, true>(group, factor, out);
    }
  }
}

}  // namespace

void EncodeInts(std::span<const std::uint64_t> values, std::string& out) { Encode(values, out); }
void EncodeInts(std::span<const std::uint32_t> values, std::string& out) { Encode(values, out); }

Result<void> DecodeInts(ByteReader& in, std::span<std::uint64_t> values) {
  FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
  std::uint64_t factor = 1;
  switch (kind) {
    case kConstant: {
      FLUORO_TRY(const std::uint64_t value, in.TakeVarint());
      std::fill(values.begin(), values.end(), value);
      return {};
    }
    case kPacked:
      break;
    case kScaled: {
      FLUORO_TRY(factor, in.TakeVarint());
      break;
    }
    default:
      return Fail(ErrorCode::kUnsupported, "ints: unknown encoding " + std::to_string(kind));
  }
  for (std::size_t i = 0; i < values.size(); i += kGroup) {
    const auto group = values.subspan(i, std::min(kGroup, values.size() - i));
    FLUORO_CHECK_OK(UnpackGroup(in, group));
    if (factor != 1) {
      for (std::uint64_t& value : group) value *= factor;
    }
  }
  return {};
}

Result<void> DecodeIntsBelow(ByteReader& in, std::uint64_t limit, std::span<std::uint64_t> values) {
  FLUORO_CHECK_OK(DecodeInts(in, values));
  for (const std::uint64_t value : values) {
    if (value >= limit) {
      return Fail(ErrorCode::kCorruption, "ints: value " + std::to_string(value) +
                                              " is not below " + std::to_string(limit));
    }
  }
  return {};
}

std::string_view TextColumn::Entry(std::uint32_t code) const {
  const std::uint64_t begin = code == 0 ? 0 : ends_[code - 1];
  return {bytes_.data() + begin, ends_[code] - begin};
}

void TextColumn::Add(std::string_view text) {
  if (is_plain_) {
    rest_.push_back(text);
    return;
  }
  AddCoded(text);
  const bool is_tried =
      codes_.size() == kTrial || (codes_.size() >= kLongTrial && bytes_.size() > kTrialBytesMax);
  if (is_tried && ends_.size() > codes_.size() / 8 * 7) TurnPlain();
}

std::uint32_t TextColumn::AddCoded(std::string_view text) {
  if (!codes_.empty() && Entry(codes_.back()) == text) {
    codes_.push_back(codes_.back());
    return codes_.back();
  }
  const std::uint64_t hash = XXH3_64bits(text.data(), text.size()) >> 32;
  if (slots_.empty()) slots_.resize(kSlotsMin);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const std::uint64_t slot = slots_[at];
    if (slot == 0) {
      const auto code = static_cast<std::uint32_t>(ends_.size());
      slots_[at] = hash << 32 | (code + 1);
      bytes_.append(text);
      ends_.push_back(bytes_.size());
      codes_.push_back(code);
      if (ends_.size() * 2 > slots_.size()) Grow();
      return code;
    }
    const auto code = static_cast<std::uint32_t>(slot) - 1;
    if (slot >> 32 == hash && Entry(code) == text) {
      codes_.push_back(code);
      return code;
    }
  }
}

void TextColumn::Grow() {
  std::vector<std::uint64_t> slots(slots_.size() * 4);
  const std::size_t mask = slots.size() - 1;
  for (const std::uint64_t slot : slots_) {
    if (slot == 0) continue;
    std::size_t at = (slot >> 32) & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_.swap(slots);
}

void TextColumn::TurnPlain() {
  is_plain_ = true;
  if (ends_.size() < codes_.size()) {
    std::string bytes;
    std::vector<std::uint64_t> ends;
    for (const std::uint32_t code : codes_) {
      bytes.append(Entry(code));
      ends.push_back(bytes.size());
    }
    bytes_ = std::move(bytes);
    ends_ = std::move(ends);
  }
  codes_.clear();
}

void TextColumn::Clear() {
  is_plain_ = false;
  codes_.clear();
  ends_.clear();
  rest_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax) bytes_ = std::string();
  if (slots_.size() > kSlotsKeptMax) slots_.clear();
  std::ranges::fill(slots_, 0);
}

void TextColumn::Encode(std::string& out) const {
  ByteWriter writer(out);
  std::vector<std::uint32_t> lengths(ends_.size());
  for (std::size_t i = 0; i < ends_.size(); ++i)
    lengths[i] = static_cast<std::uint32_t>(ends_[i] - (i == 0 ? 0 : ends_[i - 1]));
  if (is_plain_) {
    writer.PutU8(kPlain);
    std::size_t bytes = bytes_.size();
    for (const std::string_view text : rest_) {
      lengths.push_back(static_cast<std::uint32_t>(text.size()));
      bytes += text.size();
    }
    EncodeInts(lengths, out);
    out.reserve(out.size() + bytes);
    out.append(bytes_);
    for (const std::string_view text : rest_) out.append(text);
    return;
  }
  std::uint64_t plain_bytes = 0;
  for (const std::uint32_t code : codes_) plain_bytes += lengths[code];
  const auto code_bits = static_cast<std::uint64_t>(std::bit_width(ends_.size()));
  if (plain_bytes <= bytes_.size() + codes_.size() * code_bits / 8) {  // nearly all distinct
    writer.PutU8(kPlain);
    std::vector<std::uint32_t> all(codes_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = lengths[codes_[i]];
    EncodeInts(all, out);
    for (const std::uint32_t code : codes_) out.append(Entry(code));
    return;
  }
  writer.PutU8(kDictionary);
  writer.PutVarint(ends_.size());
  EncodeInts(lengths, out);
  out.append(bytes_);
  EncodeInts(codes_, out);
}

Result<CodedTexts> DecodeCodedTexts(ByteReader& in, std::size_t count) {
  FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
  if (kind > kDictionary) {
    return Fail(ErrorCode::kUnsupported, "texts: unknown encoding " + std::to_string(kind));
  }
  std::size_t entries = count;
  if (kind == kDictionary) {
    FLUORO_TRY(entries, in.TakeCount(count));
  }
  std::vector<std::uint64_t> numbers(entries);
  FLUORO_CHECK_OK(DecodeIntsBelow(in, in.left() + 1, numbers));
  CodedTexts texts;
  texts.entries.resize(entries);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    texts.entries[i] = {.offset = total, .bytes = numbers[i]};
    total += numbers[i];
    if (total > in.left()) return Fail(ErrorCode::kCorruption, "texts: longer than their column");
  }
  FLUORO_TRY(texts.bytes, in.Take(total));
  if (kind == kPlain) return texts;
  numbers.resize(count);
  FLUORO_CHECK_OK(DecodeIntsBelow(in, entries, numbers));
  texts.codes = std::move(numbers);
  return texts;
}

Result<DecodedTexts> DecodeTexts(ByteReader& in, std::size_t count) {
  FLUORO_TRY(CodedTexts coded, DecodeCodedTexts(in, count));
  DecodedTexts texts{.bytes = coded.bytes, .values = {}};
  if (coded.codes.empty()) {
    texts.values = std::move(coded.entries);
    return texts;
  }
  texts.values.resize(count);
  for (std::size_t i = 0; i < count; ++i) texts.values[i] = coded.entries[coded.codes[i]];
  return texts;
}

}  // namespace fluoro::store
