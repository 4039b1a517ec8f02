#include "rollup/pending_samples.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/clock.h"
#include "base/rng.h"
#include "rollup/counts.h"
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

TEST(DurationCounts, TakesManyAsOneByOne) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const bool few = rng.Chance(0.5);
    DurationCounts one_by_one, together;
    for (int part = 0; part < 4; ++part) {
      std::vector<DurationCounts::Times> times(rng.Below(200));
      for (auto& one : times) {
        one = {.duration_ns = RandomNs(rng, few) - (rng.Chance(0.05) ? kNsPerSecond : 0),
               .count = static_cast<std::int64_t>(rng.Below(5)) - 1};
        one_by_one.Add(one.duration_ns, one.count);
      }
      together.Add(times);
      ASSERT_EQ(testing::Print(together), testing::Print(one_by_one)) << "seed " << seed;
    }
  }
}

Measured RandomMeasured(Rng& rng, bool few) {
  const auto start_ns = static_cast<std::int64_t>(rng.Below(1'000'000));
  Measured measured{.start_ns = start_ns,
                    .end_ns = start_ns + RandomNs(rng, few) / 4,
                    .outcome = static_cast<model::Outcome>(rng.Below(4)),
                    .in_progress = rng.Chance(0.05)};
  if (measured.in_progress) measured.end_ns = start_ns;
  return measured;
}

// Adds the same to each.
void AddRandom(Rng& rng, std::uint32_t keys, bool few, std::span<Rollup::Sink* const> sinks) {
  const auto key = [&] { return static_cast<KeyId>(rng.Below(keys)); };
  const Measured measured = RandomMeasured(rng, few);
  if (rng.Chance(0.5)) {
    const NodeSample sample{
        .key = key(),
        .inferred = rng.Chance(0.3),
        .measured = measured,
        .last_end_ns = rng.Chance(0.02) ? measured.end_ns + 5'000'000 : INT64_MIN};
    for (Rollup::Sink* sink : sinks) sink->Add(sample);
    return;
  }
  EdgeSample sample{.from = key(),
                    .to = key(),
                    .from_client = rng.Chance(0.2),
                    .link = rng.Chance(0.2),
                    .measured = measured,
                    .age_ns = RandomNs(rng, few),
                    .alias = rng.Chance(0.2) ? static_cast<TextId>(1 + rng.Below(2)) : TextId{0}};
  for (Rollup::Sink* sink : sinks) sink->Add(sample);
}

// Far more keys than have a near place, and series beyond the limit, among them.
TEST(PendingSamples, MakeTheSameRollup) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const bool few = rng.Chance(0.5);
    const auto keys_count = static_cast<std::uint32_t>(std::array{2, 20, 400}[rng.Below(3)]);
    const RollupLimits limits{.series_per_period_max = rng.Chance(0.3) ? 50U : 100'000U};
    KeyTable keys;
    for (std::uint32_t i = 0; i < keys_count; ++i)
      keys.Find(model::ServiceKey{.name = "s" + std::to_string(i), .type = "", .account_id = ""});
    const std::int64_t period_ns = rng.Chance(0.3) ? kMinuteNs : 0;
    // One long period is the same as none, but has no near places.
    Rollup direct(period_ns == 0 ? INT64_MAX / 2 : period_ns, limits);
    Rollup later(period_ns, limits);
    Rollup::Sink direct_plus(direct, keys), direct_minus(direct, keys);
    Rollup::Sink later_plus(later, keys), later_minus(later, keys);
    PendingSamples pending(later);
    later_plus.set_pending(&pending);
    later_minus.set_pending(&pending);
    direct_minus.set_sign(-1);
    later_minus.set_sign(-1);
    const std::array plus{&direct_plus, &later_plus};
    const std::array minus{&direct_minus, &later_minus};
    const int samples = seed == 1 ? 100'000 : 3'000;  // once, more than it holds
    for (int i = 0; i < samples; ++i) {
      const auto weight = rng.Chance(0.1) ? std::int64_t{20} : std::int64_t{1};
      for (Rollup::Sink* sink : plus) sink->set_sign(weight);
      AddRandom(rng, keys_count, few, rng.Chance(0.1) ? minus : plus);
    }
    pending.Settle();
    ASSERT_EQ(testing::Print(later), testing::Print(direct)) << "seed " << seed;
    EXPECT_EQ(later.crowded_out(), direct.crowded_out());
  }
}

}  // namespace
}  // namespace fluoro::rollup
