#include "store/embedded/known_patterns.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "store/embedded/text_digits.h"
#include "store/embedded/texts_for_test.h"

namespace fluoro::store {
namespace {

// Learns what the cutter says of each text that it does not know, as a column does.
class Learner {
 public:
  /// Whether the text was known; what is said of it must be what the cutter says.
  bool Take(const std::string& text) {
    EXPECT_TRUE(cutter_.Cut(text));
    const std::string pattern(cutter_.pattern());
    const auto [at, is_new] =
        numbers_.try_emplace(pattern, static_cast<std::uint32_t>(numbers_.size()));
    const auto number = known_.Match(text);
    if (!number) {
      known_.Learn(pattern, at->second);
      return false;
    }
    EXPECT_EQ(*number, at->second) << text;
    EXPECT_TRUE(std::ranges::equal(known_.numbers(), cutter_.numbers())) << text;
    return true;
  }

  [[nodiscard]] std::size_t nodes() const { return known_.nodes(); }

 private:
  TextCutter cutter_;
  KnownPatterns known_;
  std::map<std::string, std::uint32_t> numbers_;
};

TEST(KnownPatterns, SayWhatTheCutterSays) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    Learner learner;
    for (int i = 0; i < 4'000 && !testing::Test::HasFailure(); ++i) learner.Take(RandomText(rng));
  }
}

TEST(KnownPatterns, KnowNearlyAllTextsOfAFamily) {
  for (std::uint64_t family = 0; family < 5; ++family) {
    Rng rng(family);
    Learner learner;
    int known = 0;
    for (int i = 0; i < 4'000; ++i) known += learner.Take(FamilyText(rng, family)) ? 1 : 0;
    EXPECT_GT(known, 3'700) << family;
  }
}

TEST(KnownPatterns, LeaveOutWhatIsNotCertain) {
  // In each pair the second has the literals of the first, and is cut otherwise.
  const std::pair<std::string, std::string> pairs[] = {
      {"a1", "a1234567"},                                       // eight digits 0-9a-f
      {"1a", "1234567a"},                                       //
      {"/1-2-3-4-5", "/12345678-1234-1234-1234-123456789012"},  // a UUID
      {"abcdefab-1-2-3-4", "abcdefab-1234-1234-1234-123456789012"},
      {"user-1", "user-01"},
      {"x1", "x1234567890123456789"},
      {"1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 10"},
      {"", "1"},
  };
  for (const auto& [first, second] : pairs) {
    Learner learner;
    learner.Take(first);
    learner.Take(first);
    learner.Take(second);
    learner.Take(second);
  }
}

TEST(TextDigits, RunsOfHexDigitsAreThoseOfALookAtEveryByte) {
  Rng rng(8);
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (std::uint64_t bytes = rng.Below(40); bytes > 0; --bytes) {
      text.push_back(rng.Chance(0.95) ? "0123456789abcdef"[rng.Below(16)]
                                      : static_cast<char>(rng.Below(256)));
    }
    std::size_t bytes = 0;
    bool has_decimal = false;
    for (; bytes < text.size() && Digit(text[bytes]) < 16; ++bytes)
      has_decimal = has_decimal || Digit(text[bytes]) < 10;
    const HexRun run = RunOfHex(text);
    ASSERT_EQ(run.bytes, bytes) << text;
    ASSERT_EQ(run.has_decimal, has_decimal) << text;
  }
}

TEST(KnownPatterns, HaveBounds) {
  const auto text_of = [](std::size_t i) {
    return std::string(1, static_cast<char>('G' + i % 20)) + std::string(i, 'Z') + "1";
  };
  Learner literals;
  for (std::size_t i = 0; i < 100; ++i) literals.Take(text_of(i));
  std::size_t known = 0;
  for (std::size_t i = 0; i < 100; ++i) known += literals.Take(text_of(i)) ? 1U : 0U;
  EXPECT_EQ(known, KnownPatterns::kBranchesMax);

  Rng rng(1);
  Learner deep;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int piece = 0; piece < 8; ++piece)
      text +=
          std::string(1, static_cast<char>('G' + rng.Below(20))) + std::to_string(rng.Below(10));
    deep.Take(text);
  }
  EXPECT_EQ(deep.nodes(), KnownPatterns::kNodesMax);
}

}  // namespace
}  // namespace fluoro::store
