#include "api/xray/page_token.h"

#include <gtest/gtest.h>

#include "api/xray/page_cache.h"

namespace fluoro::api::xray {
namespace {

TEST(PageToken, ComesBackOnlyForItsRequest) {
  const Fingerprint fingerprint = Fingerprint("GetServiceGraph").Add(1).Add("a");
  const std::string token = PositionWriter()
                                .Add(0x0102030405060708, 8)
                                .Add("sixteen bytes ok")
                                .Add(7, 4)
                                .Token(fingerprint);
  EXPECT_LE(token.size(), 100U);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  auto reader = PositionReader::Open(token, fingerprint, 28);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->Take(8), 0x0102030405060708U);
  EXPECT_EQ(reader->TakeText(16), "sixteen bytes ok");
  EXPECT_EQ(reader->Take(4), 7U);

  EXPECT_FALSE(PositionReader::Open(token, Fingerprint("GetServiceGraph").Add(2).Add("a"), 28));
  EXPECT_FALSE(PositionReader::Open(token, Fingerprint("GetTraceGraph").Add(1).Add("a"), 28));
  EXPECT_FALSE(PositionReader::Open(token, fingerprint, 27));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    const auto opened = PositionReader::Open(changed, fingerprint, 28);
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().type, "InvalidRequestException");
  }
  EXPECT_FALSE(PositionReader::Open("", fingerprint, 28));
  EXPECT_FALSE(PositionReader::Open("next page please", fingerprint, 28));
}

TEST(PageToken, PartsOfAFingerprintDoNotRunTogether) {
  EXPECT_NE(Fingerprint("x").Add("ab").Add("c").Hash(), Fingerprint("x").Add("a").Add("bc").Hash());
}

TEST(PageToken, LongestPositionStaysWithinAHundredCharacters) {
  EXPECT_LE(
      PositionWriter().Add(std::string(kPositionBytesMax, 'x')).Token(Fingerprint("x")).size(),
      100U);
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> items;
  for (int i = 0; i < count; ++i) items.push_back(std::to_string(i));
  return items;
}

TEST(PageCache, PagesAgreeThoughTheDataChanges) {
  PageCache cache(1);
  const Fingerprint fingerprint("x");
  int made = 0;
  const auto make = [&]() -> ApiResult<std::vector<std::string>> { return Numbers(5 + made++); };
  const auto first = cache.Get({}, fingerprint, 2, make);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->Json(), "[0,1]");
  const auto second = cache.Get(*first->next_token, fingerprint, 2, make);
  EXPECT_EQ(second->Json(), "[2,3]");
  EXPECT_NE(second->next_token, first->next_token);
  const auto third = cache.Get(*second->next_token, fingerprint, 2, make);
  EXPECT_EQ(third->Json(), "[4]");
  EXPECT_FALSE(third->next_token);
  EXPECT_EQ(made, 1);
}

TEST(PageCache, ForgottenListsAreMadeAgain) {
  const Fingerprint fingerprint("x");
  const auto make = []() -> ApiResult<std::vector<std::string>> { return Numbers(5); };
  PageCache before(1);
  const auto first = before.Get({}, fingerprint, 2, make);
  PageCache after(1'000);
  EXPECT_EQ(after.Get(*first->next_token, fingerprint, 2, make)->Json(), "[2,3]");

  PageCache small(1);
  const auto kept = small.Get({}, fingerprint, 2, make);
  for (std::size_t i = 0; i < PageCache::kListsMax; ++i)
    ASSERT_TRUE(small.Get({}, fingerprint, 2, make));
  bool made = false;
  EXPECT_EQ(small
                .Get(*kept->next_token, fingerprint, 2,
                     [&]() -> ApiResult<std::vector<std::string>> {
                       made = true;
                       return Numbers(3);
                     })
                ->Json(),
            "[2]");
  EXPECT_TRUE(made);
}

TEST(PageCache, AListOfOnePageHasNoToken) {
  PageCache cache(1);
  const auto page = cache.Get({}, Fingerprint("x"), 5,
                              []() -> ApiResult<std::vector<std::string>> { return Numbers(5); });
  EXPECT_FALSE(page->next_token);
  EXPECT_EQ(cache
                .Get({}, Fingerprint("x"), 5,
                     []() -> ApiResult<std::vector<std::string>> { return Numbers(0); })
                ->Json(),
            "[]");
}

}  // namespace
}  // namespace fluoro::api::xray
