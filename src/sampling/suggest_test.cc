#include "sampling/suggest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>

#include "base/clock.h"
#include "base/rng.h"
#include "sampling/rule_json.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000'000 / kJudgedTogetherNs * kJudgedTogetherNs;
constexpr std::int64_t kWindowNs = 3'600 * kNsPerSecond;

struct RouteForTest {
  std::string service, method, route;
  std::uint64_t traces = 0;
  double errors = 0;
};

struct Traffic {
  std::deque<Request> requests;  // stay where they are
  std::vector<WhatIf::Trace> traces;
  std::deque<std::string> texts;
};

Traffic TrafficOf(Rng& rng, const std::vector<RouteForTest>& routes, std::uint64_t tenants) {
  Traffic traffic;
  for (std::size_t r = 0; r < routes.size(); ++r) {
    const RouteForTest& route = routes[r];
    const std::string& text = traffic.texts.emplace_back(route.service + " " + route.route);
    for (std::uint64_t i = 0; i < route.traces; ++i) {
      Request& request = traffic.requests.emplace_back();
      request.service_name = route.service;
      request.http_method = route.method;
      request.url_path = route.route;
      if (const auto open = request.url_path.find('{'); open != std::string::npos) {
        request.url_path.replace(open, request.url_path.find('}') - open + 1,
                                 std::to_string(rng.Below(500)));
      }
      WhatIf::Trace& trace = traffic.traces.emplace_back();
      const std::uint64_t halves[2] = {rng.Next(), rng.Next()};
      std::memcpy(trace.id.data(), halves, sizeof(halves));
      trace.facts.start_ns = kStart + static_cast<std::int64_t>(rng.Below(kWindowNs));
      trace.facts.arrival_ns = trace.facts.start_ns;
      trace.facts.route = r;
      trace.facts.shape = r;
      if (rng.Chance(route.errors)) trace.facts.outcomes = kTailFault;
      trace.spans = 1;
      trace.bytes = 10;
      trace.request = &request;
      trace.route = text;
      if (tenants > 0)
        trace.tenant = traffic.texts.emplace_back("tenant-" + std::to_string(rng.Below(tenants)));
    }
  }
  return traffic;
}

Suggestion Suggest(const Traffic& traffic, const SuggestOptions& options) {
  Suggester suggester;
  for (const auto& trace : traffic.traces) suggester.Add(trace);
  return suggester.Run(options);
}

double Faults(const WhatIfResult& result) { return result.classes[0].kept.expected; }

