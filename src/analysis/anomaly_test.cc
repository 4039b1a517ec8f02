#include "analysis/anomaly.h"

#include <gtest/gtest.h>

#include "analysis/anomaly_testing.h"

namespace fluoro::analysis {
namespace {

using testing::Chain;
using testing::Key;
using testing::Load;
using enum AnomalyCategory;

constexpr std::int64_t kMinuteNs = AnomalyDetector::kMinuteNs;

const Watch& WatchOf(const AnomalyDetector& detector, const std::string& name,
                     AnomalyCategory category) {
  const auto service = detector.Find(Key(name));
  EXPECT_TRUE(service.has_value()) << name;
  return detector.WatchOf(*service, category);
}

void Feed(AnomalyDetector& detector, Chain& chain, int minutes) {
  for (int i = 0; i < minutes; ++i) detector.Observe(chain.Next());
}

/// Minutes until a watch is open, or is closed again.
int MinutesUntil(AnomalyDetector& detector, Chain& chain, const std::string& name,
                 AnomalyCategory category, bool open) {
  for (int minutes = 1; minutes <= 60; ++minutes) {
    detector.Observe(chain.Next());
    if (WatchOf(detector, name, category).open == open) return minutes;
  }
  return -1;
}

TEST(AnomalyDetector, OpensAfterThreeMinutesAndClosesAfterFive) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 60);
  const std::int64_t begin_ns = chain.now_ns;
  chain.db.faults = 30;
  EXPECT_EQ(MinutesUntil(detector, chain, "db", kFault, true), 3);
  const Watch watch = WatchOf(detector, "db", kFault);
  EXPECT_EQ(watch.start_ns, begin_ns);
  EXPECT_DOUBLE_EQ(watch.seen, 0.3);
  EXPECT_LT(watch.usual_max, 0.05);
  EXPECT_FALSE(WatchOf(detector, "web", kFault).open);
  EXPECT_FALSE(WatchOf(detector, "db", kLatency).open);
  chain.db.faults = 0;
  EXPECT_EQ(MinutesUntil(detector, chain, "db", kFault, false), 5);
}

TEST(AnomalyDetector, SaysNothingBeforeHalfAnHour) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 20);
  chain.db.faults = 50;
  Feed(detector, chain, 5);
  EXPECT_FALSE(WatchOf(detector, "db", kFault).open);
}

TEST(AnomalyDetector, WhatAlwaysFailsIsUsual) {
  AnomalyDetector detector;
  Chain chain;
  chain.shop.faults = 20;
  Feed(detector, chain, 200);
  EXPECT_FALSE(WatchOf(detector, "shop", kFault).IsSuspect());
  chain.shop.faults = 60;
  EXPECT_EQ(MinutesUntil(detector, chain, "shop", kFault, true), 3);
}

TEST(AnomalyDetector, AnAnomalyIsNotLearnt) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 60);
  chain.db.faults = 30;
  chain.web.milliseconds = 300;
  Feed(detector, chain, 120);
  EXPECT_TRUE(WatchOf(detector, "db", kFault).open);
  EXPECT_TRUE(WatchOf(detector, "web", kLatency).open);
  // But what lasts for hours is how things are now.
  Feed(detector, chain, 6 * 60);
  EXPECT_FALSE(WatchOf(detector, "db", kFault).open);
  EXPECT_FALSE(WatchOf(detector, "web", kLatency).open);
}

TEST(AnomalyDetector, OneBadMinuteIsNone) {
  for (const int total : {4, 100}) {
    AnomalyDetector detector;
    Chain chain;
    chain.db.total = total;
    Feed(detector, chain, 90);
    chain.db.faults = total;
    chain.db.milliseconds = 2'000;
    Feed(detector, chain, 1);
    chain.db.faults = 0;
    chain.db.milliseconds = 20;
    for (int i = 0; i < 15; ++i) {
      Feed(detector, chain, 1);
      EXPECT_FALSE(WatchOf(detector, "db", kFault).open) << total << " after " << i;
      EXPECT_FALSE(WatchOf(detector, "db", kLatency).open) << total << " after " << i;
    }
  }
}

