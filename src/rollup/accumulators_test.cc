#include "rollup/accumulators.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/clock.h"
#include "base/rng.h"
#include "rollup/counts.h"
#include "rollup/duration_buckets.h"
#include "rollup/rollup.h"
#include "rollup/testing.h"

namespace fluoro::rollup {
namespace {

std::int64_t RandomNs(Rng& rng, bool few) {
  if (few) return static_cast<std::int64_t>(rng.Below(60)) * kNsPerMs;
  return static_cast<std::int64_t>(rng.Next() >> (1 + rng.Below(63)));
}

TEST(DurationCounts, BucketsFollowTheirFormula) {
  const double log_width = std::log(1.04);
  const auto expect = [&](std::int64_t microseconds) {
    const auto wanted = static_cast<std::int16_t>(
        std::floor(std::log(static_cast<double>(microseconds) + 1) / log_width));
    ASSERT_EQ(BucketOf(microseconds * kNsPerUs), wanted) << microseconds;
  };
  for (std::int64_t us = 0; us < 300'000; ++us) expect(us);
  Rng rng(1);
  for (int i = 0; i < 100'000; ++i) expect(RandomNs(rng, false) / kNsPerUs);
}

// A place for each, beyond those that are looked at.
TEST(DurationCounts, TakesManyAsOneByOne) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    DurationCounts one_by_one, together;
    for (int part = 0; part < 4; ++part) {
      std::vector<std::uint32_t> buckets(400), milliseconds(150);
      const std::uint64_t ms_max = rng.Chance(0.5) ? 60 : 150;
      for (std::uint64_t i = rng.Below(300); i > 0; --i) {
        const auto ms = static_cast<std::int64_t>(rng.Below(ms_max));
        const auto count = static_cast<std::uint32_t>(1 + rng.Below(3));
        one_by_one.Add(ms * kNsPerMs, count);
        buckets[static_cast<std::size_t>(BucketOf(ms * kNsPerMs))] += count;
        milliseconds[static_cast<std::size_t>(ms)] += count;
      }
      together.Add(buckets, milliseconds);
      ASSERT_EQ(testing::Print(together), testing::Print(one_by_one)) << "seed " << seed;
    }
  }
}

struct Shape {
  std::uint32_t keys = 2;
  bool few = false;      // different times
  double second = 0.02;  // share of nodes with work after the answer
};

SpanSample RandomSample(Rng& rng, const Shape& shape) {
  SpanSample sample;
  sample.start_ns = static_cast<std::int64_t>(rng.Below(1'000'000));
  sample.end_ns = sample.start_ns + RandomNs(rng, shape.few) / 4;
  sample.outcome = static_cast<model::Outcome>(rng.Below(4));
  sample.in_progress = rng.Chance(0.05);
  if (sample.in_progress) sample.end_ns = sample.start_ns;
  sample.to = static_cast<KeyId>(rng.Below(shape.keys));
  sample.from = static_cast<KeyId>(rng.Below(shape.keys));
  sample.from_client = rng.Chance(0.2);
  sample.inferred = rng.Chance(0.3);
  sample.is_node = rng.Chance(0.7);
  sample.is_edge = !sample.is_node || rng.Chance(0.5);
  sample.link = !sample.is_node && rng.Chance(0.3);
  if (sample.is_edge && rng.Chance(0.2)) sample.alias = static_cast<TextId>(1 + rng.Below(2));
  sample.other_ns = sample.end_ns - sample.start_ns;
  if (sample.link) sample.other_ns = RandomNs(rng, shape.few);
  if (sample.is_node && rng.Chance(shape.second))
    sample.other_ns += rng.Chance(0.1) ? 2'000 * kNsPerSecond : RandomNs(rng, shape.few) / 4;
  return sample;
}

// The first row in which they differ; empty: none.
std::string Difference(const Rollup& a, const Rollup& b) {
  const auto rows_a = testing::Print(a);
  const auto rows_b = testing::Print(b);
  for (const auto& [key, value] : rows_b) {
    const auto at = rows_a.find(key);
    if (at == rows_a.end()) return key + " is missing";
    if (at->second != value) return key + "\n" + at->second + "\n" + value;
  }
  return rows_a.size() == rows_b.size() ? "" : "there are rows too many";
}

// Far more keys than have a near place, more series than have sums at a time and series beyond the
// limit, samples that are taken away and such that count so often that sums run full among them.
TEST(Accumulators, MakeTheSameRollup) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    const Shape shape{.keys = static_cast<std::uint32_t>(std::array{2, 20, 60, 400}[rng.Below(4)]),
                      .few = rng.Chance(0.5),
                      .second = rng.Chance(0.5) ? 0.02 : 0.0};
    const double taken_away = rng.Chance(0.5) ? 0 : rng.Chance(0.5) ? 0.1 : 0.001;
    const RollupLimits limits{.series_per_period_max = rng.Chance(0.2) ? 50U : 100'000U};
    KeyTable keys;
    for (std::uint32_t i = 0; i < shape.keys; ++i)
      keys.Find(model::ServiceKey{.name = "s" + std::to_string(i), .type = "", .account_id = ""});
    const bool is_long = seed <= 8;
    const std::int64_t period_ns = (is_long ? seed % 4 != 0 : rng.Chance(0.3)) ? kMinuteNs : 0;
    Rollup direct(period_ns, limits);
    Rollup summed(period_ns, limits);
    Rollup::Sink summed_plus(summed, keys), summed_minus(summed, keys);
    Accumulators accumulators(summed);
    summed_plus.set_accumulators(&accumulators);
    summed_minus.set_accumulators(&accumulators);
    const std::array<RollupWindow, 2> windows{
        RollupWindow{.from_ns = 1'000, .until_ns = 60'000'000},
        RollupWindow{.from_ns = 70'000'000, .until_ns = INT64_MAX}};
    const std::size_t windows_count = rng.Below(3);
    summed_plus.set_windows(std::span(windows).first(windows_count));
    summed_minus.set_sign(-1);
    std::vector<SpanSample> samples;
    const bool moves = is_long || rng.Chance(0.5);
    std::int64_t minute = 0;
    for (int left = is_long ? 60'000 : 3'000; left > 0; left -= static_cast<int>(samples.size())) {
      samples.resize(1 + rng.Below(64));
      // Minute by minute, now and then with some of the next.
      if (moves && rng.Chance(0.005)) ++minute;
      const double next = rng.Chance(0.02) ? 0.3 : 0;
      for (SpanSample& sample : samples) {
        sample = RandomSample(rng, shape);
        const std::int64_t later_ns = (minute + (rng.Chance(next) ? 1 : 0)) * kMinuteNs;
        if (!moves || sample.end_ns > INT64_MAX / 2) continue;
        sample.start_ns += later_ns;
        sample.end_ns += later_ns;
      }
      const bool minus = rng.Chance(taken_away);
      const std::int64_t weight = std::array<std::int64_t, 5>{1, 1, 20, 1'024, 5'000}[rng.Below(5)];
      summed_plus.set_sign(weight);
      {
        // A sink of its own knows no cells by number.
        Rollup::Sink direct_sink(direct, keys);
        if (!minus) direct_sink.set_windows(std::span(windows).first(windows_count));
        direct_sink.set_sign(minus ? -1 : weight);
        for (const SpanSample& sample : samples) {
          if (sample.is_node) direct_sink.Add(sample.node());
          if (sample.is_edge) direct_sink.Add(sample.edge());
        }
      }
      Rollup::Sink& to = minus ? summed_minus : summed_plus;
      if (rng.Chance(0.1)) {
        to.SampleSink::AddAll(samples);  // one by one
      } else {
        to.AddAll(samples);
      }
      if (rng.Chance(0.01)) accumulators.Settle();
    }
    accumulators.Settle();
    ASSERT_EQ(Difference(summed, direct), "") << "seed " << seed;
    EXPECT_EQ(summed.crowded_out(), direct.crowded_out());
    EXPECT_EQ(summed.first_ns(), direct.first_ns());
    EXPECT_EQ(summed.last_ns(), direct.last_ns());
  }
}

}  // namespace
}  // namespace fluoro::rollup
