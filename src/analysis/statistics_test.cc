#include "analysis/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace fluoro::analysis {
namespace {

using model::Outcome;

constexpr std::int64_t kMs = 1'000'000;

/// The smallest value with at least q of the values at or below it.
std::int64_t ExactQuantile(std::vector<std::int64_t> values, double q) {
  std::ranges::sort(values);
  const auto rank =
      static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size()) - 1e-9));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

/// From 1 us to about 3 hours, in several shapes.
std::int64_t RandomDuration(Rng& rng) {
  switch (rng.Below(3)) {
    case 0:
      return static_cast<std::int64_t>(std::exp(rng.Unit() * 23) * 1e3);
    case 1:
      return static_cast<std::int64_t>(rng.Below(200) + 1) * kMs;
    default:
      return static_cast<std::int64_t>(rng.Below(100'000) + 1) * 1'000;
  }
}

TEST(DurationHistogram, QuantilesAreWithinTwoPercent) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    DurationHistogram histogram;
    std::vector<std::int64_t> values;
    for (std::uint64_t i = 1 + rng.Below(2'000); i > 0; --i) {
      values.push_back(RandomDuration(rng));
      histogram.Add(values.back(), 1);
    }
    for (const double q : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999}) {
      const auto exact = static_cast<double>(ExactQuantile(values, q));
      EXPECT_NEAR(static_cast<double>(histogram.QuantileNs(q)), exact, exact * 0.02 + 500)
          << "seed " << seed << " q " << q;
    }
  }
}

TEST(DurationHistogram, EveryWholeMicrosecondIsWithinTwoPercent) {
  for (std::int64_t us = 0; us < 200'000; us += us < 20'000 ? 1 : 97) {
    DurationHistogram histogram;
    histogram.Add(us * 1'000, 1);
    ASSERT_NEAR(static_cast<double>(histogram.QuantileNs(0.5)), static_cast<double>(us) * 1e3,
                static_cast<double>(us) * 20)
        << us;
  }
}

TEST(DurationHistogram, FewDistinctMillisecondsStayExact) {
  DurationHistogram histogram;
  for (const std::int64_t ms : {5, 15, 157, 96, 15}) histogram.Add(ms * kMs + 400'000, 1);
  histogram.Add(157 * kMs - 500'000, 2.5);
  const auto entries = histogram.Entries();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].seconds, 0.005);
  EXPECT_EQ(entries[1].seconds, 0.015);
  EXPECT_EQ(entries[1].count, 2);
  EXPECT_EQ(entries[2].seconds, 0.096);
  EXPECT_EQ(entries[3].seconds, 0.157);
  EXPECT_EQ(entries[3].count, 3.5);
}

TEST(DurationHistogram, ManyDistinctValuesShareAtMostAHundredEntries) {
  for (const std::size_t values_count : {101U, 1'000U, 50'000U}) {
    Rng rng(values_count);
    DurationHistogram histogram;
    for (std::size_t i = 0; i < values_count; ++i)
      histogram.Add(static_cast<std::int64_t>(std::exp(rng.Unit() * 32)), 1.0);
    const auto entries = histogram.Entries();
    EXPECT_LE(entries.size(), DurationHistogram::kExactMax);
    EXPECT_GE(entries.size(), 40U);
    double count = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      count += entries[i].count;
      if (i == 0) continue;
      EXPECT_GT(entries[i].seconds, entries[i - 1].seconds);
    }
    EXPECT_DOUBLE_EQ(count, static_cast<double>(values_count));
  }
}

TEST(DurationHistogram, HoldsExtremes) {
  DurationHistogram histogram;
  EXPECT_TRUE(histogram.empty());
  EXPECT_EQ(histogram.QuantileNs(0.5), 0);
  EXPECT_TRUE(histogram.Entries().empty());
  histogram.Add(-5, 1);
  EXPECT_EQ(histogram.QuantileNs(0.5), 0);
  histogram.Add(INT64_MAX, 8);
  EXPECT_NEAR(static_cast<double>(histogram.QuantileNs(0.5)), 9.22e18, 0.02 * 9.22e18);
  EXPECT_FALSE(histogram.empty());
}

void ExpectSame(const DurationHistogram& a, const DurationHistogram& b) {
  const auto left = a.Entries();
  const auto right = b.Entries();
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_DOUBLE_EQ(left[i].seconds, right[i].seconds);
    EXPECT_DOUBLE_EQ(left[i].count, right[i].count);
  }
  for (const double q : {0.1, 0.5, 0.95}) EXPECT_EQ(a.QuantileNs(q), b.QuantileNs(q));
}

TEST(Statistics, MergingEqualsAdding) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    Statistics whole;
    Statistics parts[3];
    for (std::uint64_t i = rng.Below(400); i > 0; --i) {
      const auto outcome = static_cast<Outcome>(rng.Below(4));
      const std::int64_t ns = RandomDuration(rng);
      const double weight = rng.Chance(0.7) ? 1 : 8;
      whole.Add(outcome, ns, weight);
      parts[rng.Below(3)].Add(outcome, ns, weight);
    }
    parts[0].Merge(parts[2]);
    parts[1].Merge(parts[0]);
    EXPECT_EQ(parts[1].ok, whole.ok) << seed;
    EXPECT_EQ(parts[1].error, whole.error);
    EXPECT_EQ(parts[1].throttle, whole.throttle);
    EXPECT_EQ(parts[1].fault, whole.fault);
    EXPECT_EQ(parts[1].response_ns, whole.response_ns);
    EXPECT_NEAR(parts[1].response_seconds, whole.response_seconds, 1e-6 * whole.response_seconds);
    ExpectSame(parts[1].histogram, whole.histogram);
  }
}

TEST(Statistics, TotalsAreTheSumOfTheClasses) {
  Statistics statistics;
  statistics.Add(Outcome::kOk, 5 * kMs, 1);
  statistics.Add(Outcome::kError, 15 * kMs, 1);
  statistics.Add(Outcome::kThrottle, 157 * kMs, 2);
  statistics.Add(Outcome::kFault, 96 * kMs, 1);
  statistics.Count(Outcome::kOk, 3);
  EXPECT_EQ(statistics.ok, 4);
  EXPECT_EQ(statistics.total(), 8);
  EXPECT_DOUBLE_EQ(statistics.response_seconds, 0.43);
  EXPECT_EQ(statistics.response_ns, 430 * kMs);
  double counted = 0;
  for (const auto& entry : statistics.histogram.Entries()) counted += entry.count;
  EXPECT_EQ(counted, 5);
}

TEST(Statistics, SumsOfTimesStopAtTheirBound) {
  Statistics statistics;
  for (int i = 0; i < 3; ++i) statistics.Add(Outcome::kOk, INT64_MAX / 2, 1);
  EXPECT_EQ(statistics.response_ns, INT64_MAX);
  statistics.Merge(statistics);
  EXPECT_EQ(statistics.response_ns, INT64_MAX);
  EXPECT_EQ(statistics.ok, 6);
}

}  // namespace
}  // namespace fluoro::analysis
