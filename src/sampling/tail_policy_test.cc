#include "sampling/tail_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "base/rng.h"

namespace fluoro::sampling {
namespace {

std::array<std::uint8_t, 16> RandomId(Rng& rng) {
  std::array<std::uint8_t, 16> id;
  const std::uint64_t halves[2] = {rng.Next(), rng.Next()};
  std::memcpy(id.data(), halves, sizeof(halves));
  return id;
}

TEST(TailPolicies, ReadsTheDocumentedForm) {
  const auto read = ParseTailPolicies(R"({"SamplingRules":[{"RuleName":"payments"}],"TailPolicies":[
      {"Name":"bad","Filter":"error OR fault","Outcomes":["timeout","fault"],"Keep":1},
      {"Name":"slow","SlowerThanRouteQuantile":0.99,"Keep":1,"PerSecond":2},
      {"Name":"rare","ShapesSeenPerHourBelow":10,"Keep":1},
      {"Name":"rest","Keep":0.05}]})");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->policies.size(), 4U);
  EXPECT_EQ(read->policies[0].name, "bad");
  EXPECT_EQ(read->policies[0].filter, "error OR fault");
  EXPECT_EQ(read->policies[0].outcomes, kTailTimeout | kTailFault);
  EXPECT_EQ(read->policies[1].slower_than_route_quantile, 0.99);
  EXPECT_EQ(read->policies[1].per_second, 2.0);
  EXPECT_EQ(read->policies[2].shapes_seen_per_hour_below, 10.0);
  EXPECT_EQ(read->policies[3].keep, 0.05);
}

TEST(TailPolicies, PrintsWhatItReads) {
  const TailPolicies biased = BiasedTailPolicies();
  const auto again = ParseTailPolicies(PrintTailPolicies(biased));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, biased);
}

TEST(TailPolicies, RefusesWhatItDoesNotKnowByName) {
  struct Case {
    std::string json;
    std::string message;
  };
  const Case cases[] = {
      {"[]", "an object was expected"},
      {"{", "not JSON"},
      {R"({"Tail":[]})", "Tail: unknown member"},
      {R"({"TailPolicies":{}})", "TailPolicies: an array was expected"},
      {R"({"TailPolicies":[{"Name":"a"}]})", "TailPolicies[0].Keep: missing"},
      {R"({"TailPolicies":[{"Keep":1}]})", "TailPolicies[0].Name: missing"},
      {R"({"TailPolicies":[{"Name":"","Keep":1}]})", "TailPolicies[0].Name: empty"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1.5}]})", "TailPolicies[0].Keep: 1.5 is not between"},
      {R"({"TailPolicies":[{"Name":"a","Keep":-0.1}]})", "TailPolicies[0].Keep: -0.1 is not"},
      {R"({"TailPolicies":[{"Name":"a","Keep":"1"}]})", "TailPolicies[0].Keep: a number"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"Keep":0}]})", "TailPolicies[0].Keep: twice"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"Rate":1}]})", "TailPolicies[0].Rate: unknown"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1},{"Name":"a","Keep":0}]})",
       "TailPolicies[1].Name: 'a' twice"},
      {R"({"TailPolicies":[{"Name":"unmatched","Keep":1}]})", "name of another reason"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"SlowerThanRouteQuantile":1}]})", "both excluded"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"ShapesSeenPerHourBelow":0}]})", "not above 0"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"PerSecond":0}]})", "not above 0"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"Outcomes":["ok"]}]})", "throttle or timeout"},
      {R"({"TailPolicies":[{"Name":"a","Keep":1,"Outcomes":[]}]})", "an array of fault"},
      {R"({"TailPolicies":[{"Name":")" + std::string(65, 'n') + R"(","Keep":1}]})", "longer than"},
  };
  for (const Case& one : cases) {
    const auto read = ParseTailPolicies(one.json);
    ASSERT_FALSE(read) << one.json;
    EXPECT_THAT(read.error().message, ::testing::HasSubstr(one.message)) << one.json;
  }
  std::string many = R"({"TailPolicies":[)";
  for (std::size_t i = 0; i <= kTailPoliciesMax; ++i)
    many += (i == 0 ? "" : ",") + std::string(R"({"Keep":1,"Name":"n)") + std::to_string(i) + "\"}";
  EXPECT_EQ(ParseTailPolicies(many + "]}").error().code, ErrorCode::kTooLarge);
}

TEST(IsInFraction, IsTheStatedPartOfTheHashAndNothingElse) {
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    const auto id = RandomId(rng);
    const double fraction = rng.Unit();
    const double place = static_cast<double>(XXH3_64bits(id.data(), 16)) / 0x1.0p64;
    if (std::abs(place - fraction) < 1e-12) continue;
    EXPECT_EQ(IsInFraction(id, fraction), place < fraction);
    EXPECT_TRUE(IsInFraction(id, 1));
    EXPECT_FALSE(IsInFraction(id, 0));
  }
}

TEST(IsInFraction, HoldsWhatASmallerFractionHolds) {
  Rng rng(12);
  for (int i = 0; i < 20'000; ++i) {
    const auto id = RandomId(rng);
    const double more = rng.Unit();
    const double less = rng.Unit() * more;
    EXPECT_LE(IsInFraction(id, less), IsInFraction(id, more));
  }
}

TEST(IsInFraction, HoldsAboutAsManyAsItSays) {
  for (const double fraction : {0.001, 0.05, 0.5, 0.9}) {
    Rng rng(13);
    constexpr int kTraces = 200'000;
    int held = 0;
    for (int i = 0; i < kTraces; ++i) held += IsInFraction(RandomId(rng), fraction) ? 1 : 0;
    const double deviation = std::sqrt(kTraces * fraction * (1 - fraction));
    EXPECT_NEAR(held, kTraces * fraction, 4 * deviation) << fraction;
  }
}

}  // namespace
}  // namespace fluoro::sampling
