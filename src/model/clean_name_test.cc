#include <gtest/gtest.h>

#include "model/entity.h"

namespace fluoro::model {
namespace {

TEST(CleanName, KeepsLettersNumbersSeparatorsAndTheListedSigns) {
  EXPECT_EQ(CleanName("example.com"), "example.com");
  EXPECT_EQ(CleanName("a_b.c:d/e%f&g#h=i+j\\k-l@m n"), "a_b.c:d/e%f&g#h=i+j\\k-l@m n");
  EXPECT_EQ(CleanName("## handler"), "## handler");
  EXPECT_EQ(CleanName("größe 日本 ٣"), "größe 日本 ٣");
}

TEST(CleanName, DeletesEverythingElse) {
  EXPECT_EQ(CleanName("GET /a?b=c;d"), "GET /ab=cd");
  EXPECT_EQ(CleanName("tab\tand\nline"), "tabandline");
  EXPECT_EQ(CleanName("ü\xff!\xf0\x9f\x98\x80z"), "üz");
  EXPECT_EQ(CleanName("?!*"), "");
  EXPECT_EQ(CleanName(""), "");
}

TEST(CleanName, CutsOnCodePoints) {
  EXPECT_EQ(CleanName(std::string(300, 'x')), std::string(200, 'x'));
  std::string umlauts;
  for (int i = 0; i < 250; ++i) umlauts += "ü";
  EXPECT_EQ(CleanName(umlauts), umlauts.substr(0, 400));
}

}  // namespace
}  // namespace fluoro::model
