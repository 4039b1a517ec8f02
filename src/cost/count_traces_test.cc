#include "cost/count_traces.h"

#include <gtest/gtest.h>

#include "base/faulty_fs.h"
#include "base/rng.h"
#include "control/groups.h"
#include "cost/traffic_for_test.h"

namespace fluoro::cost {
namespace {

using analysis::Dimension;
using analysis::Meter;
using testing::TrafficFolder;
using testing::Units;

constexpr std::int64_t kNow = 1'700'010'000 * kNsPerSecond;

TEST(CountTraces, CountsEachTraceOnceWhereverItsPiecesAre) {
  ManualClock clock(kNow);
  TrafficFolder folder(clock);
  for (std::uint64_t i = 0; i < 100; ++i) {
    folder.Put(i, {.service = "shop", .tenant = i % 4 == 0 ? "acme" : "globex", .rule = "orders"});
    if (i % 10 == 0) {
      ASSERT_TRUE(folder.store->SealAll());
    }
    folder.Put(i, {.service = "shop", .is_child = true});
    clock.Advance(kNsPerSecond);
  }
  const auto counted =
      CountTraces(*folder.store, {}, {.from_ns = kNow, .until_ns = kNow + 50 * kNsPerSecond});
  ASSERT_TRUE(counted);
  EXPECT_EQ(counted->traces, 50U);
  EXPECT_EQ(counted->read, 50U);
  const auto& usage = counted->usage;
  EXPECT_EQ(Units(usage.total(), Meter::kTracesRecorded), 50);
  EXPECT_EQ(Units(usage.By(Dimension::kTenant).at("acme"), Meter::kTracesRecorded), 13);
  EXPECT_EQ(Units(usage.By(Dimension::kRule).at("orders"), Meter::kTracesRecorded), 50);
  EXPECT_EQ(Units(usage.By(Dimension::kService).at("shop"), Meter::kTracesRecorded), 50);
}

TEST(CountTraces, OfManyTheReadOnesStandForAll) {
  ManualClock clock(kNow);
  TrafficFolder folder(clock);
  Rng rng(9);
  for (std::uint64_t i = 0; i < 3'000; ++i)
    folder.Put(rng.Next(), {.service = "shop", .tenant = rng.Chance(0.25) ? "acme" : "globex"});
  const auto counted = CountTraces(
      *folder.store, {}, {.from_ns = kNow, .until_ns = kNow + kNsPerSecond, .read_max = 1'000});
  ASSERT_TRUE(counted);
  EXPECT_EQ(counted->read, 1'000U);
  EXPECT_EQ(Units(counted->usage.total(), Meter::kTracesRecorded), 3'000) << "exact";
  const double acme =
      Units(counted->usage.By(Dimension::kTenant).at("acme"), Meter::kTracesRecorded);
  const double globex =
      Units(counted->usage.By(Dimension::kTenant).at("globex"), Meter::kTracesRecorded);
  EXPECT_NEAR(acme + globex, 3'000, 1e-6);
  // 4 deviations: 3,000 x 4 sqrt(0.25 x 0.75 / 1,000).
  EXPECT_NEAR(acme, 750, 165);
}

TEST(CountTraces, GroupsAndInsightsAreCountedApart) {
  ManualClock clock(kNow);
  TrafficFolder folder(clock);
  const control::Place place;
  ASSERT_TRUE(folder.control->Write("test", [&](control::Transaction& change) -> Result<void> {
    FLUORO_TRY(const auto a, control::CreateGroup(change, place,
                                                  {.name_or_arn = "acme",
                                                   .filter = "annotation.tenant = \"acme\"",
                                                   .insights_enabled = true}));
    FLUORO_TRY(const auto b,
               control::CreateGroup(change, place,
                                    {.name_or_arn = "shop", .filter = "service(\"shop\")"}));
    FLUORO_TRY(const auto c, control::CreateGroup(change, place,
                                                  {.name_or_arn = "both",
                                                   .filter = "annotation.tenant = \"acme\"",
                                                   .insights_enabled = true}));
    return {};
  }));
  for (std::uint64_t i = 0; i < 20; ++i)
    folder.Put(i, {.service = i < 15 ? "shop" : "pay", .tenant = i < 5 ? "acme" : "globex"});
  const auto counted = CountTraces(*folder.store, GroupsOf(folder.control->Read(), place),
                                   {.from_ns = kNow, .until_ns = kNow + kNsPerSecond});
  ASSERT_TRUE(counted);
  const auto& usage = counted->usage;
  EXPECT_EQ(Units(usage.total(), Meter::kGroupMatches), 25);
  EXPECT_EQ(Units(usage.By(Dimension::kGroup).at("shop"), Meter::kGroupMatches), 15);
  EXPECT_EQ(Units(usage.By(Dimension::kGroup).at("both"), Meter::kInsightTraces), 5);
  EXPECT_EQ(Units(usage.total(), Meter::kInsightTraces), 5) << "each trace once";
  EXPECT_FALSE(usage.By(Dimension::kGroup).contains("Default"));
}

// Thinning takes bodies, not what was recorded.
TEST(CountTraces, DroppedTracesCount) {
  ManualClock clock(kNow);
  TrafficFolder folder(clock, 60 * kNsPerSecond);
  for (std::uint64_t i = 0; i < 50; ++i)
    folder.Put(i, {.service = "shop", .tenant = "acme", .rule = "orders"});
  ASSERT_TRUE(folder.store->SealAll());
  sampling::TailPolicies policies;
  policies.policies.push_back({.name = "rest", .keep = 0.3});
  folder.store->SetTailPolicies(
      std::make_shared<const query::TailFilters>(*query::TailFilters::Compile(policies)));
  for (int i = 0; i < 4; ++i) {
    clock.Advance(900 * kNsPerSecond);
    ASSERT_TRUE(folder.store->RunMaintenance());
  }
  const auto counted =
      CountTraces(*folder.store, {}, {.from_ns = kNow, .until_ns = kNow + kNsPerSecond});
  ASSERT_TRUE(counted);
  EXPECT_EQ(counted->traces, 50U);
  EXPECT_GT(counted->dropped, 20U);
  EXPECT_EQ(Units(counted->usage.By(Dimension::kRule).at("orders"), Meter::kTracesRecorded), 50);
  EXPECT_GT(Units(counted->usage.total(), Meter::kSpanBytesStored), 0);
}

}  // namespace
}  // namespace fluoro::cost
