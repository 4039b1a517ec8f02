#include "sampling/quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "base/rng.h"

namespace fluoro::sampling {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kNow = 1'530'922'806 * kNsPerSecond;

Rule WithReservoir(std::int32_t reservoir) {
  Rule rule;
  rule.name = "r";
  rule.reservoir = reservoir;
  rule.fixed_rate = 0.1;
  return rule;
}

Report From(std::string client, std::int64_t requests, std::int64_t now_ns) {
  return {.client_id = std::move(client), .timestamp_ns = now_ns, .request_count = requests};
}

std::int64_t Sum(const std::vector<std::int32_t>& shares) {
  return std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
}

// One unit at a time, as the rule is told in words.
std::vector<std::int32_t> NaiveMaxMinFair(std::int32_t reservoir,
                                          const std::vector<double>& demands) {
  std::vector<std::int32_t> shares(demands.size(), 0);
  const auto give = [&](bool only_wanting) {
    std::size_t best = demands.size();
    for (std::size_t i = 0; i < demands.size(); ++i) {
      if (only_wanting && shares[i] >= std::ceil(demands[i])) continue;
      if (best == demands.size() || shares[i] < shares[best] ||
          (shares[i] == shares[best] && demands[i] > demands[best])) {
        best = i;
      }
    }
    if (best == demands.size()) return false;
    ++shares[best];
    return true;
  };
  std::int32_t left = reservoir;
  while (left > 0 && give(true)) --left;
  const std::vector<std::int32_t> met = shares;
  std::fill(shares.begin(), shares.end(), 0);
  while (left > 0 && give(false)) --left;
  for (std::size_t i = 0; i < shares.size(); ++i) shares[i] += met[i];
  return shares;
}

TEST(MaxMinFair, FollowsTheTable) {
  EXPECT_THAT(MaxMinFair(10, {1, 100}, 0), ElementsAre(1, 9));
  EXPECT_THAT(MaxMinFair(5, {1, 1}, 0), ElementsAre(3, 2));
  EXPECT_THAT(MaxMinFair(5, {50, 50}, 0), ElementsAre(3, 2));
  EXPECT_THAT(MaxMinFair(10, {0}, 0), ElementsAre(10));
  EXPECT_THAT(MaxMinFair(0, {3, 4}, 0), ElementsAre(0, 0));
  EXPECT_THAT(MaxMinFair(-1, {3}, 0), ElementsAre(0));
  EXPECT_THAT(MaxMinFair(7, {}, 0), ElementsAre());
  EXPECT_THAT(MaxMinFair(10, {2.1, 9, 9}, 0), ElementsAre(3, 4, 3));
  EXPECT_THAT(MaxMinFair(3, {0, 5, 0, 0, 0}, 0), ElementsAre(0, 3, 0, 0, 0));
  EXPECT_THAT(MaxMinFair(INT32_MAX, {1e300, 1e300}, 0),
              ElementsAre(INT32_MAX / 2 + 1, INT32_MAX / 2));
  EXPECT_THAT(MaxMinFair(2, {std::nan(""), 1}, 0), ElementsAre(0, 2));
}

TEST(MaxMinFair, AgreesWithGivingOneUnitAtATime) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Rng rng(seed);
    std::vector<double> demands(1 + rng.Below(12));
    for (double& demand : demands) demand = static_cast<double>(rng.Below(80)) / 4.0;
    const auto reservoir = static_cast<std::int32_t>(demands.size() + rng.Below(120));
    EXPECT_EQ(MaxMinFair(reservoir, demands, static_cast<std::int64_t>(seed)),
              NaiveMaxMinFair(reservoir, demands))
        << "seed " << seed;
  }
}

TEST(MaxMinFair, RotatesWhereThereAreMoreClientsThanUnits) {
  for (std::size_t clients = 2; clients < 12; ++clients) {
    for (std::int32_t reservoir = 1; reservoir < static_cast<std::int32_t>(clients); ++reservoir) {
      for (const double demand : {0.0, 3.0}) {
        std::vector<std::int32_t> served(clients, 0);
        for (std::int64_t rotation = 7; rotation < 7 + static_cast<std::int64_t>(clients);
             ++rotation) {
          const auto shares = MaxMinFair(reservoir, std::vector<double>(clients, demand), rotation);
          EXPECT_EQ(Sum(shares), reservoir);
          for (std::size_t i = 0; i < clients; ++i) served[i] += shares[i];
        }
        EXPECT_THAT(served, ::testing::Each(::testing::Ge(1)));
      }
    }
  }
}

