#include "store/embedded/fuse_filter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace fluoro::store {
namespace {

std::vector<std::uint64_t> RandomKeys(Rng& rng, std::size_t count) {
  std::vector<std::uint64_t> keys(count);
  for (std::uint64_t& key : keys) key = rng.Next();
  return keys;
}

TEST(FuseFilter, HoldsEveryKeyAndOneOtherIn256) {
  for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 10U, 100U, 256U, 1'000U, 8'192U, 65'536U}) {
    SCOPED_TRACE(count);
    for (std::uint64_t seed = 1; seed <= (count > 10'000 ? 2U : 20U); ++seed) {
      Rng rng(seed * 1'000 + count);
      const std::vector<std::uint64_t> keys = RandomKeys(rng, count);
      const std::string bytes = FuseFilter::Encode(keys);
      ASSERT_FALSE(bytes.empty());
      EXPECT_LE(bytes.size(), FuseFilter::BytesOf(count));
      const auto filter = FuseFilter::Decode(bytes);
      ASSERT_TRUE(filter) << filter.error().message;
      for (const std::uint64_t key : keys) EXPECT_TRUE(filter->MayContain(key));
      std::size_t hits = 0;
      constexpr std::size_t kOthers = 20'000;
      for (std::size_t i = 0; i < kOthers; ++i) hits += filter->MayContain(rng.Next()) ? 1U : 0U;
      EXPECT_LT(hits, kOthers / 128);  // 78 are expected
    }
  }
}

TEST(FuseFilter, TakesElevenBitsAKeyOfARowGroup) {
  EXPECT_LE(FuseFilter::BytesOf(8'192) * 8, 8'192U * 11);
  EXPECT_LE(FuseFilter::BytesOf(1'000'000) * 8, 1'000'000U * 93 / 10);
}

TEST(FuseFilter, EqualSetsGiveEqualBytes) {
  Rng rng(5);
  std::vector<std::uint64_t> keys = RandomKeys(rng, 500);
  const std::string bytes = FuseFilter::Encode(keys);
  std::ranges::reverse(keys);
  keys.insert(keys.end(), keys.begin(), keys.begin() + 100);
  EXPECT_EQ(FuseFilter::Encode(keys), bytes);
}

TEST(FuseFilter, CutAndFlippedBytesAreRefusedOrSafe) {
  Rng rng(6);
  const std::string whole = FuseFilter::Encode(RandomKeys(rng, 300));
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(FuseFilter::Decode(std::string_view(whole).substr(0, cut))) << cut;
  for (std::size_t bit = 0; bit < std::min<std::size_t>(whole.size(), 20) * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    const auto filter = FuseFilter::Decode(flipped);
    if (!filter) continue;
    for (int i = 0; i < 100; ++i) (void)filter->MayContain(rng.Next());
    (void)filter->MayContain(UINT64_MAX);
  }
}

}  // namespace
}  // namespace fluoro::store
