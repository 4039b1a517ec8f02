#include "auth/canonical_request.h"

#include <gtest/gtest.h>

#include <array>

#include "base/rng.h"

namespace fluoro::auth {
namespace {

TEST(CanonicalUri, ResolvesDotsAndSlashesAndEncodesOnce) {
  for (const auto& [path, canonical] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", "/"},
           {"/", "/"},
           {"//", "/"},
           {"/./", "/"},
           {"/GetSamplingRules", "/GetSamplingRules"},
           {"/a/../b", "/b"},
           {"/example1/example2/../..", "/"},
           {"/../../a", "/a"},
           {"//example//", "/example/"},
           {"/a b/", "/a%20b/"},
           {"/a%20b", "/a%2520b"},
           {"/\xe1\x88\xb4", "/%E1%88%B4"},
           {"/-._~09AZaz", "/-._~09AZaz"}}) {
    EXPECT_EQ(CanonicalUri(path), canonical) << path;
  }
}

TEST(CanonicalUri, IsItsOwnFormWhereNothingNeedsEncoding) {
  Rng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string path = "/";
    for (std::uint64_t n = rng.Below(12); n > 0; --n) path += "ab./~-"[rng.Below(6)];
    const std::string once = CanonicalUri(path);
    EXPECT_EQ(CanonicalUri(once), once) << path;
    EXPECT_EQ(once.find("//"), std::string::npos) << path;
    EXPECT_EQ(once.front(), '/');
    EXPECT_EQ((once + "/").find("/../"), std::string::npos) << path;
  }
}

TEST(CanonicalQuery, SortsEncodesAndLeavesOut) {
  EXPECT_EQ(CanonicalQuery(""), "");
  EXPECT_EQ(CanonicalQuery("b=2&a=1&a=0&A=3&&c"), "A=3&a=0&a=1&b=2&c=");
  EXPECT_EQ(CanonicalQuery("a=%7e&b=%2f&c=x y"), "a=~&b=%2F&c=x%20y");
  EXPECT_EQ(CanonicalQuery("x=1&X-Amz-Signature=ab&y=2", "X-Amz-Signature"), "x=1&y=2");
  EXPECT_EQ(CanonicalQuery("a=b=c"), "a=b%3Dc");
}

TEST(CanonicalHeaders, TrimsAndJoins) {
  const std::array<Header, 4> headers{
      {{"host", " h:1 "}, {"b", "  x   \"y  z\"\t"}, {"a", "1"}, {"b", "2"}}};
  const std::array<std::string_view, 4> names{"a", "b", "gone", "host"};
  EXPECT_EQ(CanonicalHeaders(headers, names), "a:1\nb:x \"y z\",2\ngone:\nhost:h:1\n");
}

}  // namespace
}  // namespace fluoro::auth
