#include "store/embedded/columns.h"

// Inlined: most texts are short.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "store/embedded/text_template.h"

namespace fluoro::store {
namespace {

constexpr std::uint8_t kConstant = 0;
constexpr std::uint8_t kPacked = 1;
constexpr std::uint8_t kScaled = 2;
constexpr std::uint8_t kPlain = 0;
constexpr std::uint8_t kDictionary = 1;
constexpr std::uint8_t kTemplated = 2;
constexpr std::size_t kGroup = 128;
// After so many texts it is decided whether interning is worth its time.
constexpr std::size_t kLongTrial = 64;  // if they are long
constexpr std::size_t kTrialBytesMax = std::size_t{512} << 10;
constexpr std::size_t kSlotsMin = 16;
// What an emptied column keeps.
constexpr std::size_t kSlotsKeptMax = 4'096;
constexpr std::size_t kKeptBytesMax = std::size_t{64} << 10;

// Eight values of a width fill that many whole bytes.
template <unsigned kWidth, std::size_t... kAt>
void PackEight(const std::uint64_t* values, char* to, std::index_sequence<kAt...>) {
  std::array<std::uint64_t, (kWidth + 7) / 8> words{};
  const auto put = [&]<std::size_t kBit>(std::uint64_t value,
                                         std::integral_constant<std::size_t, kBit>) {
    words[kBit / 64] |= value << (kBit % 64);
    if constexpr (kBit % 64 + kWidth > 64) words[kBit / 64 + 1] = value >> (64 - kBit % 64);
  };
  (put(values[kAt], std::integral_constant<std::size_t, kAt * kWidth>{}), ...);
  std::memcpy(to, words.data(), kWidth);
}

/// @param values  a multiple of eight, each of at most so many bits.
template <unsigned kWidth>
void PackWidth(std::span<const std::uint64_t> values, char* to) {
  for (std::size_t i = 0; i < values.size(); i += 8, to += kWidth)
    PackEight<kWidth>(values.data() + i, to, std::make_index_sequence<8>());
}

template <std::size_t... kWidths>
constexpr auto PackFunctions(std::index_sequence<kWidths...>) {
  return std::array{&PackWidth<kWidths + 1>...};
}
constexpr auto kPack = PackFunctions(std::make_index_sequence<64>());

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
  std::array<std::uint64_t, kGroup> rests;
  const std::size_t count = (values.size() + 7) / 8 * 8;
  for (std::size_t i = 0; i < values.size(); ++i) rests[i] = scaled(values[i]) - low;
  for (std::size_t i = values.size(); i < count; ++i) rests[i] = 0;
  const std::size_t begin = out.size();
  out.resize(begin + count * width / 8);
  kPack[width - 1](std::span(rests).first(count), out.data() + begin);
  out.resize(begin + (values.size() * width + 7) / 8);
}

std::unexpected<Error> NotBelow(std::uint64_t value, std::uint64_t limit) {
  return Fail(ErrorCode::kCorruption,
              "ints: value " + std::to_string(value) + " is not below " + std::to_string(limit));
}

// A group as it is stored: of each value what it is above the least, in `width` bits.
struct PackedGroup {
  std::uint64_t low = 0;
  unsigned width = 0;
  std::string_view bits;
  [[nodiscard]] std::uint64_t greatest() const {  // above the least, as far as the width says
    return width == 0 ? 0 : UINT64_MAX >> (64 - width);
  }
};

Result<PackedGroup> TakeGroup(ByteReader& in, std::size_t count) {
  PackedGroup group;
  FLUORO_TRY(group.low, in.TakeVarint());
  FLUORO_TRY(group.width, in.TakeU8());
  if (group.width > 64) return Fail(ErrorCode::kCorruption, "ints: width above 64");
  FLUORO_TRY(group.bits, in.Take((count * group.width + 7) / 8));
  return group;
}

// Eight values of a width stand in that many whole bytes; a value and the bits before it in its
// first byte fit into one word up to this width.
constexpr unsigned kWordWidthMax = 57;

template <unsigned kWidth, std::size_t... kAt>
void UnpackEight(const char* from, std::uint64_t low, std::uint64_t* to,
                 std::index_sequence<kAt...>) {
  const auto one = [&](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at * kWidth / 8, 8);
    return low + (word >> (at * kWidth % 8) & ((std::uint64_t{1} << kWidth) - 1));
  };
  ((to[kAt] = one(kAt)), ...);
}

