#include "sampling/client_sampler.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kNow = 1'700'000'000 * kNsPerSecond;

std::vector<Rule> Rules(std::int32_t reservoir, double rate) {
  return {DefaultRule(rate, reservoir)};
}

int SampledOf(ClientSampler& sampler, int requests, std::int64_t now_ns, double draw = 0.5) {
  int sampled = 0;
  for (int i = 0; i < requests; ++i) sampled += sampler.Decide({}, now_ns, draw).sampled ? 1 : 0;
  return sampled;
}

// The vectors of the specification of the SDKs.
TEST(ClientSampler, TakesItsQuotaThenTheFixedRate) {
  ClientSampler sampler("c", Rules(10, 0));
  sampler.Accept(0,
                 {.fixed_rate = 0, .reservoir_quota = 2, .reservoir_quota_ttl_s = 1'700'000'300});
  EXPECT_EQ(SampledOf(sampler, 5, kNow), 2);
  EXPECT_EQ(SampledOf(sampler, 5, kNow + kNsPerSecond), 2) << "each second anew";
  const auto reports = sampler.TakeReports(kNow);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].report.request_count, 10);
  EXPECT_EQ(reports[0].report.sampled_count, 4);
  EXPECT_TRUE(sampler.TakeReports(kNow).empty());
}

TEST(ClientSampler, BorrowsOneASecondWithoutAQuota) {
  ClientSampler sampler("c", Rules(1, 0));
  EXPECT_EQ(SampledOf(sampler, 5, kNow), 1);
  EXPECT_EQ(sampler.TakeReports(kNow)[0].report.borrow_count, 1);
  sampler.Accept(0,
                 {.fixed_rate = 0, .reservoir_quota = 3, .reservoir_quota_ttl_s = 1'600'000'000});
  EXPECT_EQ(SampledOf(sampler, 5, kNow + kNsPerSecond), 1) << "the quota is over";
}

TEST(ClientSampler, ARuleWithoutReservoirGoesByItsRate) {
  ClientSampler sampler("c", Rules(0, 0.5));
  EXPECT_EQ(SampledOf(sampler, 5, kNow, 0.49), 5);
  EXPECT_EQ(SampledOf(sampler, 5, kNow, 0.5), 0);
  EXPECT_EQ(ClientSampler("c", {}).Decide({}, kNow, 0).rule, nullptr);
}

}  // namespace
}  // namespace fluoro::sampling
