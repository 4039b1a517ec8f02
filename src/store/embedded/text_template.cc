#include "store/embedded/text_template.h"

#include <charconv>
#include <cstring>
#include <limits>

#include "store/embedded/text_digits.h"

namespace fluoro::store {
namespace {

constexpr std::size_t kPatternsMax = 4'096;
// Fewer values than this a pattern are not worth their patterns.
constexpr std::size_t kValuesAPattern = 8;
constexpr std::size_t kFirstPatterns = 64;
constexpr std::size_t kNumberBytesMax = 20;

void PrintHex(std::uint64_t number, std::size_t digits, std::string& to) {
  for (std::size_t i = digits; i-- > 0;) to.push_back("0123456789abcdef"[(number >> (4 * i)) & 15]);
}

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorruption, std::string("texts: ") + what);
}

}  // namespace

bool TemplateColumn::Add(std::string_view text) {
  if (const auto code = known_.Match(text)) {
    patterns_.AddCode(*code);
    AddNumbers(known_.numbers());
    return true;
  }
  if (!cutter_.Cut(text)) return false;
  const std::size_t patterns = patterns_.entries();
  const std::uint32_t code = patterns_.AddCoded(cutter_.pattern());
  if (code == patterns) {
    const std::size_t values = patterns_.codes().size();
    if (patterns >= kPatternsMax || patterns >= kFirstPatterns + values / kValuesAPattern)
      return false;
    known_.Learn(cutter_.pattern(), code);
  }
  AddNumbers(cutter_.numbers());
  return true;
}

void TemplateColumn::AddNumbers(std::span<const std::uint64_t> numbers) {
  for (std::size_t slot = 0; slot < numbers.size(); ++slot) numbers_[slot].push_back(numbers[slot]);
}

void TemplateColumn::Encode(std::string& out) const {
  patterns_.Encode(out);
  std::size_t slots = kTextSlotsMax;
  while (slots > 0 && numbers_[slots - 1].empty()) --slots;
  ByteWriter(out).PutVarint(slots);
  for (std::size_t slot = 0; slot < slots; ++slot) EncodeInts(numbers_[slot], out);
}

void TemplateColumn::Clear() {
  known_.Clear();
  patterns_.Clear();
  for (auto& numbers : numbers_) numbers.clear();
}

Result<TemplatedTexts::Pattern> TemplatedTexts::Parse(std::string_view pattern) {
  Pattern parsed;
  std::size_t begin = 0;
  std::size_t bytes = pattern.size();
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (Digit(pattern[at]) != kSlotByte) continue;
    Part part{.literal = pattern.substr(begin, at - begin),
              .slot = static_cast<TextSlot>(pattern[at])};
    if (part.slot == TextSlot::kPadded || part.slot == TextSlot::kHex) {
      if (++at == pattern.size()) return Bad("a pattern ends inside a slot");
      part.digits = static_cast<std::uint8_t>(pattern[at]);
      if (part.digits == 0 ||
          part.digits > (part.slot == TextSlot::kHex ? kHexDigitsMax : kDigitsMax))
        return Bad("a pattern's slot has an impossible width");
    }
    bytes += part.slot == TextSlot::kUuid ? kUuidBytes : kNumberBytesMax;
    parsed.numbers += part.slot == TextSlot::kUuid ? 2 : 1;
    parsed.parts.push_back(part);
    begin = at + 1;
  }
  parsed.parts.push_back({.literal = pattern.substr(begin), .is_last = true});
  if (parsed.numbers > kTextSlotsMax || bytes > kCutTextBytesMax + kTextSlotsMax * kUuidBytes)
    return Bad("a pattern is too long");
  return parsed;
}

Result<bool> TemplatedTexts::MayEqual(ByteReader in, std::size_t count, std::string_view text) {
  TextCutter cutter;
  if (!cutter.Cut(text)) return false;
  FLUORO_TRY(const TextEntries patterns, DecodeTextEntries(in, count));
  const std::size_t entries = patterns.entries.size();
  bool any = false;
  for (std::size_t i = 0; i < entries && !any; ++i) any = patterns.Entry(i) == cutter.pattern();
  const std::span<const std::uint64_t> wanted = cutter.numbers();
  if (!any || wanted.empty()) return any;
  std::vector<std::size_t> numbers(entries);
  for (std::size_t i = 0; i < entries; ++i) {
    FLUORO_TRY(const Pattern parsed, Parse(patterns.Entry(i)));
    numbers[i] = parsed.numbers;
  }
  // Which pattern each value has matters only where some have fewer numbers.
  std::vector<std::uint64_t> codes;
  const bool is_even = std::ranges::all_of(numbers, [&](auto n) { return n >= wanted.size(); });
  if (is_even && patterns.is_coded) {
    FLUORO_CHECK_OK(SkipInts(in, count));
  } else {
    FLUORO_TRY(codes, DecodeCodes(in, patterns, count));
  }
  FLUORO_TRY(const std::uint64_t slots, in.TakeCount(kTextSlotsMax));
  if (slots < wanted.size()) return true;  // for Decode to judge
  for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
    std::size_t of_slot = count;
    if (!is_even) {
      of_slot = 0;
      for (std::size_t value = 0; value < count; ++value)
        of_slot += numbers[codes.empty() ? value : codes[value]] > slot ? 1U : 0U;
    }
    FLUORO_TRY(const bool found, FindInt(in, of_slot, wanted[slot]));
    if (!found) return false;
  }
  return true;
}

