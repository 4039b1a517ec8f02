#include "store/embedded/text_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/rng.h"
#include "store/embedded/texts_for_test.h"

namespace fluoro::store {
namespace {

struct Column {
  std::vector<std::string> texts;
  std::string bytes;
  [[nodiscard]] bool IsTemplated() const { return bytes[0] == 2; }
};

Column MakeColumn(Rng& rng, std::uint64_t family, std::size_t count) {
  Column column;
  column.texts.reserve(count);  // borrowed
  for (std::size_t i = 0; i < count; ++i) column.texts.push_back(FamilyText(rng, family));
  TextColumn to;
  for (const std::string& text : column.texts) to.Add(text);
  to.Encode(column.bytes);
  return column;
}

TemplatedTexts Open(const Column& column) {
  ByteReader in(column.bytes);
  EXPECT_TRUE(TakeTemplatedKind(in));
  auto texts = TemplatedTexts::Decode(in, column.texts.size());
  EXPECT_TRUE(texts) << texts.error().message;
  return *std::move(texts);
}

TEST(TextCutter, CutsEqualTextsAlikeAndOthersApart) {
  Rng rng(1);
  std::map<std::pair<std::string, std::vector<std::uint64_t>>, std::string> seen;
  TextCutter cutter;
  for (int i = 0; i < 50'000; ++i) {
    const std::string text = RandomText(rng);
    ASSERT_TRUE(cutter.Cut(text));
    const auto numbers = cutter.numbers();
    const auto [at, is_new] =
        seen.try_emplace({std::string(cutter.pattern()), {numbers.begin(), numbers.end()}}, text);
    ASSERT_EQ(at->second, text);
  }
}

// The rule of docs/formats/block.md, byte by byte.
class PlainCutter {
 public:
  explicit PlainCutter(std::string_view text) {
    while (!text.empty()) text.remove_prefix(Take(text));
  }
  std::string pattern;
  std::vector<std::uint64_t> numbers;