/// @param from  8 bytes can be read behind the values. @param to  has room for a multiple of 8.
template <unsigned kWidth>
void UnpackWidth(const char* from, std::size_t count, std::uint64_t low, std::uint64_t* to) {
  for (std::size_t i = 0; i < count; i += 8, from += kWidth)
    UnpackEight<kWidth>(from, low, to + i, std::make_index_sequence<8>());
}

template <std::size_t... kWidths>
constexpr auto UnpackFunctions(std::index_sequence<kWidths...>) {
  return std::array{&UnpackWidth<kWidths>...};
}
constexpr auto kUnpack = UnpackFunctions(std::make_index_sequence<kWordWidthMax + 1>());

// As UnpackWidth, of values that are added, shifted, to what stands at `to` already. The highest
// bit of what is returned is set if a value is above `greatest`.
constexpr unsigned kAddedWidthMax = 16;
constexpr std::uint64_t kHighestBit = std::uint64_t{1} << 63;

struct Adding {
  std::uint64_t low = 0;       // of the group; less than half of all words, as `greatest`
  std::uint64_t greatest = 0;  // allowed
  unsigned shift = 0;
};

template <unsigned kWidth, std::size_t... kAt>
std::uint64_t AddEight(const char* from, const Adding& adding, std::uint64_t* to,
                       std::index_sequence<kAt...>) {
  const auto add = [&](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at * kWidth / 8, 8);
    const std::uint64_t value =
        adding.low + (word >> (at * kWidth % 8) & ((std::uint64_t{1} << kWidth) - 1));
    to[at] |= value << adding.shift;
    return adding.greatest - value;
  };
  return (add(kAt) | ...);
}

/// @param from  8 bytes can be read behind the values. @param count  a multiple of 8.
template <unsigned kWidth>
std::uint64_t AddWidth(const char* from, std::size_t count, const Adding& given,
                       std::uint64_t* to) {
  const Adding adding = given;
  std::uint64_t excess = 0;
  for (std::size_t i = 0; i < count; i += 8, from += kWidth)
    excess |= AddEight<kWidth>(from, adding, to + i, std::make_index_sequence<8>());
  return excess;
}

template <std::size_t... kWidths>
constexpr auto AddFunctions(std::index_sequence<kWidths...>) {
  return std::array{&AddWidth<kWidths>...};
}
constexpr auto kAdd = AddFunctions(std::make_index_sequence<kAddedWidthMax + 1>());

void UnpackWide(const char* from, unsigned width, std::uint64_t low,
                std::span<std::uint64_t> values) {
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  std::size_t bit = 0;
  for (std::uint64_t& value : values) {
    std::uint64_t word = 0;
    const std::size_t byte = bit / 8;
    const unsigned shift = bit % 8;
    std::memcpy(&word, from + byte, 8);
    word >>= shift;
    if (shift + width > 64) {
      word |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(from[byte + 8])) << (64 - shift);
    }
    value = low + (word & mask);
    bit += width;
  }
}

