#include "sampling/what_if.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/rng.h"

namespace fluoro::sampling {
namespace {

// Against judging each trace and adding up by hand.
TEST(WhatIf, AddsUpWhatEachPolicyWouldKeep) {
  Rng rng(5);
  const TailPolicies policies = BiasedTailPolicies();
  WhatIf what_if;
  TailTraffic traffic;
  struct One {
    std::array<std::uint8_t, 16> id;
    TailFacts facts;
    std::uint64_t spans, bytes;
  };
  std::vector<One> traces;
  for (int i = 0; i < 5'000; ++i) {
    One& one = traces.emplace_back();
    const std::uint64_t halves[2] = {rng.Next(), rng.Next()};
    std::memcpy(one.id.data(), halves, sizeof(halves));
    one.facts.start_ns = one.facts.arrival_ns =
        1'700'000'000'000'000'000 + static_cast<std::int64_t>(rng.Below(3'000'000'000'000));
    one.facts.route = rng.Below(5);
    one.facts.shape = rng.Chance(0.99) ? 1 : rng.Next();
    one.facts.duration_bucket = static_cast<std::int16_t>(rng.Below(200));
    one.facts.outcomes =
        rng.Chance(0.05) ? static_cast<std::uint8_t>(1U << rng.Below(4)) : std::uint8_t{0};
    one.spans = 1 + rng.Below(9);
    one.bytes = one.spans * 40;
    traffic.Add(one.facts);
    what_if.Add(one.id, one.facts, one.spans, rng.Chance(0.3) ? 0 : one.bytes);
  }
  const WhatIfResult result = what_if.Run(policies);
  TailJudge judge(policies, traffic);
  WhatIfCount seen;
  WhatIfCount kept;
  std::vector<std::uint64_t> taken(5);
  for (const One& one : traces) {
    const TailDecision decision = judge.Judge(one.id, one.facts);
    ++seen.traces;
    seen.bytes += one.bytes;
    ++taken[decision.policy.value_or(4)];
    if (!decision.keep) continue;
    ++kept.traces;
    kept.spans += one.spans;
    kept.bytes += one.bytes;
  }
  EXPECT_EQ(result.seen.traces, seen.traces);
  EXPECT_EQ(result.seen.bytes, seen.bytes) << "bytes that are not known are those of the others";
  EXPECT_EQ(result.kept.traces, kept.traces);
  EXPECT_EQ(result.kept.spans, kept.spans);
  EXPECT_EQ(result.kept.bytes, kept.bytes);
  ASSERT_EQ(result.policies.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(result.policies[i].taken.traces, taken[i]) << i;
  EXPECT_EQ(result.policies[4].name, "unmatched");
  for (const auto& one : result.classes) {
    EXPECT_EQ(one.kept, one.seen) << one.name << ": all that is bad, slow and rare";
    EXPECT_GT(one.seen, 0U) << one.name;
  }
  EXPECT_LT(kept.traces, seen.traces / 4);
  EXPECT_NEAR(result.weight, static_cast<double>(seen.traces), 1'500);
}

TEST(WhatIf, OfNothingIsNothing) {
  const WhatIfResult result = WhatIf().Run({});
  EXPECT_EQ(result.seen.traces, 0U);
  ASSERT_EQ(result.policies.size(), 1U);
}

}  // namespace
}  // namespace fluoro::sampling
