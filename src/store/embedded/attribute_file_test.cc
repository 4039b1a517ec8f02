#include "store/embedded/attribute_file.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "cardinality/guard.h"

namespace fluoro::store {
namespace {

using namespace cardinality;  // NOLINT(google-build-using-namespace): what the file is of

AttributeState RandomState(std::uint64_t seed) {
  Rng rng(seed);
  Guard guard{GuardLimits()};
  std::int64_t now_ns = 1'790'000'000 * kNsPerSecond;
  for (std::uint64_t blocks = 1 + rng.Below(6); blocks > 0; --blocks) {
    BlockValues block(5);
    for (std::uint64_t keys = rng.Below(7); keys > 0; --keys) {
      KeyValues* seen = block.Of("key " + std::to_string(rng.Below(9)));
      if (seen == nullptr) continue;
      seen->has_texts = rng.Chance(0.8);
      seen->spans = rng.Below(1'000);
      seen->bytes = rng.Below(100'000);
      for (std::uint64_t i = rng.Below(rng.Chance(0.2) ? 9'000 : 300); i > 0; --i) {
        const std::string text = std::to_string(rng.Below(20'000));
        seen->distinct.Add(HashOf(std::string_view(text)));
        seen->texts.Add(HashOf(std::string_view(text)));
        seen->first.AddOne(HashOf(std::string_view(text)));
        seen->first.AddDifferent(
            {.hash = HashOf(std::string_view(text)), .pattern = PatternOf(text)});
        seen->hitters.Add(text, 1 + rng.Below(5));
        seen->AddExample(text);
      }
    }
    now_ns += static_cast<std::int64_t>(rng.Below(3 * kHourNs));
    guard.Absorb(block, now_ns, {});
  }
  return {.keys = guard.keys(), .crowded_out = guard.crowded_out(), .as_of_ns = guard.as_of_ns()};
}

TEST(AttributeFile, GivesBackWhatWasWrittenAndRefusesEveryOtherByte) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const AttributeState state = RandomState(seed);
    const std::string file = EncodeAttributeFile(state, nullptr);
    const auto read = DecodeAttributeFile(file, nullptr);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(EncodeAttributeFile(*read, nullptr), file);
    ASSERT_EQ(read->keys.size(), state.keys.size());
    for (const auto& [name, key] : state.keys) {
      const KeyState& other = read->keys.at(name);
      EXPECT_EQ(other.DistinctDay(state.as_of_ns).Estimate(),
                key.DistinctDay(state.as_of_ns).Estimate());
      EXPECT_EQ(other.hitters.Sorted(), key.hitters.Sorted());
      EXPECT_EQ(other.known.today, key.known.today);
      EXPECT_EQ(other.curve, key.curve);
      EXPECT_EQ(other.readings, key.readings);
      EXPECT_EQ(other.state, key.state);
    }
    Rng rng(seed);
    for (int i = 0; i < 200; ++i) {
      std::string broken = file;
      const std::size_t at = rng.Below(file.size());
      // Minor and the zeros of the header mean nothing, but the sum holds them.
      broken[at] = static_cast<char>(broken[at] ^ (1 << rng.Below(8)));
      EXPECT_FALSE(DecodeAttributeFile(broken, nullptr)) << at;
      EXPECT_FALSE(DecodeAttributeFile(file.substr(0, at), nullptr)) << at;
    }
  }
}

// What a sum does not catch: bytes that somebody made.
TEST(AttributeFile, RefusesOrUnderstandsAnyState) {
  Rng rng(77);
  std::size_t understood = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string file = EncodeAttributeFile(RandomState(seed), nullptr);
    const std::string state = file.substr(file.size() > 400 ? 18 : 17, file.size());
    for (int i = 0; i < 300; ++i) {
      std::string broken = state;
      for (std::uint64_t changes = 1 + rng.Below(4); changes > 0; --changes)
        broken[rng.Below(broken.size())] = static_cast<char>(rng.Below(256));
      if (rng.Chance(0.5)) broken.resize(rng.Below(broken.size()));
      const auto read = DecodeAttributeState(broken);
      if (!read) continue;
      ++understood;
      const std::string again = EncodeAttributeFile(*read, nullptr);
      ASSERT_TRUE(DecodeAttributeFile(again, nullptr));
    }
  }
  SUCCEED() << understood;
}

TEST(AttributeFile, IsEncryptedWhereAKeyIsInUse) {
  crypto::Keyring keys;
  std::array<std::uint8_t, crypto::kKeyBytes> bytes{};
  bytes.fill(7);
  ASSERT_TRUE(keys.Add("key", crypto::Secret(bytes)));
  ASSERT_TRUE(keys.Use("key"));
  AttributeState state = RandomState(4);
  state.keys["legible"].examples = {"legible value"};
  const std::string file = EncodeAttributeFile(state, &keys);
  EXPECT_EQ(file.find("legible"), std::string::npos);
  const auto read = DecodeAttributeFile(file, &keys);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->keys.at("legible").examples, state.keys.at("legible").examples);
  const auto locked = DecodeAttributeFile(file, nullptr);
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, ErrorCode::kPermissionDenied);
}

}  // namespace
}  // namespace fluoro::store