TEST(QuotaAssigner, GivesALoneClientTheWholeReservoir) {
  QuotaAssigner assigner;
  const Target target = assigner.Accept(WithReservoir(10), From("c", 5, kNow), kNow);
  EXPECT_EQ(target, (Target{.fixed_rate = 0.1,
                            .reservoir_quota = 10,
                            .reservoir_quota_ttl_s = 1'530'922'806 + 300,
                            .interval_s = 10}));
}

TEST(QuotaAssigner, GivesNothingOfAnEmptyReservoir) {
  QuotaAssigner assigner;
  EXPECT_EQ(assigner.Accept(WithReservoir(0), From("c", 50, kNow), kNow).reservoir_quota, 0);
}

TEST(QuotaAssigner, SplitsFiveOverTwoEqualClientsFromTheThirdReportOn) {
  QuotaAssigner assigner;
  std::int32_t a = 0;
  std::int32_t b = 0;
  for (std::int64_t round = 0; round < 6; ++round) {
    const std::int64_t now = kNow + round * 10 * kNsPerSecond;
    a = assigner.Accept(WithReservoir(5), From("a", 100, now), now).reservoir_quota;
    b = assigner.Accept(WithReservoir(5), From("b", 100, now), now).reservoir_quota;
    if (round == 0) {
      EXPECT_EQ(a, 5);
      EXPECT_EQ(b, 0);
    }
    if (round >= 2) {
      EXPECT_EQ(a, 3) << round;
      EXPECT_EQ(b, 2) << round;
    }
  }
}