// @param is_followed  8 bytes can be read behind the group's.
void UnpackBits(const PackedGroup& group, bool is_followed, std::span<std::uint64_t> values) {
  const auto [low, width, bits] = group;
  if (width == 0) {
    std::fill(values.begin(), values.end(), low);
    return;
  }
  if (width == 64) {  // ids
    std::memcpy(values.data(), bits.data(), bits.size());
    for (std::uint64_t& value : values) value += low;
    return;
  }
  if (width > kWordWidthMax) {
    char padded[kGroup * 8 + 16];
    std::memcpy(padded, bits.data(), bits.size());
    std::memset(padded + bits.size(), 0, 16);
    UnpackWide(padded, width, low, values);
    return;
  }
  // What stands behind a whole group may be read along.
  if (values.size() == kGroup && is_followed) {
    kUnpack[width](bits.data(), kGroup, low, values.data());
    return;
  }
  char padded[kGroup * 8 + 8] = {};
  std::uint64_t whole[kGroup];
  std::memcpy(padded, bits.data(), bits.size());
  kUnpack[width](padded, values.size(), low, whole);
  std::copy(whole, whole + values.size(), values.begin());
}

// Gives a bound that no value is above.
Result<std::uint64_t> UnpackGroup(ByteReader& in, std::span<std::uint64_t> values) {
  FLUORO_TRY(const PackedGroup group, TakeGroup(in, values.size()));
  UnpackBits(group, in.left() >= 8, values);
  return group.greatest() > UINT64_MAX - group.low ? UINT64_MAX : group.low + group.greatest();
}

// Whether one of the group's values is `wanted`, which may wrap around as sums of values do.
bool Holds(const PackedGroup& group, std::size_t count, bool is_followed, std::uint64_t wanted) {
  const std::uint64_t rest = wanted - group.low;
  if (rest > group.greatest()) return false;
  if (group.width == 0) return true;
  if (group.width == 64) {
    for (std::size_t at = 0; at < group.bits.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, group.bits.data() + at, 8);
      if (word == rest) return true;
    }
    return false;
  }
  std::uint64_t values[kGroup];
  UnpackBits(group, is_followed, std::span(values).first(count));
  return std::find(values, values + count, wanted) != values + count;
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

