#include "sampling/boost.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kNow = 1'700'000'000 * kNsPerSecond;

Rule Boosted(double max_rate, std::int32_t cooldown_minutes, double fixed_rate = 0.01) {
  Rule rule;
  rule.name = "boosted";
  rule.fixed_rate = fixed_rate;
  rule.boost = RateBoost{.max_rate = max_rate, .cooldown_minutes = cooldown_minutes};
  return rule;
}

BoostReport Anomalies(const std::string& service, std::int64_t anomalies,
                      std::int64_t sampled = 0) {
  return {.service_name = service,
          .total_count = 1'000,
          .anomaly_count = anomalies,
          .sampled_anomaly_count = sampled};
}

TEST(RateToCatchOne, IsTheSmallestThatCatchesWithNinetyFivePercent) {
  EXPECT_NEAR(RateToCatchOne(1), 0.95, 1e-12);
  EXPECT_NEAR(RateToCatchOne(10), 0.2589, 5e-5);
  EXPECT_NEAR(RateToCatchOne(100), 0.0295, 5e-5);
  EXPECT_NEAR(RateToCatchOne(1'000), 0.0030, 5e-5);
  EXPECT_EQ(RateToCatchOne(0), 0);
}

TEST(BoostDecider, BoostsForAMinuteThenCoolsDown) {
  const Rule rule = Boosted(1, 5);
  BoostDecider decider;
  EXPECT_EQ(decider.At(rule, 0.01, kNow), std::nullopt);
  decider.Add(Anomalies("front", 10), kNow);
  const auto boost = decider.At(rule, 0.01, kNow);
  ASSERT_TRUE(boost);
  EXPECT_NEAR(boost->rate, 0.2589, 5e-5);
  EXPECT_EQ(boost->until_s, kNow / kNsPerSecond + 60);
  // More anomalies neither raise nor prolong it.
  decider.Add(Anomalies("front", 1), kNow + 59 * kNsPerSecond);
  EXPECT_EQ(decider.At(rule, 0.01, kNow + 59 * kNsPerSecond), boost);
  decider.Add(Anomalies("front", 10), kNow + 60 * kNsPerSecond);
  EXPECT_EQ(decider.At(rule, 0.01, kNow + 60 * kNsPerSecond), std::nullopt);
  decider.Add(Anomalies("front", 10), kNow + 299 * kNsPerSecond);
  EXPECT_EQ(decider.At(rule, 0.01, kNow + 299 * kNsPerSecond), std::nullopt);
  decider.Add(Anomalies("front", 10), kNow + 300 * kNsPerSecond);
  EXPECT_TRUE(decider.At(rule, 0.01, kNow + 300 * kNsPerSecond));
}

TEST(BoostDecider, StaysWithinTheRule) {
  BoostDecider capped;
  capped.Add(Anomalies("front", 10), kNow);
  EXPECT_EQ(capped.At(Boosted(0.25, 1), 0.01, kNow)->rate, 0.25);

  BoostDecider without;
  without.Add(Anomalies("front", 10), kNow);
  Rule plain = Boosted(1, 1);
  plain.boost.reset();
  EXPECT_EQ(without.At(plain, 0.01, kNow), std::nullopt);
}

TEST(BoostDecider, IsNotNeededWhereAnomaliesAreSampled) {
  BoostDecider decider;
  decider.Add(Anomalies("front", 10, 1), kNow);
  EXPECT_EQ(decider.At(Boosted(1, 1), 0.01, kNow), std::nullopt);
  BoostDecider high_already;
  high_already.Add(Anomalies("front", 1'000), kNow);
  EXPECT_EQ(high_already.At(Boosted(1, 1), 0.05, kNow), std::nullopt);
}

TEST(BoostDecider, CountsARequestOnceHoweverManyServicesSawIt) {
  BoostDecider decider;
  for (const char* service : {"front", "middle", "back"}) decider.Add(Anomalies(service, 10), kNow);
  EXPECT_NEAR(decider.At(Boosted(1, 1), 0.01, kNow)->rate, 0.2589, 5e-5);
}

TEST(BoostDecider, ForgetsAfterTenSeconds) {
  const std::int64_t begin = kNow / (10 * kNsPerSecond) * 10 * kNsPerSecond;
  BoostDecider decider;
  decider.Add(Anomalies("front", 10), begin);
  EXPECT_EQ(decider.At(Boosted(1, 1), 0.01, begin + 10 * kNsPerSecond), std::nullopt);
}

TEST(BoostDecider, HasRoomForSoManyServices) {
  BoostDecider decider;
  for (std::size_t i = 0; i < kBoostServicesMax; ++i)
    decider.Add(Anomalies("s" + std::to_string(i), 0), kNow);
  decider.Add(Anomalies("one more", 10), kNow);
  EXPECT_EQ(decider.At(Boosted(1, 1), 0.01, kNow), std::nullopt);
}

}  // namespace
}  // namespace fluoro::sampling