 private:
  static bool IsDecimal(char c) { return c >= '0' && c <= '9'; }
  static bool IsHex(char c) { return IsDecimal(c) || (c >= 'a' && c <= 'f'); }
  static std::size_t Run(std::string_view text, bool (*is)(char)) {
    return static_cast<std::size_t>(std::ranges::find_if_not(text, is) - text.begin());
  }
  std::size_t Literal(std::string_view text) {
    pattern += text;
    return text.size();
  }
  void Slot(TextSlot slot, std::string_view digits, int base) {
    pattern += static_cast<char>(slot);
    if (slot == TextSlot::kHex || slot == TextSlot::kPadded)
      pattern += static_cast<char>(digits.size());
    numbers.push_back(std::stoull(std::string(digits), nullptr, base));
  }
  static bool IsUuid(std::string_view text) {
    if (text.size() < 36) return false;
    for (std::size_t i = 0; i < 36; ++i) {
      const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
      if (is_dash ? text[i] != '-' : !IsHex(text[i])) return false;
    }
    return true;
  }
  std::size_t Take(std::string_view text) {
    const std::size_t bytes = Run(text, IsHex);
    if (bytes == 0) return Literal(text.substr(0, 1));
    if (bytes == 8 && IsUuid(text) && numbers.size() + 2 <= kTextSlotsMax) {
      std::string digits(text.substr(0, 36));
      std::erase(digits, '-');
      pattern += static_cast<char>(TextSlot::kUuid);
      for (const std::size_t half : {std::size_t{0}, std::size_t{16}})
        numbers.push_back(std::stoull(digits.substr(half, 16), nullptr, 16));
      return 36;
    }
    std::string_view run = text.substr(0, bytes);
    const bool has_decimal = std::ranges::any_of(run, IsDecimal);
    if (!has_decimal) return Literal(run);
    const bool is_hex = bytes >= 8 && !std::ranges::all_of(run, IsDecimal);
    for (; !run.empty(); run.remove_prefix(is_hex ? TakeHex(run) : TakeDecimal(run))) {
    }
    return bytes;
  }
  std::size_t TakeHex(std::string_view run) {
    if (numbers.size() == kTextSlotsMax) return Literal(run);
    const std::string_view digits = run.substr(0, 16);
    Slot(TextSlot::kHex, digits, 16);
    return digits.size();
  }
  std::size_t TakeDecimal(std::string_view run) {
    const bool is_decimal = IsDecimal(run[0]);
    const std::string_view part = run.substr(
        0, is_decimal ? Run(run, IsDecimal) : Run(run, [](char c) { return !IsDecimal(c); }));
    if (!is_decimal || part.size() > 18 || numbers.size() == kTextSlotsMax) return Literal(part);
    Slot(part[0] == '0' && part.size() > 1 ? TextSlot::kPadded : TextSlot::kNumber, part, 10);
    return part.size();
  }
};

TEST(TextCutter, CutsAsTheRuleSays) {
  Rng rng(7);
  TextCutter cutter;
  for (int i = 0; i < 50'000; ++i) {
    std::string text = RandomText(rng);
    if (rng.Chance(0.1)) {  // a UUID that may begin with letters alone
      text += rng.Chance(0.5) ? "/" : "";
      text += Digits(rng, 8, "abcdef") + "-" + Digits(rng, 4, "abcdef0") + "-" +
              Digits(rng, 4, "abcdef") + "-" + Digits(rng, 4, "abcdef") + "-" +
              Digits(rng, 10 + rng.Below(4), "abcdef");
      text += RandomText(rng);
    }
    while (rng.Chance(0.05)) text += RandomText(rng) + std::string(rng.Below(70), 'z');
    if (text.size() > kCutTextBytesMax) continue;
    const PlainCutter expected(text);
    ASSERT_TRUE(cutter.Cut(text));
    ASSERT_EQ(cutter.pattern(), expected.pattern) << text;
    const auto numbers = cutter.numbers();
    ASSERT_EQ(std::vector(numbers.begin(), numbers.end()), expected.numbers) << text;
  }
}

TEST(TextCutter, SaysWhatStandsInAPattern) {
  using namespace std::string_literals;
  struct Case {
    std::string text, pattern;
    std::vector<std::uint64_t> numbers;
  };
  const Case cases[] = {
      {"", "", {}},
      {"face", "face", {}},
      {"user-004213", "user-\2\6"s, {4'213}},
      {"0 10", "\1 \1"s, {0, 10}},
      {"a1b2", "a\1b\1"s, {1, 2}},
      {"00c0ffee00c0ffee1", "\3\x10\3\1"s, {0x00c0ffee00c0ffee, 1}},
      {"123e4567-e89b-12d3-a456-426614174000", "\4"s, {0x123e4567e89b12d3, 0xa456426614174000}},
      {"1234567890123456789", "1234567890123456789", {}},
      {"1 2 3 4 5 6 7 8 9", "\1 \1 \1 \1 \1 \1 \1 \1 9"s, {1, 2, 3, 4, 5, 6, 7, 8}},
  };
  TextCutter cutter;
  for (const Case& expected : cases) {
    ASSERT_TRUE(cutter.Cut(expected.text));
    EXPECT_EQ(cutter.pattern(), expected.pattern) << expected.text;
    const auto numbers = cutter.numbers();
    EXPECT_EQ(std::vector(numbers.begin(), numbers.end()), expected.numbers) << expected.text;
  }
  EXPECT_FALSE(cutter.Cut("a\1b"));
  EXPECT_FALSE(cutter.Cut(std::string(kCutTextBytesMax + 1, 'x')));
}

TEST(TemplatedTexts, ColumnsOfIdsAndUrlsAreCutAndComeBack) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const Column column = MakeColumn(rng, seed % 6, 600 + rng.Below(3'000));
    if (seed % 6 < 5) {
      EXPECT_TRUE(column.IsTemplated()) << seed;
    }
    ByteReader in(column.bytes);
    const auto decoded = DecodeTexts(in, column.texts.size());
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_TRUE(in.done());
    for (std::size_t i = 0; i < column.texts.size(); ++i)
      ASSERT_EQ(decoded->At(i), column.texts[i]) << seed;
  }
}

TEST(TemplatedTexts, PackToWhatTheirNumbersNeed) {
  Rng rng(3);
  EXPECT_LT(MakeColumn(rng, 0, 4'096).bytes.size(), 4'096 * 8.2);
  EXPECT_LT(MakeColumn(rng, 1, 4'096).bytes.size(), 4'096 * 3);
  EXPECT_LT(MakeColumn(rng, 4, 4'096).bytes.size(), 4'096 * 16.3);
}

TEST(TemplatedTexts, OneTextThatCannotBeCutLeavesTheColumnAsItIs) {
  Rng rng(4);
  for (const std::string& odd : {std::string("\4"), std::string(2'000, 'x')}) {
    TextColumn to;
    std::vector<std::string> texts;
    texts.reserve(1'001);  // the column borrows them
    for (int i = 0; i < 1'000; ++i) texts.push_back(FamilyText(rng, 0));
    texts.push_back(odd);
    for (const std::string& text : texts) to.Add(text);
    std::string bytes;
    to.Encode(bytes);
    EXPECT_EQ(bytes[0], 0);
    ByteReader in(bytes);
    const auto decoded = DecodeTexts(in, texts.size());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->At(1'000), odd);
  }
}

// The same questions, of the texts themselves.
TEST(TemplatedTexts, FindsWhatALookAtEveryTextFinds) {
  std::size_t found = 0;
  std::size_t ruled_out = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Rng rng(1'000 + seed);
    const Column column = MakeColumn(rng, seed % 6, 600 + rng.Below(600));
    if (!column.IsTemplated()) continue;
    const TemplatedTexts texts = Open(column);
    for (int question = 0; question < 40; ++question) {
      std::string wanted = rng.Chance(0.8) ? column.texts[rng.Below(column.texts.size())]
                                           : FamilyText(rng, seed % 6);
      std::vector<bool> equal(column.texts.size());
      texts.FindEqual(wanted, [&](std::size_t i) { equal[i] = true; });
      if (!wanted.empty() && rng.Chance(0.9)) {
        const std::size_t begin = rng.Below(wanted.size());
        const std::string part = wanted.substr(begin, 1 + rng.Below(wanted.size() - begin));
        if (rng.Chance(0.1)) wanted = "0" + part;
        std::vector<bool> hits(column.texts.size());
        const auto any = texts.FindContaining(part, hits);
        ASSERT_TRUE(any);
        for (std::size_t i = 0; i < hits.size(); ++i)
          ASSERT_EQ(hits[i], column.texts[i].contains(part)) << part << " in " << column.texts[i];
        EXPECT_EQ(*any, std::ranges::find(hits, true) != hits.end());
        found += *any ? 1U : 0U;
      }
      ByteReader in(column.bytes);
      ASSERT_TRUE(TakeTemplatedKind(in));
      const auto may_equal = TemplatedTexts::MayEqual(in, column.texts.size(), wanted);
      ASSERT_TRUE(may_equal) << may_equal.error().message;
      const bool is_there = std::ranges::find(column.texts, wanted) != column.texts.end();
      ASSERT_TRUE(*may_equal || !is_there) << wanted;
      ruled_out += *may_equal ? 0U : 1U;
      if (seed % 6 == 0) {  // one number each
        ASSERT_EQ(*may_equal, is_there) << wanted;
      }
      std::vector<bool> again(column.texts.size());
      texts.FindEqual(wanted, [&](std::size_t i) { again[i] = true; });
      for (std::size_t i = 0; i < again.size(); ++i)
        ASSERT_EQ(again[i], column.texts[i] == wanted) << wanted;
    }
  }
  EXPECT_GT(found, 1'000U);
  EXPECT_GT(ruled_out, 100U);
}

TEST(TemplatedTexts, CutOrFlippedBytesAreRefusedOrReadSafely) {
  Rng rng(7);
  const Column column = MakeColumn(rng, 2, 700);
  ASSERT_TRUE(column.IsTemplated());
  for (std::size_t cut = 0; cut < column.bytes.size(); cut += 1 + rng.Below(5)) {
    ByteReader in(std::string_view(column.bytes).substr(0, cut));
    EXPECT_FALSE(DecodeTexts(in, column.texts.size())) << cut;
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string flipped = column.bytes;
    const std::size_t bit = rng.Below(flipped.size() * 8);
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    ByteReader in(flipped);
    const auto decoded = DecodeTexts(in, column.texts.size());
    if (!decoded) continue;
    for (std::size_t at = 0; at < column.texts.size(); ++at) (void)decoded->At(at).size();
  }
}

}  // namespace
}  // namespace fluoro::store