TEST(QuotaAssigner, FollowsAtOnceAChangeThatChanceDoesNotMake) {
  QuotaAssigner assigner;
  const Rule rule = WithReservoir(100);
  std::int64_t now = kNow;
  const auto round = [&](std::int64_t a, std::int64_t b) {
    now += 10 * kNsPerSecond;
    const std::int64_t later = now + 3 * kNsPerSecond;
    const auto first = assigner.Accept(rule, From("a", a, now), now).reservoir_quota;
    return std::pair(first, assigner.Accept(rule, From("b", b, later), later).reservoir_quota);
  };
  for (int i = 0; i < 4; ++i) round(1'000, 1'000);
  EXPECT_EQ(round(1'000, 1'000), std::pair(50, 50));
  EXPECT_EQ(round(10, 1'000), std::pair(1, 99));
  round(1'000, 1'000);
  EXPECT_EQ(round(1'000, 1'000), std::pair(50, 50));
  // 200 requests become 220 by chance: half of that is believed.
  for (int i = 0; i < 12; ++i) round(1'000, 200);
  EXPECT_EQ(round(1'000, 200), std::pair(80, 20));
  round(1'000, 220);
  EXPECT_EQ(round(1'000, 200).first, 79);
}

TEST(QuotaAssigner, GivesOnWhatIsReturnedAfterTwoSeconds) {
  for (const std::int64_t wait_ns : {2 * kNsPerSecond - 1, 2 * kNsPerSecond}) {
    QuotaAssigner assigner;
    const Rule rule = WithReservoir(10);
    assigner.Accept(rule, From("a", 100, kNow), kNow);
    assigner.Accept(rule, From("b", 100, kNow), kNow);
    const std::int64_t returned = kNow + 10 * kNsPerSecond;
    EXPECT_EQ(assigner.Accept(rule, From("a", 100, returned), returned).reservoir_quota, 5);
    const std::int64_t asked = returned + wait_ns;
    EXPECT_EQ(assigner.Accept(rule, From("b", 100, asked), asked).reservoir_quota,
              wait_ns < 2 * kNsPerSecond ? 0 : 5);
  }
}

TEST(QuotaAssigner, LeavesAnOddUnitWhereItIsWhileDemandsAreMuchTheSame) {
  QuotaAssigner assigner;
  const Rule rule = WithReservoir(3);
  for (std::int64_t round = 0; round < 20; ++round) {
    const std::int64_t now = kNow + round * 10 * kNsPerSecond;
    const std::int64_t later = now + 5 * kNsPerSecond;
    const std::int64_t more = round % 2 == 0 ? 30 : -30;
    const auto a = assigner.Accept(rule, From("a", 500 - more, now), now).reservoir_quota;
    const auto b = assigner.Accept(rule, From("b", 500 + more, later), later).reservoir_quota;
    if (round >= 2) {
      EXPECT_EQ(a, 2) << round;
      EXPECT_EQ(b, 1) << round;
    }
  }
}

TEST(QuotaAssigner, AnswersARepeatedReportWithTheSameTarget) {
  QuotaAssigner assigner;
  assigner.Accept(WithReservoir(9), From("a", 40, kNow), kNow);
  assigner.Accept(WithReservoir(9), From("b", 90, kNow), kNow);
  const std::int64_t later = kNow + 10 * kNsPerSecond;
  const Target first = assigner.Accept(WithReservoir(9), From("a", 400, later), later);
  EXPECT_EQ(assigner.Accept(WithReservoir(9), From("a", 400, later), later), first);
  EXPECT_EQ(assigner.Accept(WithReservoir(9), From("a", 400, later), later), first);
  EXPECT_EQ(assigner.clients(), 2U);
}

TEST(QuotaAssigner, ForgetsAClientThirtySecondsSilent) {
  QuotaAssigner assigner;
  assigner.Accept(WithReservoir(4), From("gone", 10, kNow), kNow);
  std::int64_t now = kNow + 30 * kNsPerSecond;
  EXPECT_EQ(assigner.Accept(WithReservoir(4), From("here", 10, now), now).reservoir_quota, 0);
  EXPECT_EQ(assigner.clients(), 2U);
  now += 1;
  EXPECT_EQ(assigner.Accept(WithReservoir(4), From("here", 10, now), now).reservoir_quota, 4);
  EXPECT_EQ(assigner.clients(), 1U);
}

TEST(QuotaAssigner, TakesAnyTimestampAndCount) {
  QuotaAssigner assigner;
  for (const std::int64_t timestamp : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    for (const std::int64_t count : {INT64_MIN, std::int64_t{0}, INT64_MAX}) {
      const Report report{.client_id = "c", .timestamp_ns = timestamp, .request_count = count};
      EXPECT_EQ(assigner.Accept(WithReservoir(3), report, kNow).reservoir_quota, 3);
    }
  }
  EXPECT_EQ(assigner.Accept(WithReservoir(-5), From("c", 1, kNow), kNow).reservoir_quota, 0);
}

TEST(QuotaAssigner, AsksLargeFleetsToReportLessOften) {
  EXPECT_EQ(ReportInterval(0), 10);
  EXPECT_EQ(ReportInterval(1'000), 10);
  EXPECT_EQ(ReportInterval(1'001), 20);
  EXPECT_EQ(ReportInterval(2'500), 30);
  EXPECT_EQ(ReportInterval(90'000), 60);
  QuotaAssigner assigner;
  Target target;
  for (int i = 0; i < 1'001; ++i) {
    target = assigner.Accept(WithReservoir(50), From("c" + std::to_string(i), 10, kNow), kNow);
  }
  EXPECT_EQ(target.interval_s, 20);
}

// A fleet on a virtual clock: every client reports each 10 seconds at its own phase.
class Fleet {
 public:
  Fleet(std::int32_t reservoir, std::uint64_t seed) : rule_(WithReservoir(reservoir)), rng_(seed) {}

  void Join(std::int64_t requests_per_report) {
    clients_["client" + std::to_string(joined_++)] = {
        .requests = requests_per_report,
        .next_ns = now_ns_ + static_cast<std::int64_t>(rng_.Below(10 * kNsPerSecond))};
  }
  void LeaveOne() {
    if (clients_.empty()) return;
    auto it = clients_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(rng_.Below(clients_.size())));
    left_[it->first] = it->second;
    clients_.erase(it);
  }
  void Run(std::int64_t seconds) {
    const std::int64_t until = now_ns_ + seconds * kNsPerSecond;
    while (true) {
      const auto next = std::min_element(
          clients_.begin(), clients_.end(),
          [](const auto& a, const auto& b) { return a.second.next_ns < b.second.next_ns; });
      if (next == clients_.end() || next->second.next_ns > until) break;
      now_ns_ = next->second.next_ns;
      next->second.next_ns += 10 * kNsPerSecond;
      next->second.last_ns = now_ns_;
      next->second.quota =
          assigner_.Accept(rule_, From(next->first, next->second.requests, now_ns_), now_ns_)
              .reservoir_quota;
      next->second.served += next->second.quota > 0 ? 1 : 0;
      CheckNeverPromisesMoreThanTheReservoir();
    }
    now_ns_ = until;
  }
  void CheckNeverPromisesMoreThanTheReservoir() {
    std::int64_t promised = 0;
    for (const auto* group : {&clients_, &left_}) {
      for (const auto& [id, client] : *group) {
        if (client.last_ns != 0 && client.last_ns + 30 * kNsPerSecond >= now_ns_) {
          promised += client.quota;
        }
      }
    }
    ASSERT_LE(promised, rule_.reservoir);
  }
  void CheckFair() {
    std::vector<double> demands;
    std::vector<std::int32_t> quotas;
    for (const auto& [id, client] : clients_) {
      demands.push_back(static_cast<double>(client.requests) / 10.0);
      quotas.push_back(client.quota);
    }
    auto fair = MaxMinFair(rule_.reservoir, demands, now_ns_ / (300 * kNsPerSecond));
    // Who has the odd unit of a tie is another matter.
    for (auto* shares : {&quotas, &fair}) std::sort(shares->begin(), shares->end());
    EXPECT_EQ(quotas, fair);
  }
  void CheckEveryClientWasServed() {
    for (const auto& [id, client] : clients_) EXPECT_GE(client.served, 1) << id;
  }
  void SetReservoir(std::int32_t reservoir) { rule_.reservoir = reservoir; }
  Rng& rng() { return rng_; }
  [[nodiscard]] std::int64_t now_ns() const { return now_ns_; }

 private:
  struct Client {
    std::int64_t requests = 0;
    std::int64_t next_ns = 0;
    std::int64_t last_ns = 0;
    std::int32_t quota = 0;
    int served = 0;
  };
  Rule rule_;
  Rng rng_;
  QuotaAssigner assigner_;
  std::map<std::string, Client> clients_;
  std::map<std::string, Client> left_;
  std::int64_t now_ns_ = 1'800'000'000 * kNsPerSecond;  // a multiple of 300 s
  int joined_ = 0;
};

TEST(QuotaProperty, NeverPromisesMoreThanTheReservoirAndIsFairTwoIntervalsAfterAChange) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng sizes(seed * 77);
    const auto clients = static_cast<int>(1 + sizes.Below(400));
    Fleet fleet(static_cast<std::int32_t>(sizes.Below(1'200)), seed);
    for (int i = 0; i < clients; ++i) {
      fleet.Join(static_cast<std::int64_t>(fleet.rng().Below(200)));
    }
    fleet.Run(40);
    fleet.CheckFair();
    // Newcomers report within an interval, and everybody has his share two intervals later.
    for (int i = 0; i < 20; ++i) fleet.Join(static_cast<std::int64_t>(fleet.rng().Below(900)));
    fleet.Run(30);
    fleet.CheckFair();
    // The dead keep their part for 30 seconds.
    for (int i = 0; i < 25; ++i) fleet.LeaveOne();
    fleet.Run(60);
    fleet.CheckFair();
    if (testing::Test::HasFailure()) break;
  }
}

TEST(QuotaProperty, KeepsItsPromiseUnderConstantComingAndGoing) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Fleet fleet(static_cast<std::int32_t>(20 + seed * 60), seed);
    for (int i = 0; i < 200; ++i) fleet.Join(static_cast<std::int64_t>(fleet.rng().Below(300)));
    for (int minute = 0; minute < 30; ++minute) {
      for (std::uint64_t i = fleet.rng().Below(30); i > 0; --i) fleet.LeaveOne();
      for (std::uint64_t i = fleet.rng().Below(30); i > 0; --i) {
        fleet.Join(static_cast<std::int64_t>(fleet.rng().Below(300)));
      }
      fleet.Run(static_cast<std::int64_t>(1 + fleet.rng().Below(40)));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(QuotaProperty, ServesEachOfManyClientsInTheirTurn) {
  Fleet few(2, 3);
  for (int i = 0; i < 5; ++i) few.Join(50);
  few.Run(5LL * 300);
  few.CheckEveryClientWasServed();
  Fleet many(40, 4);
  for (int i = 0; i < 300; ++i) many.Join(50);
  many.Run(10LL * 300);
  many.CheckEveryClientWasServed();
}

TEST(QuotaProperty, GrowsIntoARaisedReservoirWithinTwoIntervals) {
  Fleet fleet(500, 9);
  for (int i = 0; i < 100; ++i) fleet.Join(100);
  fleet.Run(40);
  fleet.CheckFair();
  fleet.SetReservoir(800);
  fleet.Run(20);
  fleet.CheckFair();
}

TEST(QuotaAssigner, LowersQuotasWhenTheReservoirShrinks) {
  QuotaAssigner assigner;
  std::int32_t a = 0;
  std::int32_t b = 0;
  for (std::int64_t round = 0; round < 6; ++round) {
    const std::int64_t now = kNow + round * 10 * kNsPerSecond;
    const Rule rule = WithReservoir(round < 3 ? 100 : 10);
    a = assigner.Accept(rule, From("a", 1'000, now), now).reservoir_quota;
    b = assigner.Accept(rule, From("b", 1'000, now), now).reservoir_quota;
  }
  EXPECT_EQ(a, 5);
  EXPECT_EQ(b, 5);
}

TEST(QuotaProperty, LargeFleetsKeepThePromiseToo) {
  QuotaAssigner assigner;
  const Rule rule = WithReservoir(3'000);
  std::map<std::string, std::int32_t> quotas;
  for (std::int64_t round = 0; round < 4; ++round) {
    for (int i = 0; i < 2'500; ++i) {
      const std::int64_t now = kNow + round * 30LL * kNsPerSecond + i * 10LL * kNsPerMs;
      const std::string id = "c" + std::to_string(i);
      quotas[id] = assigner.Accept(rule, From(id, 60 + i, now), now).reservoir_quota;
      if (i % 100 == 0) {
        std::int64_t promised = 0;
        for (const auto& [client, quota] : quotas) promised += quota;
        ASSERT_LE(promised, 3'000);
      }
    }
  }
  for (const auto& [client, quota] : quotas) EXPECT_THAT(quota, ::testing::AnyOf(1, 2)) << client;
}

TEST(StatisticsWindows, BooksInTheWindowOfTheTimestampAndSumsClients) {
  StatisticsWindows statistics;
  const auto report = [](std::string client, std::int64_t at_s) {
    return Report{.client_id = std::move(client),
                  .timestamp_ns = at_s * kNsPerSecond,
                  .request_count = 10,
                  .sampled_count = 2,
                  .borrow_count = 1};
  };
  statistics.Add("r", report("a", 1'000'003), 1'000'020 * kNsPerSecond);
  statistics.Add("r", report("b", 1'000'009), 1'000'020 * kNsPerSecond);
  statistics.Add("r", report("a", 1'000'010), 1'000'020 * kNsPerSecond);
  statistics.Add("s", report("a", 1'000'010), 1'000'020 * kNsPerSecond);
  const StatisticsWindows::Windows expected = {
      {"r", {{1'000'000, {20, 4, 2}}, {1'000'010, {10, 2, 1}}}}, {"s", {{1'000'010, {10, 2, 1}}}}};
  EXPECT_EQ(statistics.windows(), expected);
  // A repeated report changes nothing.
  statistics.Add("r", report("a", 1'000'003), 1'000'025 * kNsPerSecond);
  EXPECT_EQ(statistics.windows(), expected);
  statistics.Forget("r");
  EXPECT_EQ(statistics.windows().count("r"), 0U);
}

TEST(StatisticsWindows, KeepsThirtyMinutes) {
  StatisticsWindows statistics;
  const std::int64_t start_s = 1'000'000;
  for (std::int64_t t = start_s; t < start_s + 7'200; t += 10) {
    statistics.Add("r", From("c", 1, t * kNsPerSecond), t * kNsPerSecond);
    ASSERT_LE(statistics.windows().at("r").size(), 181U);
  }
  EXPECT_EQ(statistics.windows().at("r").begin()->first, start_s + 7'190 - 1'800);
  const std::int64_t now = (start_s + 7'190) * kNsPerSecond;
  // Neither the far past nor the far future makes a window.
  statistics.Add("r", From("c", 1, now - 1'900 * kNsPerSecond), now);
  statistics.Add("r", From("c", 1, now + 700 * kNsPerSecond), now);
  EXPECT_EQ(statistics.windows().at("r").size(), 181U);
  statistics.Prune(now + 3'600 * kNsPerSecond);
  EXPECT_TRUE(statistics.windows().empty());
}

}  // namespace
}  // namespace fluoro::sampling
