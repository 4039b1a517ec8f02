// For tests: a system of services that call one another in a chain, minute by minute.
#pragma once

#include <string>
#include <vector>

#include "analysis/anomaly.h"
#include "base/clock.h"
#include "base/rng.h"
#include "rollup/counts.h"

namespace fluoro::analysis::testing {

inline model::ServiceKey Key(const std::string& name) {
  return {.name = name, .type = "", .account_id = ""};
}

/// Requests of one minute: `milliseconds` give or take a fifth.
struct Load {
  int total = 100;
  int faults = 0;
  double milliseconds = 100;
};

inline RequestSums SumsOf(const Load& load, Rng& rng) {
  RequestSums sums{.total = static_cast<double>(load.total),
                   .ok = static_cast<double>(load.total - load.faults),
                   .fault = static_cast<double>(load.faults)};
  rollup::DurationCounts times;
  for (int i = 0; i < load.total; ++i) {
    const double ms = load.milliseconds * (0.8 + 0.4 * rng.Unit());
    times.Add(static_cast<std::int64_t>(ms * 1e6), 1);
    sums.seconds += ms / 1e3;
  }
  sums.times = times.Buckets();
  return sums;
}

/// client -> web -> shop -> db; each call as its callee.
class Chain {
 public:
  static constexpr std::int64_t kBeginNs = 1'700'006'400'000'000'000;
  Load web{.total = 100, .milliseconds = 100};
  Load shop{.total = 100, .milliseconds = 60};
  Load db{.total = 100, .milliseconds = 20};
  double way_to_db_ms = 0;  ///< more than the database itself takes

  GraphMinute Next() {
    GraphMinute minute{.start_ns = now_ns, .services = {}, .calls = {}};
    now_ns += AnomalyDetector::kMinuteNs;
    for (const auto& [name, load] :
         {std::pair<std::string, Load*>{"web", &web}, {"shop", &shop}, {"db", &db}}) {
      minute.services.push_back({.key = Key(name), .requests = SumsOf(*load, rng_)});
    }
    Load by_shop = db;
    by_shop.milliseconds += way_to_db_ms;
    minute.calls = {{.from = GraphMinute::kClient, .to = 0, .requests = SumsOf(web, rng_)},
                    {.from = 0, .to = 1, .requests = SumsOf(shop, rng_)},
                    {.from = 1, .to = 2, .requests = SumsOf(by_shop, rng_)}};
    return minute;
  }

  std::int64_t now_ns = kBeginNs;

 private:
  Rng rng_{7};
};

}  // namespace fluoro::analysis::testing