Result<TemplatedTexts> TemplatedTexts::Decode(ByteReader& in, std::size_t count) {
  TemplatedTexts texts;
  texts.count_ = count;
  FLUORO_TRY(texts.patterns_, DecodeUncutTexts(in, count));
  const std::size_t patterns = texts.patterns_.entries.size();
  texts.parsed_.reserve(patterns);
  for (std::size_t i = 0; i < patterns; ++i) {
    FLUORO_TRY(auto parsed, Parse(texts.patterns_.Entry(i)));
    texts.parsed_.push_back(std::move(parsed));
  }
  const std::vector<std::uint64_t> uses = texts.patterns_.Uses(count);
  FLUORO_TRY(const std::uint64_t slots, in.TakeCount(kTextSlotsMax));
  texts.numbers_.resize(slots);
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::uint64_t numbers = 0;
    for (std::size_t i = 0; i < patterns; ++i)
      numbers += texts.parsed_[i].numbers > slot ? uses[i] : 0;
    texts.numbers_[slot].resize(numbers);
    FLUORO_CHECK_OK(DecodeInts(in, texts.numbers_[slot]));
  }
  for (std::size_t i = 0; i < patterns; ++i) {
    if (uses[i] > 0 && texts.parsed_[i].numbers > slots)
      return Bad("a pattern's numbers are missing");
  }
  return texts;
}

Result<void> TemplatedTexts::Print(const Pattern& pattern, const std::uint64_t* numbers,
                                   std::string& to) {
  for (const Part& part : pattern.parts) {
    to.append(part.literal);
    if (part.is_last) break;
    const std::uint64_t number = *numbers++;
    switch (part.slot) {
      case TextSlot::kNumber:
      case TextSlot::kPadded: {
        std::array<char, kNumberBytesMax> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        const auto bytes = static_cast<std::size_t>(end - digits.data());
        if (part.slot == TextSlot::kPadded) {
          if (bytes > part.digits) return Bad("a number is wider than its slot");
          to.append(part.digits - bytes, '0');
        }
        to.append(digits.data(), bytes);
        break;
      }
      case TextSlot::kHex:
        if (part.digits < kHexDigitsMax && number >> (4 * part.digits) != 0)
          return Bad("a number is wider than its slot");
        PrintHex(number, part.digits, to);
        break;
      case TextSlot::kUuid: {
        const std::uint64_t low = *numbers++;
        PrintHex(number >> 32, 8, to);
        to.push_back('-');
        PrintHex(number >> 16, 4, to);
        to.push_back('-');
        PrintHex(number, 4, to);
        to.push_back('-');
        PrintHex(low >> 48, 4, to);
        to.push_back('-');
        PrintHex(low, 12, to);
        break;
      }
    }
  }
  return {};
}

Result<void> TemplatedTexts::Expand(std::span<const model::Range> ranges, std::string& to,
                                    std::vector<TextPiece>& pieces) const {
  to.clear();
  pieces.clear();
  std::array<std::uint64_t, kTextSlotsMax> numbers{};
  auto range = ranges.begin();
  for (Walk walk(*this); range != ranges.end(); walk.Next()) {
    if (walk.value() < range->begin) continue;
    if (walk.value() + 1 == range->end) ++range;
    const Pattern& pattern = parsed_[walk.pattern()];
    for (std::size_t slot = 0; slot < pattern.numbers; ++slot) numbers[slot] = walk.Number(slot);
    const std::size_t begin = to.size();
    FLUORO_CHECK_OK(Print(pattern, numbers.data(), to));
    pieces.push_back({.offset = begin, .bytes = to.size() - begin});
    if (to.size() > kTemplatedTextBytesMax) return Bad("longer than a column may be");
  }
  return {};
}

/// What a pattern says of texts that contain another.
class ContainsPlan {
 public:
  using Pattern = TemplatedTexts::Pattern;
  using Part = TemplatedTexts::Part;

