#include "sampling/what_if.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "base/clock.h"
#include "base/rng.h"
#include "sampling/client_sampler.h"

namespace fluoro::sampling {
namespace {

// The start of fifteen minutes that are judged together.
constexpr std::int64_t kStart = 1'700'000'000'000'000'000 / kJudgedTogetherNs * kJudgedTogetherNs;

std::array<std::uint8_t, 16> RandomId(Rng& rng) {
  std::array<std::uint8_t, 16> id{};
  const std::uint64_t halves[2] = {rng.Next(), rng.Next()};
  std::memcpy(id.data(), halves, sizeof(halves));
  return id;
}

// Requests of a shop, of which some routes fail more than others.
struct Arrival {
  std::array<std::uint8_t, 16> id{};
  TailFacts facts;
  Request request;
  std::string route;
  std::string tenant;
};

std::vector<Arrival> Traffic(Rng& rng, std::size_t count, std::int64_t over_ns) {
  static constexpr std::array kRoutes{"GET /", "GET /items", "POST /orders", "POST /pay",
                                      "GET /health"};
  std::vector<Arrival> traffic(count);
  for (Arrival& one : traffic) {
    const std::size_t route = std::min<std::size_t>(rng.Below(kRoutes.size() + 2), 4);
    one.id = RandomId(rng);
    // Busier in the second half.
    const double at = rng.Chance(0.3) ? rng.Unit() / 2 : 0.5 + rng.Unit() / 2;
    one.facts.start_ns = kStart + static_cast<std::int64_t>(at * static_cast<double>(over_ns));
    one.facts.arrival_ns = one.facts.start_ns;
    one.facts.route = route;
    one.facts.shape = rng.Chance(0.995) ? route : 100 + rng.Below(50);
    one.facts.duration_bucket = static_cast<std::int16_t>(rng.Below(100) + 20 * route);
    if (rng.Chance(route == 3 ? 0.2 : 0.01)) one.facts.outcomes = kTailFault;
    const std::string_view text = kRoutes.at(route);
    one.route = text;
    one.tenant = "tenant-" + std::to_string(rng.Below(8));
    one.request.service_name = route == 3 ? "payment" : "shop";
    one.request.http_method = text.substr(0, text.find(' '));
    one.request.url_path = text.substr(text.find(' ') + 1);
    one.request.url_path += route == 1 ? "/" + std::to_string(rng.Below(1'000)) : "";
  }
  std::ranges::sort(traffic, {}, [](const Arrival& one) { return one.facts.start_ns; });
  return traffic;
}

Rule RuleOf(std::string name, std::int32_t priority, double rate, std::int32_t reservoir) {
  Rule rule;
  rule.name = std::move(name);
  rule.priority = priority;
  rule.fixed_rate = rate;
  rule.reservoir = reservoir;
  return rule;
}

std::vector<Rule> ShopRules() {
  Rule pay = RuleOf("pay", 10, 0.6, 20);
  pay.service_name = "pay*";
  Rule items = RuleOf("items", 20, 0.3, 7);
  items.url_path = "/items/*";
  Rule health = RuleOf("health", 5, 0, 0);
  health.url_path = "/health";
  return {pay, items, health, DefaultRule(0.4, 3)};
}

WhatIf WhatIfOf(const std::vector<Arrival>& traffic, std::vector<Rule> rules) {
  WhatIf what_if(std::move(rules));
  for (const Arrival& one : traffic)
    what_if.Add({.id = one.id,
                 .facts = one.facts,
                 .spans = 3,
                 .bytes = 100,
                 .request = &one.request,
                 .route = one.route,
                 .tenant = one.tenant});
  return what_if;
}

// What `clients` record that share reservoirs by the server's division, reporting every 10 s.
std::vector<const Arrival*> Recorded(const std::vector<Arrival>& traffic,
                                     const std::vector<Rule>& rules, std::size_t clients,
                                     Rng& rng) {
  std::vector<ClientSampler> samplers;
  for (std::size_t i = 0; i < clients; ++i)
    samplers.emplace_back("client-" + std::to_string(i), rules);
  std::vector<QuotaAssigner> assigners(rules.size());
  const auto report = [&](ClientSampler& sampler, std::int64_t now_ns) {
    for (const auto& one : sampler.TakeReports(now_ns))
      sampler.Accept(one.rule, assigners[one.rule].Accept(rules[one.rule], one.report, now_ns));
  };
  if (clients == 1) {
    // That knows its quota from the first request on.
    for (std::size_t i = 0; i < rules.size(); ++i)
      samplers[0].Accept(i, {.fixed_rate = rules[i].fixed_rate,
                             .reservoir_quota = rules[i].reservoir,
                             .reservoir_quota_ttl_s = INT64_MAX});
  }
  std::int64_t next_ns = kStart + kReportIntervalSeconds * kNsPerSecond;
  std::vector<const Arrival*> recorded;
  for (const Arrival& one : traffic) {
    if (clients > 1 && one.facts.start_ns >= next_ns) {
      for (ClientSampler& sampler : samplers) report(sampler, one.facts.start_ns);
      next_ns = one.facts.start_ns + kReportIntervalSeconds * kNsPerSecond;
    }
    ClientSampler& sampler = samplers[rng.Below(clients)];
    if (sampler.Decide(one.request, one.facts.start_ns, rng.Unit()).sampled)
      recorded.push_back(&one);
  }
  return recorded;
}

// As the store would: what arrives in one window together, on the traffic of the hour.
std::uint64_t Kept(const std::vector<const Arrival*>& recorded, const TailPolicies& policies,
                   std::uint64_t* faults = nullptr) {
  TailTraffic traffic;
  std::uint64_t kept = 0;
  for (std::size_t begin = 0; begin < recorded.size();) {
    std::size_t end = begin;
    const std::int64_t window = recorded[begin]->facts.arrival_ns / kJudgedTogetherNs;
    for (; end < recorded.size() && recorded[end]->facts.arrival_ns / kJudgedTogetherNs == window;
         ++end)
      traffic.Add(recorded[end]->facts);
    traffic.Forget(std::min(recorded[begin]->facts.arrival_ns,
                            recorded[end - 1]->facts.arrival_ns - TailTraffic::kHourNs));
    TailJudge judge(policies, traffic);
    for (; begin < end; ++begin) {
      if (!judge.Judge(recorded[begin]->id, recorded[begin]->facts).keep) continue;
      ++kept;
      if (faults != nullptr && recorded[begin]->facts.outcomes != 0) ++*faults;
    }
  }
  return kept;
}

void ExpectWithin(double share, double predicted, std::uint64_t happened, const char* what) {
  EXPECT_NEAR(predicted / static_cast<double>(happened), 1, share)
      << what << ": " << predicted << " predicted, " << happened << " happened";
}

// 600,000 requests: 1 % of what is recorded is more than four standard deviations.
TEST(WhatIf, HeadRulesRecordWithinOnePercentOfWhatWasPredicted) {
  for (const std::size_t clients : {1U, 5U}) {
    SCOPED_TRACE(clients);
    Rng rng(40 + clients);
    const auto traffic = Traffic(rng, 600'000, 3'600 * kNsPerSecond);
    const std::vector<Rule> rules = ShopRules();
    WhatIf what_if = WhatIfOf(traffic, rules);
    what_if.set_clients(clients);
    const WhatIfResult told = what_if.Run({});
    const double sigma = (told.recorded.high - told.recorded.low) / 2 / 1.96;
    ASSERT_LT(4 * sigma, 0.01 * told.recorded.expected);
    const auto recorded = Recorded(traffic, rules, clients, rng);
    ExpectWithin(0.01, told.recorded.expected, recorded.size(), "recorded");
    EXPECT_EQ(told.rules[2].recorded.expected, 0) << "health";
    std::vector<std::uint64_t> by_rule(rules.size());
    for (const Arrival* one : recorded)
      ++by_rule[static_cast<std::size_t>(FindRule(rules, one->request) - rules.data())];
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const auto& figure = told.rules[i].recorded;
      EXPECT_NEAR(
          figure.expected, static_cast<double>(by_rule[i]),
          2.2 * (figure.high - figure.low) / 2 + (clients > 1 ? 0.03 : 0.0) * figure.expected)
          << rules[i].name;
    }
    // What the reservoir takes is no chance.
    EXPECT_GT(told.recorded.certain, 60'000U);
    if (clients > 1) {
      EXPECT_LT(told.recorded.expected, WhatIfOf(traffic, rules).Run({}).recorded.expected)
          << "a part of a reservoir is idle while its client has nothing to do";
    }
  }
}

TEST(WhatIf, HeadRulesAndTailPoliciesTogetherKeepWithinOnePercentOfWhatWasPredicted) {
  Rng rng(77);
  const auto traffic = Traffic(rng, 700'000, 5'400 * kNsPerSecond);
  TailPolicies policies = BiasedTailPolicies();
  policies.policies.back().keep = 0.5;
  TailPolicy some{.name = "some"};
  some.per_second = 2;
  policies.policies.insert(policies.policies.end() - 1, some);
  const WhatIfResult told = WhatIfOf(traffic, ShopRules()).Run(policies);
  const auto recorded = Recorded(traffic, ShopRules(), 1, rng);
  std::uint64_t faults = 0;
  const std::uint64_t kept = Kept(recorded, policies, &faults);
  ASSERT_LT(4 * (told.kept.high - told.kept.low) / 2 / 1.96, 0.01 * told.kept.expected);
  ExpectWithin(0.01, told.kept.expected, kept, "kept");
  const WhatIfFigure& fault = told.classes[0].kept;
  EXPECT_NEAR(fault.expected, static_cast<double>(faults), 2.2 * (fault.high - fault.low) / 2);
  EXPECT_NEAR(told.weight / told.recorded.expected, 1, 0.02);
}

// The tail alone is no chance at all: its draw is the trace's id.
TEST(WhatIf, TailPoliciesKeepExactlyWhatWasPredicted) {
  Rng rng(78);
  const auto traffic = Traffic(rng, 50'000, 7'200 * kNsPerSecond);
  TailPolicies policies = BiasedTailPolicies();
  TailPolicy some{.name = "some"};
  some.per_second = 0.5;
  policies.policies.insert(policies.policies.end() - 1, some);
  std::vector<const Arrival*> all;
  for (const Arrival& one : traffic) all.push_back(&one);
  const WhatIfResult told = WhatIfOf(traffic, {}).Run(policies);
  EXPECT_EQ(told.kept.certain, Kept(all, policies));
  EXPECT_EQ(told.kept.expected, static_cast<double>(told.kept.certain));
  EXPECT_EQ(told.kept.low, told.kept.high);
}

// Of many draws, as many lie in the interval as it says.
TEST(WhatIf, IntervalsHoldWhatTheySay) {
  Rng rng(79);
  const auto traffic = Traffic(rng, 3'000, 600 * kNsPerSecond);
  std::vector<Rule> rules = ShopRules();
  for (Rule& rule : rules) rule.reservoir = std::min(rule.reservoir, 1);
  const WhatIfResult told = WhatIfOf(traffic, rules).Run({});
  std::map<std::string, int> inside;
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) {
    std::map<std::string, std::uint64_t> seen;
    for (const Arrival* one : Recorded(traffic, rules, 1, rng)) {
      ++seen["recorded"];
      if (one->facts.outcomes != 0) ++seen["fault"];
      if (one->route == "POST /pay") ++seen["pay"];
    }
    const auto check = [&](const std::string& name, const WhatIfFigure& figure) {
      const auto value = static_cast<double>(seen[name]);
      if (value >= figure.low && value <= figure.high) ++inside[name];
    };
    check("recorded", told.recorded);
    check("fault", told.classes[0].kept);
    for (const auto& part : told.routes.parts) {
      if (part.name == "POST /pay") check("pay", part.kept);
    }
  }
  for (const auto& [name, count] : inside) {
    EXPECT_GT(count, kDraws * 91 / 100) << name;
    EXPECT_LT(count, kDraws * 99 / 100) << name << ": needlessly wide";
  }
  EXPECT_EQ(inside.size(), 3U);
}

TEST(WhatIf, TellsHowManyRoutesAndTenantsAreCovered) {
  WhatIf what_if({RuleOf("rare", 1, 0.5, 0)});
  Rng rng(80);
  const Request request;
  // Of n traces at one half, none is kept with 2^-n.
  for (int route = 1; route <= 4; ++route) {
    for (int i = 0; i < route; ++i) {
      const std::string name = "r" + std::to_string(route);
      what_if.Add({.id = RandomId(rng), .request = &request, .route = name, .tenant = "t"});
    }
  }
  what_if.Add({.id = RandomId(rng), .request = &request, .route = "r1"});
  const WhatIfResult told = what_if.Run({});
  EXPECT_EQ(told.routes.covered.seen, 4U);
  EXPECT_DOUBLE_EQ(told.routes.covered.expected, 4 - 0.25 - 0.25 - 0.125 - 0.0625);
  EXPECT_EQ(told.tenants.covered.seen, 1U);
  ASSERT_EQ(told.tenants.parts.size(), 1U);
  EXPECT_EQ(told.tenants.parts[0].kept.seen, 10U) << "one trace has no tenant";
  EXPECT_EQ(told.routes.parts[0].name, "r4");
}

TEST(WhatIf, WhatIsNotKnownWidensWhatIsTold) {
  WhatIf what_if({RuleOf("a", 1, 0.5, 0), DefaultRule(0.1, 0)});
  TailPolicies policies;
  policies.policies.push_back({.name = "gold", .filter = "annotation.tenant = \"acme\""});
  policies.policies.push_back({.name = "rest", .keep = 0});
  Rng rng(81);
  for (int i = 0; i < 1'000; ++i) what_if.Add({.id = RandomId(rng), .filters_known = i >= 100});
  const WhatIfResult told = what_if.Run(policies);
  EXPECT_EQ(told.unknown_requests, 1'000U);
  EXPECT_EQ(told.unknown_filters, 100U);
  EXPECT_EQ(told.kept.expected, 0);
  EXPECT_EQ(told.kept.low, 0);
  EXPECT_NEAR(told.kept.high, 50, 1e-9) << "if all were acme's and matched the rule a";
  EXPECT_GE(told.recorded.high, 500) << "of the other rule";
}

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
        kStart + static_cast<std::int64_t>(rng.Below(800'000'000'000));
    one.facts.route = rng.Below(5);
    one.facts.shape = rng.Chance(0.99) ? 1 : rng.Next();
    one.facts.duration_bucket = static_cast<std::int16_t>(rng.Below(200));
    one.facts.outcomes =
        rng.Chance(0.05) ? static_cast<std::uint8_t>(1U << rng.Below(4)) : std::uint8_t{0};
    one.spans = 1 + rng.Below(9);
    one.bytes = one.spans * 40;
    traffic.Add(one.facts);
    what_if.Add({.id = one.id,
                 .facts = one.facts,
                 .spans = one.spans,
                 .bytes = rng.Chance(0.3) ? 0 : one.bytes});
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
  EXPECT_EQ(result.recorded.certain, seen.traces) << "without head rules nothing is left to chance";
  EXPECT_EQ(result.kept.expected, static_cast<double>(kept.traces));
  EXPECT_EQ(result.kept.low, result.kept.high);
  EXPECT_EQ(result.kept_spans, static_cast<double>(kept.spans));
  EXPECT_EQ(result.kept_bytes, static_cast<double>(kept.bytes));
  ASSERT_EQ(result.policies.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(result.policies[i].taken.seen, taken[i]) << i;
  EXPECT_EQ(result.policies[4].name, "unmatched");
  for (const auto& one : result.classes) {
    EXPECT_EQ(one.kept.certain, one.kept.seen) << one.name << ": all that is bad, slow and rare";
    EXPECT_GT(one.kept.seen, 0U) << one.name;
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