TEST(AnomalyDetector, FewRequestsAreJudgedTogether) {
  AnomalyDetector detector;
  Chain chain;
  chain.db.total = 3;
  Feed(detector, chain, 90);
  chain.db.faults = 2;
  const int minutes = MinutesUntil(detector, chain, "db", kFault, true);
  EXPECT_GE(minutes, 3);
  EXPECT_LE(minutes, 8);
}

TEST(AnomalyDetector, SeesWhatIsSlowerAtTheTopOrInTheMiddle) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 60);
  chain.db.milliseconds = 40;
  EXPECT_EQ(MinutesUntil(detector, chain, "db", kLatency, true), 3);
  const Watch watch = WatchOf(detector, "db", kLatency);
  EXPECT_NEAR(watch.seen, 0.047, 0.004);
  EXPECT_NEAR(watch.usual_max, 0.0236, 0.002);
  chain.db.milliseconds = 20;
  EXPECT_EQ(MinutesUntil(detector, chain, "db", kLatency, false), 5);
}

TEST(AnomalyDetector, TheWayToAServiceIsSeenByItsCallers) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 60);
  chain.way_to_db_ms = 200;
  EXPECT_EQ(MinutesUntil(detector, chain, "db", kLatency, true), 3);
  EXPECT_NEAR(detector.ExcessOf(*detector.Find(Key("db")), kLatency, 3), 3 * 100 * 0.2, 6);
}

TEST(AnomalyDetector, ExcessIsWhatGoesBeyondTheUsual) {
  AnomalyDetector detector;
  Chain chain;
  chain.shop.faults = 1;
  Feed(detector, chain, 60);
  chain.shop.faults = 41;
  chain.db.faults = 30;
  Feed(detector, chain, 3);
  const ServiceNumber shop = *detector.Find(Key("shop"));
  const ServiceNumber db = *detector.Find(Key("db"));
  EXPECT_NEAR(detector.ExcessOf(shop, kFault, 3), 120, 3);
  EXPECT_NEAR(detector.CallExcess(shop, db, kFault, 3), 90, 1);
  EXPECT_NEAR(detector.OwnExcess(shop, kFault, 3), 30, 3);
  EXPECT_EQ(detector.CalleesOf(shop), std::vector{db});
}

TEST(AnomalyDetector, KnowsTheTimeOfDay) {
  const auto run = [](bool with_seasons) {
    AnomalyDetector detector;
    Chain chain;
    const auto nightly = [](std::int64_t now_ns) {
      const std::int64_t minute = (now_ns - Chain::kBeginNs) / kMinuteNs % (24 * 60);
      return minute >= 600 && minute < 660;
    };
    bool opened = false;
    for (int minute = 0; minute < 3 * 24 * 60; ++minute) {
      chain.db.faults = nightly(chain.now_ns) ? 20 : 0;
      chain.db.milliseconds = nightly(chain.now_ns) ? 60 : 20;
      // What is learnt of the first day is what the store kept of it.
      GraphMinute next = chain.Next();
      if (minute < 24 * 60 && with_seasons) {
        detector.LearnSeason(next);
        continue;
      }
      if (minute < 24 * 60) continue;
      detector.Observe(next);
      opened =
          opened || WatchOf(detector, "db", kFault).open || WatchOf(detector, "db", kLatency).open;
    }
    return opened;
  };
  EXPECT_TRUE(run(false));
  EXPECT_FALSE(run(true));
}

TEST(AnomalyDetector, SilenceEndsAnAnomaly) {
  AnomalyDetector detector;
  Chain chain;
  Feed(detector, chain, 60);
  chain.db.faults = 30;
  Feed(detector, chain, 5);
  EXPECT_TRUE(WatchOf(detector, "db", kFault).open);
  GraphMinute empty{.start_ns = chain.now_ns, .services = {}, .calls = {}};
  detector.Observe(empty);
  EXPECT_TRUE(WatchOf(detector, "db", kFault).open);
  // Minutes that nobody told count, too.
  empty.start_ns += 30 * kMinuteNs;
  detector.Observe(empty);
  EXPECT_FALSE(WatchOf(detector, "db", kFault).open);
}

