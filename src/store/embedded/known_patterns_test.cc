#include "store/embedded/known_patterns.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
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

TEST(KnownPatterns, HaveBounds) {
  Learner literals;
  for (int i = 0; i < 100; ++i)
    literals.Take(std::string(1, static_cast<char>('A' + i % 26)) +
                  std::string(static_cast<std::size_t>(i), 'Z') + "1");
  Rng rng(1);
  Learner deep;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int piece = 0; piece < 8; ++piece)
      text +=
          std::string(1, static_cast<char>('G' + rng.Below(20))) + std::to_string(rng.Below(10));
    deep.Take(text);
  }
}

}  // namespace
}  // namespace fluoro::store