// Every combination of rates of a grid for each route: none that keeps as much is cheaper.
TEST(Suggester, IsNoDearerThanTheBestOfAllRatesOfAGrid) {
  Rng rng(21);
  for (int round = 0; round < 25; ++round) {
    std::vector<RouteForTest> routes;
    const std::size_t count = 1 + rng.Below(4);
    for (std::size_t r = 0; r < count; ++r) {
      routes.push_back({.service = r % 2 == 0 ? "shop" : "pay",
                        .method = r < 2 ? "GET" : "POST",
                        .route = "/r" + std::to_string(r) + (rng.Chance(0.5) ? "/{id}" : ""),
                        .traces = 20 + rng.Below(400),
                        .errors = rng.Unit() * 0.5});
    }
    const Traffic traffic = TrafficOf(rng, routes, 3);
    const SuggestOptions options{.keep_errors = 0.3 + 0.6 * rng.Unit(),
                                 .floor_a_day = static_cast<double>(rng.Below(2'000)),
                                 .window_ns = kWindowNs};
    const Suggestion told = Suggest(traffic, options);
    // What the suggestion itself wants, so that both are asked the same.
    std::map<std::string_view, double> all;
    std::map<std::string_view, double> tenants;
    std::map<std::string_view, std::map<std::string_view, double>> both;
    std::map<std::string_view, double> errors;
    double all_errors = 0;
    for (const auto& trace : traffic.traces) {
      all[trace.route] += 1;
      tenants[trace.tenant] += 1;
      both[trace.tenant][trace.route] += 1;
      if (trace.facts.outcomes == 0) continue;
      errors[trace.route] += 1;
      all_errors += 1;
    }
    const double month = all_errors * 720;
    const double share = options.keep_errors;
    const double errors_wanted =
        all_errors == 0
            ? 0
            : all_errors * std::min(1.0, share + 1.644854 * std::sqrt(share * (1 - share) / month));
    const double floor = MeanForFloor(options.floor_a_day) / 24;
    constexpr int kSteps = 10;
    double best = INFINITY;
    std::vector<std::string_view> names;
    for (const auto& [name, traces] : all) names.push_back(name);
    const auto points = static_cast<std::size_t>(std::pow(kSteps + 1, names.size()));
    for (std::size_t number = 0; number < points; ++number) {
      std::map<std::string_view, double> rates;
      std::size_t rest = number;
      double cost = 0;
      double kept_errors = 0;
      bool meets = true;
      for (const auto name : names) {
        const double rate = static_cast<double>(rest % (kSteps + 1)) / kSteps;
        rest /= kSteps + 1;
        rates[name] = rate;
        cost += rate * all[name];
        kept_errors += rate * errors[name];
        meets = meets && rate * all[name] >= std::min(all[name], floor) - 1e-9;
      }
      for (const auto& [tenant, by_route] : both) {
        double kept = 0;
        for (const auto& [name, traces] : by_route) kept += rates[name] * traces;
        meets = meets && kept >= std::min(tenants[tenant], floor) - 1e-9;
      }
      if (meets && kept_errors >= errors_wanted - 1e-9) best = std::min(best, cost);
    }
    // Rates are rounded up by a ten-thousandth.
    EXPECT_LE(told.predicted.recorded.expected,
              best + 1e-4 * static_cast<double>(traffic.traces.size()))
        << "round " << round;
    EXPECT_GE(Faults(told.predicted), errors_wanted * 0.999999);
    for (const auto& part : told.predicted.routes.parts)
      EXPECT_GE(part.kept.expected, std::min(all[part.name], floor) * 0.98) << part.name;
    // The file is one that is taken.
    const auto again = ParseRuleFile(PrintRuleFile(told.file));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, told.file);
  }
}

TEST(Suggester, RecordsRoutesThatFailAndNotThoseThatAreMany) {
  Rng rng(22);
  const Traffic traffic = TrafficOf(rng,
                                    {{"shop", "GET", "/health", 20'000, 0},
                                     {"shop", "GET", "/items/{id}", 10'000, 0.001},
                                     {"pay", "POST", "/pay", 1'000, 0.3}},
                                    0);
  const Suggestion told =
      Suggest(traffic, {.keep_errors = 0.9, .floor_a_day = 240, .window_ns = kWindowNs});
  std::map<std::string, double> rates;
  for (const Rule& rule : *told.file.rules)
    rates[rule.url_path + rule.service_name] = rule.fixed_rate;
  EXPECT_LT(rates.contains("/healthshop") ? rates["/healthshop"] : rates["**"], 0.01);
  EXPECT_GT(rates.contains("/paypay") ? rates["/paypay"] : rates["**"], 0.85);
  EXPECT_LT(told.predicted.recorded.expected, 1'500);
  EXPECT_GT(Faults(told.predicted), 0.9 * 300 * 0.9);
  for (const auto& part : told.predicted.routes.parts)
    EXPECT_GE(part.kept.expected, 9.9) << part.name << ": 240 a day are 10 an hour";
  EXPECT_LT(told.predicted.kept.expected, told.predicted.recorded.expected);
}

TEST(Suggester, HundredsOfRoutesFitIntoTheRulesThereMayBe) {
  Rng rng(23);
  std::vector<RouteForTest> routes;
  for (int i = 0; i < 200; ++i) {
    routes.push_back({.service = "s" + std::to_string(i % 5),
                      .method = "GET",
                      .route = "/route/" + std::to_string(i) + "/{id}",
                      .traces = 10 + rng.Below(100),
                      .errors = rng.Chance(0.1) ? 0.5 : 0.01});
  }
  const Traffic traffic = TrafficOf(rng, routes, 10);
  const Suggestion told =
      Suggest(traffic, {.keep_errors = 0.8, .floor_a_day = 24, .window_ns = kWindowNs});
  EXPECT_LE(told.file.rules->size(), kRulesMax + 1);
  const WhatIfFigure& fault = told.predicted.classes[0].kept;
  EXPECT_GE(fault.expected / static_cast<double>(fault.seen), 0.8);
  EXPECT_LT(told.predicted.recorded.expected, 0.8 * static_cast<double>(traffic.traces.size()));
  // Of each route one an hour is recorded; of these, which the tail keeps is by their ids, so that
  // the floor holds on average.
  WhatIf recorded(*told.file.rules);
  for (const auto& trace : traffic.traces) recorded.Add(trace);
  double kept = 0;
  for (const auto& part : recorded.Run({}).routes.parts) EXPECT_GE(part.kept.expected, 0.99);
  for (const auto& part : told.predicted.routes.parts) kept += part.kept.expected / 200;
  EXPECT_GE(kept, 0.99);
  for (const Rule& rule : *told.file.rules) EXPECT_TRUE(CheckRule(rule)) << rule.name;
}

TEST(Suggester, WithoutTrafficOrWishesNothingIsRecorded) {
  const Suggestion none = Suggester().Run({.window_ns = kWindowNs});
  EXPECT_EQ(none.predicted.seen.traces, 0U);
  EXPECT_EQ(none.file.rules->size(), 1U);
  Rng rng(24);
  const Traffic traffic = TrafficOf(rng, {{"shop", "GET", "/", 100, 0.1}}, 0);
  const Suggestion told = Suggest(traffic, {.keep_errors = 0, .window_ns = kWindowNs});
  EXPECT_EQ(told.predicted.recorded.expected, 0);
}

// On 19 of 20 days.
TEST(MeanForFloor, LeavesTheFloorOnOneDayOfTwenty) {
  Rng rng(25);
  for (const double floor : {1.0, 5.0, 20.0, 100.0}) {
    const double mean = MeanForFloor(floor);
    int below = 0;
    constexpr int kDays = 20'000;
    for (int day = 0; day < kDays; ++day) {
      // Poisson, by waiting times.
      double time = 0;
      int traces = 0;
      while ((time -= std::log(1 - rng.Unit())) < mean) ++traces;
      below += traces < floor ? 1 : 0;
    }
    EXPECT_LT(below, kDays * 6 / 100) << floor;
    EXPECT_GT(below, kDays * 1 / 100) << floor;
  }
  EXPECT_EQ(MeanForFloor(0), 0);
}

}  // namespace
}  // namespace fluoro::sampling
