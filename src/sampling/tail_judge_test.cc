#include "sampling/tail_judge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/rng.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

using Id = std::array<std::uint8_t, 16>;

Id RandomId(Rng& rng) {
  Id id;
  const std::uint64_t halves[2] = {rng.Next(), rng.Next()};
  std::memcpy(id.data(), halves, sizeof(halves));
  return id;
}

TailFacts Facts(std::uint64_t route, std::int16_t bucket, std::uint64_t shape = 1,
                std::int64_t after_s = 0) {
  TailFacts facts;
  facts.start_ns = facts.arrival_ns = kStart + after_s * kSecond;
  facts.route = route;
  facts.shape = shape;
  facts.duration_bucket = bucket;
  return facts;
}

TailFacts RandomFacts(Rng& rng) {
  TailFacts facts = Facts(rng.Below(20), static_cast<std::int16_t>(rng.Below(300)),
                          rng.Chance(0.99) ? rng.Below(5) : rng.Below(10'000),
                          static_cast<std::int64_t>(rng.Below(3'000)));
  facts.outcomes =
      rng.Chance(0.03) ? static_cast<std::uint8_t>(1U << rng.Below(4)) : std::uint8_t{0};
  facts.filters = rng.Next();
  return facts;
}

TailPolicy Policy(std::string name, double keep) {
  TailPolicy policy;
  policy.name = std::move(name);
  policy.keep = keep;
  return policy;
}

TEST(TailJudge, TheFirstPolicyThatTakesATraceDecides) {
  TailPolicies policies;
  policies.policies = {Policy("bad", 1), Policy("gold", 1), Policy("none", 0)};
  policies.policies[0].outcomes = kTailFault | kTailTimeout;
  policies.policies[1].filter = "annotation.tenant = \"acme\"";
  const TailTraffic traffic;
  TailJudge judge(policies, traffic);
  TailFacts facts;
  facts.outcomes = kTailTimeout;
  EXPECT_EQ(judge.Judge({}, facts).policy, 0U);
  facts.outcomes = kTailThrottle;
  EXPECT_EQ(judge.Judge({}, facts).policy, 2U);
  EXPECT_FALSE(judge.Judge({}, facts).keep);
  facts.filters = 1U << 1;
  EXPECT_EQ(judge.Judge({}, facts).policy, 1U);
  EXPECT_TRUE(judge.Judge({}, facts).keep);
}

TEST(TailJudge, WhatNoPolicyTakesIsKept) {
  TailPolicies policies;
  policies.policies = {Policy("bad", 0)};
  policies.policies[0].outcomes = kTailFault;
  const TailTraffic traffic;
  const TailDecision decision = TailJudge(policies, traffic).Judge({}, {});
  EXPECT_TRUE(decision.keep);
  EXPECT_EQ(decision.probability, 1);
  EXPECT_EQ(decision.policy, std::nullopt);
}

TEST(TailJudge, AllConditionsOfAPolicyMustHold) {
  TailPolicies policies;
  policies.policies = {Policy("both", 1), Policy("none", 0)};
  policies.policies[0].outcomes = kTailError;
  policies.policies[0].filter = "x";
  const TailTraffic traffic;
  TailJudge judge(policies, traffic);
  TailFacts facts;
  facts.outcomes = kTailError;
  EXPECT_FALSE(judge.Judge({}, facts).keep);
  facts.filters = 1;
  EXPECT_TRUE(judge.Judge({}, facts).keep);
}

// Against a sorted list.
TEST(TailTraffic, GivesTheQuantileOfEachRoute) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    TailTraffic traffic;
    std::map<std::uint64_t, std::vector<std::int16_t>> model;
    for (std::uint64_t i = 1 + rng.Below(400); i > 0; --i) {
      const TailFacts facts = RandomFacts(rng);
      traffic.Add(facts);
      model[facts.route].push_back(facts.duration_bucket);
    }
    for (auto& [route, durations] : model) {
      std::ranges::sort(durations);
      for (const double q : {0.01, 0.5, 0.9, 0.99}) {
        const auto rank =
            static_cast<std::size_t>(std::floor(q * static_cast<double>(durations.size() - 1)));
        EXPECT_EQ(traffic.QuantileOf(route, q), durations[rank]) << "seed " << seed;
      }
    }
    EXPECT_EQ(traffic.QuantileOf(999, 0.5), std::nullopt);
  }
}

TEST(TailJudge, OneInAHundredIsSlowAndOfAFewTheSlowest) {
  TailTraffic traffic;
  for (std::int16_t i = 0; i < 200; ++i) traffic.Add(Facts(1, i));
  for (const std::int16_t bucket : std::initializer_list<std::int16_t>{10, 10, 90})
    traffic.Add(Facts(2, bucket));
  for (int i = 0; i < 50; ++i) traffic.Add(Facts(3, 7));
  const TailPolicies policies;
  TailJudge judge(policies, traffic);
  EXPECT_FALSE(judge.IsSlow(Facts(1, 197), 0.99));
  EXPECT_TRUE(judge.IsSlow(Facts(1, 198), 0.99));
  EXPECT_TRUE(judge.IsSlow(Facts(2, 90), 0.99));
  EXPECT_FALSE(judge.IsSlow(Facts(2, 10), 0.99));
  EXPECT_FALSE(judge.IsSlow(Facts(3, 7), 0.99)) << "all alike";
  EXPECT_FALSE(judge.IsSlow(Facts(4, 7), 0.99)) << "never seen";
}

TEST(TailTraffic, CountsShapesAnHourAndForgets) {
  TailTraffic traffic;
  for (int i = 0; i < 4; ++i) traffic.Add(Facts(1, 1, 7));
  EXPECT_EQ(traffic.SeenPerHour(7), 4) << "ten minutes count as an hour";
  for (int i = 0; i < 4; ++i) traffic.Add(Facts(1, 1, 7, 7'199));
  EXPECT_LE(*traffic.SeenPerHour(7), 4.0);
  EXPECT_GT(*traffic.SeenPerHour(7), 3.5);
  traffic.Forget(kStart + 3'600 * kSecond);
  EXPECT_EQ(traffic.SeenPerHour(7), 4);
  EXPECT_EQ(traffic.SeenPerHour(8), std::nullopt);
}

TEST(TailTraffic, IsBounded) {
  TailTraffic traffic;
  for (std::uint64_t i = 0; i < TailTraffic::kShapesMax + 500; ++i) traffic.Add(Facts(i, 1, i));
  EXPECT_EQ(traffic.crowded_out(), TailTraffic::kShapesMax + 500 - TailTraffic::kRoutesMax);
  EXPECT_EQ(traffic.SeenPerHour(TailTraffic::kShapesMax + 1), std::nullopt);
  const TailPolicies policies;
  EXPECT_FALSE(TailJudge(policies, traffic).IsRare(Facts(0, 1, TailTraffic::kShapesMax + 1), 10));
}

TEST(TailJudge, ABucketTakesSoManyASecondOfEachRouteAndOutcome) {
  TailPolicies policies;
  policies.policies = {Policy("bad", 1), Policy("rest", 0)};
  policies.policies[0].outcomes = kTailFault | kTailError;
  policies.policies[0].per_second = 2;
  const TailTraffic traffic;
  TailJudge judge(policies, traffic);
  const auto kept = [&](std::uint64_t route, TailOutcome outcome, std::int64_t after_s) {
    int count = 0;
    for (int i = 0; i < 10; ++i) {
      TailFacts facts = Facts(route, 1, 1, after_s);
      facts.outcomes = outcome;
      count += judge.Judge({}, facts).keep ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(kept(1, kTailFault, 0), 2);
  EXPECT_EQ(kept(1, kTailError, 0), 2) << "a class of its own";
  EXPECT_EQ(kept(2, kTailFault, 0), 2) << "a route of its own";
  EXPECT_EQ(kept(1, kTailFault, 0), 0);
  EXPECT_EQ(kept(1, kTailFault, 1), 2);
  EXPECT_EQ(kept(1, kTailFault, 100), 2) << "no more than a second's";
}

// Every node that sees the same traffic decides alike, whatever the order of what it sees.
TEST(TailJudge, EveryNodeAgrees) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    const TailPolicies policies = BiasedTailPolicies();
    std::vector<std::pair<Id, TailFacts>> traces;
    for (int i = 0; i < 3'000; ++i) traces.emplace_back(RandomId(rng), RandomFacts(rng));
    std::map<Id, bool> decided;
    for (int node = 0; node < 2; ++node) {
      TailTraffic traffic;
      for (const auto& [id, facts] : traces) traffic.Add(facts);
      TailJudge judge(policies, traffic);
      for (const auto& [id, facts] : traces) {
        const bool keep = judge.Judge(id, facts).keep;
        EXPECT_EQ(decided.try_emplace(id, keep).first->second, keep) << "seed " << seed;
      }
      std::ranges::reverse(traces);
    }
  }
}

// What is kept, each trace weighted by 1 / probability, stands for all: in number, in duration and
// in each class, buckets and several fractions included.
TEST(TailJudge, WeightsAreUnbiased) {
  TailPolicies policies = BiasedTailPolicies();
  TailPolicy gold = Policy("gold", 0.5);
  gold.filter = "annotation.tenant = \"acme\"";
  policies.policies.insert(policies.policies.begin() + 1, gold);
  policies.policies[0].per_second = 0.1;
  Rng rng(2026);
  std::vector<std::pair<Id, TailFacts>> traces;
  for (int i = 0; i < 100'000; ++i) {
    traces.emplace_back(RandomId(rng), RandomFacts(rng));
    traces.back().second.filters = rng.Chance(0.2) ? 2 : 0;
  }
  std::ranges::sort(traces, {}, [](const auto& trace) { return trace.second.start_ns; });
  TailTraffic traffic;
  for (const auto& [id, facts] : traces) traffic.Add(facts);
  TailJudge judge(policies, traffic);
  double all = 0;
  double all_durations = 0;
  double sum = 0;
  double durations = 0;
  double variance = 0;
  std::size_t kept = 0;
  for (const auto& [id, facts] : traces) {
    const TailDecision decision = judge.Judge(id, facts);
    all += 1;
    all_durations += facts.duration_bucket;
    variance += (1 - decision.probability) / decision.probability;
    if (!decision.keep) continue;
    ++kept;
    sum += 1 / decision.probability;
    durations += facts.duration_bucket / decision.probability;
  }
  EXPECT_LT(kept, traces.size() / 4);
  EXPECT_NEAR(sum, all, 4 * std::sqrt(variance));
  EXPECT_NEAR(durations, all_durations, 4 * 300 * std::sqrt(variance));
  EXPECT_LT(4 * std::sqrt(variance) / all, 0.06) << "or the test says nothing";
}

}  // namespace
}  // namespace fluoro::sampling
