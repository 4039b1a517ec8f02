#include "cost/counters.h"

#include <gtest/gtest.h>

#include <thread>

namespace fluoro::cost {
namespace {

using analysis::Dimension;
using analysis::Meter;

double Units(const analysis::Amounts& amounts, Meter meter) {
  return amounts.at(static_cast<std::size_t>(meter));
}

TEST(Counters, AreTakenOnceAndLoseNothingAmongThreads) {
  Counters counters;
  std::vector<std::jthread> threads;
  double taken = 0;
  double bytes = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counters] {
      for (int n = 0; n < 1'000; ++n) {
        counters.Retrieved({.service = "shop", .tenant = "acme"});
        counters.Scanned(3, "slow");
        counters.BytesIn(10);
        counters.QueryCpu(1'000'000);
      }
    });
  }
  analysis::UsageDay all;
  for (int i = 0; i < 50; ++i) all.Merge(counters.Take());
  threads.clear();
  const auto rest = counters.Peek();
  EXPECT_EQ(counters.Take(), rest);
  all.Merge(rest);
  taken = Units(all.total(), Meter::kTracesRetrieved);
  bytes = Units(all.total(), Meter::kSpanBytesIn);
  EXPECT_EQ(taken, 4'000);
  EXPECT_EQ(bytes, 40'000);
  EXPECT_EQ(Units(all.total(), Meter::kTracesScanned), 12'000);
  EXPECT_NEAR(Units(all.total(), Meter::kQueryCpuSeconds), 4, 1e-9);
  EXPECT_EQ(Units(all.By(Dimension::kTenant).at("acme"), Meter::kTracesRetrieved), 4'000);
  EXPECT_EQ(Units(all.By(Dimension::kRule).at("(none)"), Meter::kTracesRetrieved), 4'000);
  EXPECT_EQ(Units(all.By(Dimension::kGroup).at("slow"), Meter::kTracesScanned), 12'000);
  EXPECT_TRUE(counters.Take().IsZero());
}

TEST(QueryCpuTimer, CountsWorkAndNotWaiting) {
  Counters counters;
  {
    const QueryCpuTimer timer(&counters);
    volatile std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < 1'000'000; ++i) sum = sum + i;
  }
  EXPECT_GT(Units(counters.Take().total(), Meter::kQueryCpuSeconds), 0);
  {
    const QueryCpuTimer nobody(nullptr);
  }
}

}  // namespace
}  // namespace fluoro::cost