TEST(AnomalyDetector, IsBounded) {
  AnomalyDetector detector({.services_max = 10, .calls_max = 3});
  Rng rng(3);
  std::int64_t now_ns = Chain::kBeginNs;
  for (int minute = 0; minute < 3; ++minute, now_ns += kMinuteNs) {
    GraphMinute many{.start_ns = now_ns, .services = {}, .calls = {}};
    for (int i = 0; i < 30; ++i) {
      many.services.push_back(
          {.key = Key("service-" + std::to_string(i)), .requests = testing::SumsOf({}, rng)});
      if (i > 0) many.calls.push_back({.from = 0, .to = i, .requests = testing::SumsOf({}, rng)});
    }
    detector.Observe(many);
  }
  EXPECT_EQ(detector.services_end(), 10);
  EXPECT_EQ(detector.CalleesOf(0).size(), 3U);
  EXPECT_EQ(detector.crowded_out(), 3U * (20 + 6));
  // What was not seen for two days makes room.
  now_ns += 49 * 60 * kMinuteNs;
  for (int minute = 0; minute < 2; ++minute, now_ns += 20 * kMinuteNs) {
    GraphMinute other{.start_ns = now_ns, .services = {}, .calls = {}};
    for (int i = 0; i < 9; ++i)
      other.services.push_back(
          {.key = Key("other-" + std::to_string(i)), .requests = testing::SumsOf({}, rng)});
    detector.Observe(other);
  }
  EXPECT_EQ(detector.services_end(), 10);
  EXPECT_TRUE(detector.Find(Key("other-8")).has_value());
  EXPECT_FALSE(detector.Find(Key("service-8")).has_value());
}

TEST(GraphMinute, IsReadFromARollup) {
  rollup::Rollup rollup(rollup::kMinuteNs);
  rollup::KeyTable keys;
  rollup::Rollup::Sink sink(rollup, keys);
  const auto web = keys.Find(Key("web"));
  const auto shop = keys.Find(Key("shop"));
  const auto measured = [](std::int64_t end_s, model::Outcome outcome) {
    return rollup::Measured{
        .start_ns = (end_s - 1) * kNsPerSecond, .end_ns = end_s * kNsPerSecond, .outcome = outcome};
  };
  sink.Add(rollup::NodeSample{.key = web, .measured = measured(30, model::Outcome::kFault)});
  sink.Add(rollup::NodeSample{.key = web, .measured = measured(40, model::Outcome::kThrottle)});
  sink.Add(rollup::NodeSample{.key = shop, .measured = measured(90, model::Outcome::kOk)});
  sink.Add(
      rollup::EdgeSample{.from = web, .to = shop, .measured = measured(91, model::Outcome::kOk)});
  sink.Add(rollup::EdgeSample{
      .from = web, .to = shop, .link = true, .measured = measured(92, model::Outcome::kOk)});
  const auto minutes = MinutesOf(rollup);
  ASSERT_EQ(minutes.size(), 2U);
  ASSERT_EQ(minutes[0].services.size(), 1U);
  EXPECT_EQ(minutes[0].services[0].key, Key("web"));
  EXPECT_EQ(minutes[0].services[0].requests.total, 2);
  EXPECT_EQ(minutes[0].services[0].requests.fault, 1);
  EXPECT_EQ(minutes[0].services[0].requests.ok, 0);
  EXPECT_EQ(minutes[1].start_ns, rollup::kMinuteNs);
  ASSERT_EQ(minutes[1].calls.size(), 1U);  // nobody waits for a link
  EXPECT_EQ(minutes[1].services[static_cast<std::size_t>(minutes[1].calls[0].from)].key,
            Key("web"));
  EXPECT_EQ(CountOf(minutes[1].calls[0].requests.times), 1);
  EXPECT_DOUBLE_EQ(minutes[1].calls[0].requests.seconds, 1);
}

}  // namespace
}  // namespace fluoro::analysis
