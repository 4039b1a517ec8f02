#include "analysis/band.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/clock.h"
#include "base/rng.h"
#include "rollup/duration_buckets.h"

namespace fluoro::analysis {
namespace {

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;

double ExactTail(int total, double share, int above) {
  double tail = 0;
  for (int k = above + 1; k <= total; ++k) {
    tail += std::exp(std::lgamma(total + 1) - std::lgamma(k + 1) - std::lgamma(total - k + 1) +
                     k * std::log(share) + (total - k) * std::log1p(-share));
  }
  return tail;
}

// The law of the band: what leaves it by chance is one period in 740, at any size.
TEST(Band, ChanceLeavesItInOnePeriodOfSevenHundred) {
  for (const int total : {1, 3, 10, 40, 200, 1'000, 20'000}) {
    for (const double share : {0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.9}) {
      const CountBand band = BandOf({.share = share, .requests = 1e12}, total);
      EXPECT_LE(ExactTail(total, share, static_cast<int>(band.high)), 0.0015)
          << total << " of " << share;
      EXPECT_GE(band.low, 0);
      EXPECT_LE(band.high, total);
      EXPECT_LE(band.low, band.high);
    }
  }
}

TEST(Band, IsNoWiderThanTheExactOneWhereCountsAreSmall) {
  // One hit fewer would leave it too often.
  const CountBand band = BandOf({.share = 0.01, .requests = 1e12}, 10);
  EXPECT_GT(ExactTail(10, 0.01, static_cast<int>(band.high) - 1), 0.00135);
}

TEST(Band, LittleKnowledgeAndUnsteadinessWidenIt) {
  const UsualShare known{.share = 0.1, .requests = 1e9};
  UsualShare vague = known;
  vague.requests = 100;
  UsualShare unsteady = known;
  unsteady.dispersion = 4;
  const double high = BandOf(known, 1'000).high;
  EXPECT_GT(BandOf(vague, 1'000).high, high * 1.3);
  EXPECT_NEAR(BandOf(unsteady, 1'000).high - 100, 2 * (high - 100), 4);
}

TEST(ShareBaseline, FollowsWhatHappens) {
  Rng rng(1);
  ShareBaseline baseline;
  std::int64_t now_ns = 0;
  const auto run = [&](double share, int minutes) {
    for (int i = 0; i < minutes; ++i, now_ns += kMinuteNs) {
      double hits = 0;
      for (int request = 0; request < 100; ++request) hits += rng.Chance(share) ? 1 : 0;
      baseline.Learn(now_ns, hits, 100);
    }
  };
  run(0.02, 29);
  EXPECT_FALSE(baseline.IsReady(now_ns));
  run(0.02, 1);
  EXPECT_TRUE(baseline.IsReady(now_ns));
  run(0.02, 300);
  EXPECT_NEAR(baseline.Usual().share, 0.02, 0.004);
  EXPECT_LT(baseline.Usual().dispersion, 1.5);
  run(0.1, 24 * 60);
  EXPECT_NEAR(baseline.Usual().share, 0.1, 0.01);
}

TEST(ShareBaseline, PeriodsThatDifferAreNoSurprise) {
  ShareBaseline baseline;
  std::int64_t now_ns = 0;
  for (int i = 0; i < 600; ++i, now_ns += kMinuteNs)
    baseline.Learn(now_ns, i % 3 == 0 ? 30 : 0, 100);
  EXPECT_GT(baseline.Usual().dispersion, 5);
  EXPECT_GT(BandOf(baseline.Usual(), 100).high, 30);
}

TEST(ShareBaseline, NoFaultSoFarIsNotNeverOne) {
  ShareBaseline baseline;
  for (int i = 0; i < 40; ++i) baseline.Learn(i * kMinuteNs, 0, 1);
  EXPECT_GT(baseline.Usual().share, 0);
  EXPECT_GE(BandOf(baseline.Usual(), 1).high, 1);  // one fault in a minute tells nothing yet
}

rollup::DurationCounts Times(Rng& rng, int count, double scale) {
  rollup::DurationCounts times;
  for (int i = 0; i < count; ++i)
    times.Add(static_cast<std::int64_t>(-std::log(1 - rng.Unit()) * scale * 1e6), 1);
  return times;
}

TEST(TimesBaseline, KnowsTheQuantileAndTheShareAbove) {
  Rng rng(2);
  TimesBaseline baseline;
  EXPECT_EQ(baseline.SlowBucket(0), -1);
  for (int i = 0; i < 300; ++i) baseline.Learn(i * kMinuteNs, Times(rng, 200, 10).Buckets(), {});
  // Of an exponential law p95 is three times the mean.
  EXPECT_NEAR(BucketSeconds(baseline.SlowBucket(0)), 0.030, 0.0015);
  const UsualShare usual = baseline.UsualAbove(baseline.SlowBucket(0), 0);
  EXPECT_LE(usual.share, 0.0502);
  EXPECT_GT(usual.share, 0.04);
  EXPECT_LT(usual.dispersion, 1.5);
  const auto same = Times(rng, 200, 10).Buckets();
  const auto slower = Times(rng, 200, 15).Buckets();
  EXPECT_LE(CountAbove(same, baseline.SlowBucket(0)), BandOf(usual, 200).high);
  EXPECT_GT(CountAbove(slower, baseline.SlowBucket(0)), BandOf(usual, 200).high);
}

TEST(TimesBaseline, TakesAnyTime) {
  rollup::DurationCounts times;
  times.Add(0, 30);
  times.Add(std::numeric_limits<std::int64_t>::max(), 30);
  TimesBaseline baseline;
  for (int i = 0; i < 40; ++i) baseline.Learn(i * kMinuteNs, times.Buckets(), {});
  EXPECT_TRUE(baseline.IsReady(40 * kMinuteNs));
  EXPECT_EQ(baseline.SlowBucket(0), static_cast<int>(TimesBaseline::kBucketsMax) - 1);
}

TEST(Quantiles, AreThoseOfTheCounts) {
  EXPECT_EQ(QuantileBucket({}, 0.5), -1);
  const std::vector<rollup::DurationCounts::Bucket> times{{.index = 3, .count = 95},
                                                          {.index = 9, .count = 5}};
  EXPECT_EQ(QuantileBucket(times, 0.5), 3);
  EXPECT_EQ(QuantileBucket(times, 0.95), 3);
  EXPECT_EQ(QuantileBucket(times, 0.96), 9);
  EXPECT_EQ(CountOf(times), 100);
  EXPECT_EQ(CountAbove(times, 3), 5);
  EXPECT_NEAR(BucketSeconds(rollup::BucketOf(250'000'000)), 0.25, 0.005);
}

}  // namespace
}  // namespace fluoro::analysis
