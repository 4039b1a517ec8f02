// Laws: intervals hold the truth in 93 to 97 of 100 draws, thinned and weighted or not; equal sides
// differ in 5 of 100; what is needed for a power of 80 % gives it.
#include "analysis/compare/estimate.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/compare/significance.h"
#include "analysis/compare/traffic_for_test.h"
#include "base/rng.h"

namespace fluoro::analysis::compare {
namespace {

using testing::Normal;

constexpr int kDraws = 2'000;
constexpr double kSigma = 0.6;

double Latency(Rng& rng) { return 100 * std::exp(kSigma * Normal(rng)); }
double LatencyMean() { return 100 * std::exp(kSigma * kSigma / 2); }
double LatencyQuantile(double normal_quantile) { return 100 * std::exp(kSigma * normal_quantile); }

// One observation in five of those that are not slow is kept, and counts five.
double ThinnedWeight(Rng& rng, double latency) {
  if (latency > 200) return 1;
  return rng.Chance(0.2) ? 5 : 0;
}

std::vector<Weighted> Sample(Rng& rng, int size, bool thinned) {
  std::vector<Weighted> out;
  for (int i = 0; i < size; ++i) {
    const double latency = Latency(rng);
    const double weight = thinned ? ThinnedWeight(rng, latency) : 1;
    if (weight > 0) out.push_back({latency, weight});
  }
  std::ranges::sort(out, {}, &Weighted::value);
  return out;
}

Estimate MeanIn(const std::vector<Weighted>& sample) {
  WeightedSums sums;
  for (const Weighted& one : sample) sums.Add(one.value, one.weight);
  return MeanOf(sums);
}

// Share of slow ones.
Estimate RateIn(const std::vector<Weighted>& sample) {
  WeightedSums sums;
  for (const Weighted& one : sample) sums.Add(one.value > 250 ? 1 : 0, one.weight);
  return RateOf(sums);
}

struct CoverageCase {
  std::string_view name;
  Estimate (*estimate)(const std::vector<Weighted>&);
  double truth;
};

const CoverageCase kCases[] = {
    {"mean", MeanIn, LatencyMean()},
    {"rate", RateIn, NormalTail(std::log(2.5) / kSigma) / 2},
    {"p50", [](const std::vector<Weighted>& s) { return QuantileOf(s, 0.5); }, LatencyQuantile(0)},
    {"p95", [](const std::vector<Weighted>& s) { return QuantileOf(s, 0.95); },
     LatencyQuantile(1.6448536)},
};

TEST(Estimate, IntervalsHoldTheTruthAsOftenAsTheySay) {
  for (const bool thinned : {false, true}) {
    for (const CoverageCase& one : kCases) {
      Rng rng(17);
      int held = 0;
      for (int draw = 0; draw < kDraws; ++draw) {
        const Estimate estimate = one.estimate(Sample(rng, thinned ? 800 : 400, thinned));
        EXPECT_LE(estimate.low, estimate.value);
        EXPECT_LE(estimate.value, estimate.high);
        held += estimate.low <= one.truth && one.truth <= estimate.high ? 1 : 0;
      }
      const double coverage = static_cast<double>(held) / kDraws;
      EXPECT_GE(coverage, 0.93) << one.name << (thinned ? " thinned" : "");
      EXPECT_LE(coverage, 0.97) << one.name << (thinned ? " thinned" : "");
    }
  }
}

Difference Compare(const CoverageCase& one, const std::vector<Weighted>& a,
                   const std::vector<Weighted>& b) {
  const Estimate of_a = one.estimate(a);
  const Estimate of_b = one.estimate(b);
  return one.estimate == MeanIn ? DifferenceOfMeans(of_a, of_b) : DifferenceOf(of_a, of_b);
}

// Sides of unlike size and thinning of which one is a tenth slower, or none.
TEST(Estimate, DifferencesHoldAndEqualSidesSeldomDiffer) {
  for (const bool thinned : {false, true}) {
    for (const CoverageCase& one : kCases) {
      Rng rng(23);
      int held = 0;
      int found = 0;
      for (int draw = 0; draw < kDraws; ++draw) {
        const auto a = Sample(rng, 700, thinned);
        const auto b = Sample(rng, 400, false);
        const Difference difference = Compare(one, a, b);
        held += difference.low <= 0 && 0 <= difference.high ? 1 : 0;
        found += difference.p < kFalseFinds ? 1 : 0;
      }
      EXPECT_GE(held, kDraws * 93 / 100) << one.name;
      EXPECT_LE(held, kDraws * 97 / 100) << one.name;
      EXPECT_LE(found, kDraws * 7 / 100) << one.name;
    }
  }
}

// As many more as `growth` says: then four of five draws find the difference.
TEST(Estimate, TheSizeThatIsNeededFindsFourOfFive) {
  const double shift = 1.12;
  for (const CoverageCase& one : kCases) {
    Rng rng(29);
    const auto draw = [&](int size) {
      auto a = Sample(rng, size, false);
      auto b = Sample(rng, size, false);
      for (Weighted& value : b) value.value *= shift;
      return Compare(one, a, b);
    };
    // What is needed, were the difference measured exactly: of samples that are large.
    const int large = 40'000;
    const double growth = draw(large).growth;
    const int needed = static_cast<int>(std::ceil(growth * large));
    ASSERT_GT(needed, 50) << one.name;
    ASSERT_LT(needed, large) << one.name;
    int found = 0;
    const int draws = 300;
    for (int i = 0; i < draws; ++i) found += draw(needed).p < kFalseFinds ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(found) / draws, 0.8, 0.1) << one.name << " needs " << needed;
  }
}

TEST(Estimate, ReadsPercentilesByWeight) {
  const std::vector<Weighted> values{{1, 1}, {2, 1}, {3, 1}, {10, 97}};
  EXPECT_EQ(WeightedQuantile(values, 0.01), 1);
  EXPECT_EQ(WeightedQuantile(values, 0.03), 3);
  EXPECT_EQ(WeightedQuantile(values, 0.031), 10);
  EXPECT_EQ(WeightedQuantile(values, 1), 10);
  EXPECT_EQ(WeightedQuantile(values, 0), 1);
  EXPECT_EQ(WeightedQuantile({}, 0.5), 0);
}

TEST(Estimate, SaysNothingOfOneAndIsExactOfMany) {
  WeightedSums sums;
  EXPECT_EQ(MeanOf(sums).value, 0);
  sums.Add(5, 2);
  EXPECT_EQ(MeanOf(sums).low, 5);
  EXPECT_EQ(MeanOf(sums).high, 5);
  // Times since 1970 in nanoseconds: digits must not get lost.
  WeightedSums large;
  for (int i = 0; i < 100; ++i) large.Add(1.79e18 + i * 1'000'000, 1);
  EXPECT_NEAR(std::sqrt(large.variance() * 100), 29.0115e6, 0.01e6);
  EXPECT_NEAR(large.effective(), 100, 1e-9);
  // Wilson: 0 of 10 and 10 of 10, as printed in Newcombe (1998).
  WeightedSums none;
  WeightedSums all;
  for (int i = 0; i < 10; ++i) {
    none.Add(0, 1);
    all.Add(1, 1);
  }
  EXPECT_EQ(RateOf(none).low, 0);
  EXPECT_NEAR(RateOf(none).high, 0.2775, 1e-3);
  EXPECT_NEAR(RateOf(all).low, 0.7225, 1e-3);
  EXPECT_EQ(RateOf(all).high, 1);
  // Newcombe's example: 56 of 70 and 48 of 80 differ by 0.2, from 0.0524 to 0.3339.
  const auto rate = [](int hits, int of) {
    WeightedSums shares;
    for (int i = 0; i < of; ++i) shares.Add(i < hits ? 1 : 0, 1);
    return RateOf(shares);
  };
  const Difference difference = DifferenceOf(rate(48, 80), rate(56, 70));
  EXPECT_NEAR(difference.value, 0.2, 1e-12);
  EXPECT_NEAR(difference.low, 0.0524, 2e-3);
  EXPECT_NEAR(difference.high, 0.3339, 2e-3);
}

}  // namespace
}  // namespace fluoro::analysis::compare