  explicit ContainsPlan(std::string_view text) : text_(text) {
    std::size_t at = 0;
    const auto is_number = [&](std::size_t i) { return Digit(text[i]) < 10; };
    do {
      const std::size_t literal = at;
      while (at < text.size() && !is_number(at)) ++at;
      const std::size_t digits = at;
      while (at < text.size() && is_number(at)) ++at;
      tokens_.push_back({.literal = text.substr(literal, digits - literal),
                         .digits = text.substr(digits, at - digits)});
    } while (at < text.size());
    if (!tokens_.back().digits.empty()) tokens_.push_back({});
  }

  enum class Kind : std::uint8_t { kNone, kAll, kNumbers, kText };
  // Slots from `first` on have these numbers.
  struct Place {
    std::size_t first = 0;
    std::vector<std::uint64_t> numbers;
  };
  struct Says {
    Kind kind = Kind::kNone;
    std::vector<Place> places = {};  // kNumbers: at one of them
  };

  [[nodiscard]] Says Of(const Pattern& pattern) const {
    bool plain = true;
    for (const Part& part : pattern.parts) {
      if (part.literal.contains(text_)) return {.kind = Kind::kAll};
      plain = plain &&
              (part.is_last || part.slot == TextSlot::kNumber || part.slot == TextSlot::kPadded) &&
              part.literal.find_first_of("0123456789") == std::string_view::npos;
    }
    const bool has_number = tokens_.size() > 1;
    // Letters a-f may stand in slots of hexadecimal digits.
    if (!plain) return {.kind = Kind::kText};
    if (!has_number) return {.kind = Kind::kNone};
    // A number at the edge may be a part of one.
    if (tokens_.front().literal.empty() || tokens_.back().literal.empty())
      return {.kind = Kind::kText};
    Says says;
    const std::size_t slots = tokens_.size() - 1;
    for (std::size_t first = 0; first + slots < pattern.parts.size(); ++first) {
      Place place{.first = first, .numbers = {}};
      if (Fits(std::span(pattern.parts).subspan(first, slots + 1), place.numbers))
        says.places.push_back(std::move(place));
    }
    if (!says.places.empty()) says.kind = Kind::kNumbers;
    return says;
  }

 private:
  struct Token {
    std::string_view literal;
    std::string_view digits;
  };

  [[nodiscard]] bool Fits(std::span<const Part> parts, std::vector<std::uint64_t>& numbers) const {
    if (!parts.front().literal.ends_with(tokens_.front().literal) ||
        !parts.back().literal.starts_with(tokens_.back().literal))
      return false;
    for (std::size_t i = 0; i + 1 < tokens_.size(); ++i) {
      if (i > 0 && parts[i].literal != tokens_[i].literal) return false;
      const std::string_view digits = tokens_[i].digits;
      if (digits.size() > kDigitsMax) return false;
      const bool is_padded = digits.size() > 1 && digits[0] == '0';
      if (is_padded ? parts[i].slot != TextSlot::kPadded || parts[i].digits != digits.size()
                    : parts[i].slot == TextSlot::kPadded)
        return false;
      numbers.push_back(DecimalNumber(digits));
    }
    return true;
  }

  std::string_view text_;
  std::vector<Token> tokens_;  // a literal and the number behind it; the last has no number
};

Result<bool> TemplatedTexts::FindContaining(std::string_view text, std::vector<bool>& hits) const {
  const ContainsPlan plan(text);
  std::vector<ContainsPlan::Says> says(parsed_.size());
  bool any = false;
  for (std::size_t i = 0; i < says.size(); ++i) {
    says[i] = plan.Of(parsed_[i]);
    any = any || says[i].kind != ContainsPlan::Kind::kNone;
  }
  if (!any) return false;
  any = false;
  std::string printed;
  std::array<std::uint64_t, kTextSlotsMax> numbers{};
  for (Walk walk(*this); !walk.done(); walk.Next()) {
    const ContainsPlan::Says& pattern_says = says[walk.pattern()];
    bool hit = false;
    switch (pattern_says.kind) {
      case ContainsPlan::Kind::kNone:
        continue;
      case ContainsPlan::Kind::kAll:
        hit = true;
        break;
      case ContainsPlan::Kind::kNumbers:
        for (const ContainsPlan::Place& place : pattern_says.places) {
          std::size_t i = 0;
          while (i < place.numbers.size() && walk.Number(place.first + i) == place.numbers[i]) ++i;
          hit = hit || i == place.numbers.size();
        }
        break;
      case ContainsPlan::Kind::kText: {
        const Pattern& pattern = parsed_[walk.pattern()];
        for (std::size_t slot = 0; slot < pattern.numbers; ++slot)
          numbers[slot] = walk.Number(slot);
        printed.clear();
        FLUORO_CHECK_OK(Print(pattern, numbers.data(), printed));
        hit = printed.contains(text);
        break;
      }
    }
    if (hit) hits[walk.value()] = any = true;
  }
  return any;
}

}  // namespace fluoro::store
