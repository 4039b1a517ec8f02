// The cheapest head rules and tail policies that keep enough of everything, from traffic that is
// known. Pure. Method: docs/cost.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sampling/rule_file.h"
#include "sampling/what_if.h"

namespace fluoro::sampling {

/// Rules that are weighed against each other, at most; what has no place is the Default rule's.
inline constexpr std::size_t kCandidateRulesMax = 60;

struct SuggestOptions {
  double keep_errors = 0.9;    ///< 0..1, of traces with a fault, error, throttle or timeout
  double floor_a_day = 0;      ///< traces of each route and of each tenant
  std::int64_t window_ns = 0;  ///< that the traffic is of; > 0
};

struct Suggestion {
  RuleFile file;
  WhatIfResult predicted;  ///< of the file, on the same traffic
};

/// Traces a day that a rule must record on average, so that there are `floor` on 19 of 20 days.
double MeanForFloor(double floor);

/// Memory: 250 bytes a trace and its request. Not thread-safe.
class Suggester {
 public:
  /// Traces of which the request is not known are left to the Default rule.
  void Add(const WhatIf::Trace& trace);

  /// Head rules: one a service, method and templated path, at most kRulesMax and Default, without
  /// reservoirs, with the rates that record least. Exact for so many rules; where there are more
  /// candidates, those that save least are left to Default. Tail policies: all errors, then the
  /// cheapest of some ways to keep the floors. What cannot be had (a route with fewer traces than
  /// its floor) is kept whole.
  Suggestion Run(const SuggestOptions& options);

 private:
  class Heads;
  class Tails;
  struct Held {
    WhatIf::Trace trace;        ///< without its request and texts
    std::uint32_t request = 0;  ///< place in requests_
    std::uint32_t route = 0;    ///< 1 + place in names_; 0: none
    std::uint32_t tenant = 0;
  };
  struct Asked {
    Request request;
    std::uint32_t route = 0;
    bool operator==(const Asked&) const = default;
  };
  std::uint32_t NameOf(std::string_view name);
  WhatIf ReplayOf(const std::vector<Rule>& rules) const;

  std::vector<Held> traces_;
  std::vector<std::optional<Asked>> requests_{std::nullopt};  ///< the first is not known
  std::unordered_map<std::string, std::uint32_t> request_numbers_;
  std::vector<std::string> names_;  ///< of routes and tenants
  std::unordered_map<std::string, std::uint32_t> name_numbers_;
};

}  // namespace fluoro::sampling