namespace {

Result<void> CheckBelow(std::span<const std::uint64_t> values, std::uint64_t limit) {
  const auto above = std::ranges::find_if(values, [&](auto value) { return value >= limit; });
  return above == values.end() ? Result<void>() : NotBelow(*above, limit);
}

// As DecodeSomeInts. `limit` UINT64_MAX: none.
Result<void> DecodeBelow(ByteReader& in, std::size_t count, std::size_t first, std::uint64_t limit,
                         std::span<std::uint64_t> values) {
  const bool is_limited = limit != UINT64_MAX;
  FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
  std::uint64_t factor = 1;
  switch (kind) {
    case kConstant: {
      FLUORO_TRY(const std::uint64_t value, in.TakeVarint());
      std::fill(values.begin(), values.end(), value);
      return is_limited ? CheckBelow(values.first(std::min<std::size_t>(1, values.size())), limit)
                        : Result<void>();
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
  const std::size_t end = first + values.size();
  for (std::size_t at = 0; at < count; at += kGroup) {
    const std::size_t group = std::min(kGroup, count - at);
    if (at >= first && at + group <= end) {
      const auto to = values.subspan(at - first, group);
      FLUORO_TRY(const std::uint64_t bound, UnpackGroup(in, to));
      // Most groups say that they are below.
      if (is_limited && bound >= limit && factor == 1) FLUORO_CHECK_OK(CheckBelow(to, limit));
    } else if (at + group <= first || at >= end) {
      FLUORO_CHECK_OK(TakeGroup(in, group));
    } else {
      std::uint64_t whole[kGroup];
      FLUORO_CHECK_OK(UnpackGroup(in, std::span(whole).first(group)));
      const std::size_t from = std::max(at, first);
      std::copy(whole + (from - at), whole + (std::min(at + group, end) - at),
                values.begin() + static_cast<std::ptrdiff_t>(from - first));
    }
  }
  if (factor == 1) return {};
  for (std::uint64_t& value : values) value *= factor;
  return is_limited ? CheckBelow(values, limit) : Result<void>();
}

}  // namespace

Result<void> DecodeInts(ByteReader& in, std::span<std::uint64_t> values) {
  return DecodeBelow(in, values.size(), 0, UINT64_MAX, values);
}

Result<void> DecodeSomeInts(ByteReader& in, std::size_t count, std::size_t first,
                            std::span<std::uint64_t> values) {
  return DecodeBelow(in, count, first, UINT64_MAX, values);
}

Result<void> DecodeIntsBelow(ByteReader& in, std::uint64_t limit, std::span<std::uint64_t> values) {
  return DecodeBelow(in, values.size(), 0, limit, values);
}

Result<void> AddIntsBelow(ByteReader& in, std::uint64_t limit, unsigned shift,
                          std::span<std::uint64_t> words) {
  std::uint64_t whole[kGroup];
  ByteReader ahead = in;
  FLUORO_TRY(const std::uint8_t kind, ahead.TakeU8());
  if (kind != kPacked) {
    std::vector<std::uint64_t> values(words.size());
    FLUORO_CHECK_OK(DecodeIntsBelow(in, limit, values));
    for (std::size_t i = 0; i < words.size(); ++i) words[i] |= values[i] << shift;
    return {};
  }
  in = ahead;
  for (std::size_t at = 0; at < words.size(); at += kGroup) {
    const std::size_t count = std::min(kGroup, words.size() - at);
    std::uint64_t* const to = words.data() + at;
    FLUORO_TRY(const PackedGroup group, TakeGroup(in, count));
    if (count == kGroup && group.width <= kAddedWidthMax && in.left() >= 8 && group.low < limit &&
        limit <= kHighestBit / 2) {
      const Adding adding{.low = group.low, .greatest = limit - 1, .shift = shift};
      const std::uint64_t excess = kAdd[group.width](group.bits.data(), count, adding, to);
      if ((excess & kHighestBit) == 0) continue;
    }
    const auto values = std::span(whole).first(count);
    UnpackBits(group, in.left() >= 8, values);
    FLUORO_CHECK_OK(CheckBelow(values, limit));
    for (std::size_t i = 0; i < count; ++i) to[i] |= values[i] << shift;
  }
  return {};
}

Result<std::optional<std::uint64_t>> TakeConstantInt(ByteReader& in) {
  ByteReader ahead = in;
  FLUORO_TRY(const std::uint8_t kind, ahead.TakeU8());
  if (kind != kConstant) return std::nullopt;
  FLUORO_TRY(const std::uint64_t value, ahead.TakeVarint());
  in = ahead;
  return value;
}

Result<void> SkipInts(ByteReader& in, std::size_t count) {
  return DecodeBelow(in, count, count, UINT64_MAX, {});
}

Result<bool> FindInt(ByteReader& in, std::size_t count, std::uint64_t wanted) {
  FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
  if (kind == kConstant) {
    FLUORO_TRY(const std::uint64_t value, in.TakeVarint());
    return count > 0 && value == wanted;
  }
  std::uint64_t factor = 1;
  if (kind == kScaled) {
    FLUORO_TRY(factor, in.TakeVarint());
    if (factor == 0) return Fail(ErrorCode::kCorruption, "ints: a factor of 0");
  } else if (kind != kPacked) {
    return Fail(ErrorCode::kUnsupported, "ints: unknown encoding " + std::to_string(kind));
  }
  const bool may_be = wanted % factor == 0;
  bool found = false;
  for (std::size_t at = 0; at < count; at += kGroup) {
    const std::size_t values = std::min(kGroup, count - at);
    FLUORO_TRY(const PackedGroup group, TakeGroup(in, values));
    if (may_be && !found) found = Holds(group, values, in.left() >= 8, wanted / factor);
  }
  return found;
}

std::string_view TextColumn::Entry(std::uint32_t code) const {
  const std::uint64_t begin = code == 0 ? 0 : ends_[code - 1];
  return {bytes_.data() + begin, ends_[code] - begin};
}

TextColumn::TextColumn() = default;
TextColumn::~TextColumn() = default;
TextColumn::TextColumn(TextColumn&&) noexcept = default;
TextColumn& TextColumn::operator=(TextColumn&&) noexcept = default;

void TextColumn::AddUnseen(std::string_view text) {
  if (is_plain_) {
    rest_.push_back(text);
    if (is_templated_) is_templated_ = templates_->Add(text);
    return;
  }
  Remember(text);
  if (codes_.size() >= kLongTrial && bytes_.size() > kTrialBytesMax) Try();
}

std::uint32_t TextColumn::Remember(std::string_view text) {
  Seen& seen = seen_[SeenPlace(text)];
  seen = {.data = text.data(), .bytes = text.size(), .code = AddCoded(text)};
  return seen.code;
}

void TextColumn::Try() {
  if (ends_.size() > codes_.size() / 8 * 7) TurnPlain();
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
  if (templates_ == nullptr) templates_ = std::make_unique<TemplateColumn>();
  templates_->Clear();
  is_templated_ = true;
  for (std::uint32_t i = 0; i < ends_.size() && is_templated_; ++i)
    is_templated_ = templates_->Add(Entry(i));
}

void TextColumn::Clear() {
  is_plain_ = false;
  is_templated_ = false;
  if (templates_ != nullptr) templates_->Clear();
  seen_.fill({});
  codes_.clear();
  ends_.clear();
  rest_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax) bytes_ = std::string();
  if (slots_.size() > kSlotsKeptMax) slots_.clear();
  std::ranges::fill(slots_, 0);
}

// False: it would not be smaller than what a general compressor makes of the texts.
bool TextColumn::EncodeTemplated(std::string& out) const {
  std::size_t bytes = bytes_.size();
  for (const std::string_view text : rest_) bytes += text.size();
  if (bytes > kTemplatedTextBytesMax) return false;
  const std::size_t begin = out.size();
  out.push_back(kTemplated);
  templates_->Encode(out);
  if (out.size() - begin <= bytes / 5 * 3) return true;
  out.resize(begin);
  return false;
}

void TextColumn::EncodePlain(std::string& out) const {
  ByteWriter(out).PutU8(kPlain);
  std::vector<std::uint32_t> lengths;
  lengths.reserve(ends_.size() + rest_.size());
  for (std::uint32_t i = 0; i < ends_.size(); ++i)
    lengths.push_back(static_cast<std::uint32_t>(Entry(i).size()));
  std::size_t bytes = bytes_.size();
  for (const std::string_view text : rest_) {
    lengths.push_back(static_cast<std::uint32_t>(text.size()));
    bytes += text.size();
  }
  EncodeInts(lengths, out);
  out.reserve(out.size() + bytes);
  out.append(bytes_);
  for (const std::string_view text : rest_) out.append(text);
}

void TextColumn::Encode(std::string& out) const {
  if (is_templated_ && EncodeTemplated(out)) return;
  if (is_plain_) return EncodePlain(out);
  ByteWriter writer(out);
  std::vector<std::uint32_t> lengths(ends_.size());
  for (std::size_t i = 0; i < ends_.size(); ++i)
    lengths[i] = static_cast<std::uint32_t>(ends_[i] - (i == 0 ? 0 : ends_[i - 1]));
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

Result<TextEntries> DecodeTextEntries(ByteReader& in, std::size_t count) {
  FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
  if (kind > kDictionary) {
    return Fail(ErrorCode::kUnsupported, "texts: unknown encoding " + std::to_string(kind));
  }
  TextEntries texts{.bytes = {}, .entries = {}, .is_coded = kind == kDictionary};
  std::size_t entries = count;
  if (texts.is_coded) {
    FLUORO_TRY(entries, in.TakeCount(count));
  }
  std::vector<std::uint64_t> lengths(entries);
  FLUORO_CHECK_OK(DecodeIntsBelow(in, in.left() + 1, lengths));
  texts.entries.resize(entries);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    texts.entries[i] = {.offset = total, .bytes = lengths[i]};
    total += lengths[i];
    if (total > in.left()) return Fail(ErrorCode::kCorruption, "texts: longer than their column");
  }
  FLUORO_TRY(texts.bytes, in.Take(total));
  return texts;
}

Result<std::vector<std::uint64_t>> DecodeCodes(ByteReader& in, const TextEntries& texts,
                                               std::size_t count) {
  std::vector<std::uint64_t> codes(texts.is_coded ? count : 0);
  if (texts.is_coded) FLUORO_CHECK_OK(DecodeIntsBelow(in, texts.entries.size(), codes));
  return codes;
}

bool TakeTemplatedKind(ByteReader& in) {
  ByteReader ahead = in;
  const auto kind = ahead.TakeU8();
  if (!kind || *kind != kTemplated) return false;
  in = ahead;
  return true;
}

Result<CodedTexts> DecodeCodedTexts(ByteReader& in, std::size_t count) {
  return TakeTemplatedKind(in) ? DecodeCutTexts(in, count) : DecodeUncutTexts(in, count);
}

Result<CodedTexts> DecodeCutTexts(ByteReader& in, std::size_t count) {
  FLUORO_TRY(const TemplatedTexts templated, TemplatedTexts::Decode(in, count));
  const auto held = std::make_shared<std::string>();
  CodedTexts texts;
  const model::Range all{0, static_cast<std::uint32_t>(count)};
  FLUORO_CHECK_OK(templated.Expand(std::span(&all, count > 0 ? 1 : 0), *held, texts.entries));
  texts.bytes = *held;
  texts.held = held;
  return texts;
}

Result<CodedTexts> DecodeUncutTexts(ByteReader& in, std::size_t count) {
  FLUORO_TRY(TextEntries column, DecodeTextEntries(in, count));
  CodedTexts texts{.bytes = column.bytes, .entries = {}, .codes = {}};
  FLUORO_TRY(texts.codes, DecodeCodes(in, column, count));
  texts.entries = std::move(column.entries);
  return texts;
}

Result<DecodedTexts> DecodeTexts(ByteReader& in, std::size_t count) {
  const model::Range all{0, static_cast<std::uint32_t>(count)};
  return DecodeSomeTexts(in, count, std::span(&all, count > 0 ? 1 : 0));
}

Result<DecodedTexts> DecodeSomeTexts(ByteReader& in, std::size_t count,
                                     std::span<const model::Range> ranges) {
  DecodedTexts texts;
  if (TakeTemplatedKind(in)) {
    FLUORO_TRY(const TemplatedTexts templated, TemplatedTexts::Decode(in, count));
    const auto held = std::make_shared<std::string>();
    FLUORO_CHECK_OK(templated.Expand(ranges, *held, texts.values));
    texts.bytes = *held;
    texts.held = held;
    return texts;
  }
  FLUORO_TRY(const TextEntries column, DecodeTextEntries(in, count));
  texts.bytes = column.bytes;
  if (!column.is_coded) {
    for (const model::Range range : ranges) {
      texts.values.insert(texts.values.end(), column.entries.begin() + range.begin,
                          column.entries.begin() + range.end);
    }
    return texts;
  }
  const std::size_t first = ranges.empty() ? 0 : ranges.front().begin;
  std::vector<std::uint64_t> codes(ranges.empty() ? 0 : ranges.back().end - first);
  FLUORO_CHECK_OK(DecodeSomeInts(in, count, first, codes));
  for (const model::Range range : ranges) {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const std::uint64_t code = codes[i - first];
      if (code >= column.entries.size()) return NotBelow(code, column.entries.size());
      texts.values.push_back(column.entries[code]);
    }
  }
  return texts;
}

}  // namespace fluoro::store
