#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace fluoro {
namespace {

TEST(Base64, FollowsTheVectorsOfRfc4648) {
  struct Case {
    std::string_view bytes, text;
  };
  static constexpr Case kCases[] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}};
  for (const Case& c : kCases) {
    EXPECT_EQ(ToBase64(c.bytes), c.text);
    EXPECT_EQ(FromBase64(c.text), c.bytes);
  }
}

TEST(Base64, RoundTripsAnyBytes) {
  Rng rng(5);
  for (std::size_t bytes = 0; bytes < 200; ++bytes) {
    std::string data;
    for (std::size_t i = 0; i < bytes; ++i) data += static_cast<char>(rng.Next());
    EXPECT_EQ(FromBase64(ToBase64(data)), data);
  }
}

TEST(Base64, TakesMissingPaddingAndTheUrlAlphabet) {
  EXPECT_EQ(FromBase64("Zm9vYg"), "foob");
  EXPECT_EQ(FromBase64("-_8="), "\xfb\xff");
  EXPECT_EQ(FromBase64("+/8="), "\xfb\xff");
}

TEST(Base64, RefusesEverythingElse) {
  for (const std::string_view text :
       {"Z", "Zg=", "====", "Zg==Zg==", "Zm9v Yg==", "Zm9v\n", "=Zg="}) {
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fluoro
