// What head rules would record and tail policies would keep of traffic that is known. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sampling/rule.h"
#include "sampling/tail_judge.h"
#include "sampling/tail_policy.h"

namespace fluoro::sampling {

/// As long as the store gathers what it judges at once, with its default windows.
inline constexpr std::int64_t kJudgedTogetherNs = 900'000'000'000;

struct WhatIfCount {
  std::uint64_t traces = 0;
  std::uint64_t spans = 0;
  std::uint64_t bytes = 0;
};

/// A number of traces that chance decides on, in part. Of n requests beyond a reservoir each is
/// recorded with the rule's rate, independently of the others; `low` and `high` hold what is
/// recorded with 95 % probability, and widen by what is not known of traces that were dropped.
struct WhatIfFigure {
  std::uint64_t seen = 0;
  double expected = 0;
  double low = 0;
  double high = 0;
  std::uint64_t certain = 0;  ///< of `expected`, those that no chance decides on
};

struct WhatIfResult {
  WhatIfCount seen;
  WhatIfFigure recorded{};  ///< by head rules
  WhatIfFigure kept{};      ///< of these, by tail policies
  double recorded_spans = 0, recorded_bytes = 0;
  double kept_spans = 0, kept_bytes = 0;
  struct Rule {
    std::string name{};
    double fixed_rate = 0;
    std::int32_t reservoir = 0;
    WhatIfFigure recorded{};
  };
  std::vector<Rule> rules;  ///< in the order given; empty: everything is recorded
  /// A policy, and at last what none takes.
  struct Policy {
    std::string name{};
    double keep = 1;
    WhatIfFigure taken{};  ///< recorded, and judged by it
    WhatIfFigure kept{};
    double kept_spans = 0, kept_bytes = 0;
  };
  std::vector<Policy> policies;
  /// fault, error, throttle, timeout, slow, rare; a trace may be in several.
  struct Class {
    std::string name{};
    WhatIfFigure kept{};
  };
  std::vector<Class> classes;
  /// Traces of one route or tenant.
  struct Part {
    std::string name{};
    WhatIfFigure kept{};
  };
  struct Parts {
    WhatIfFigure covered{};     ///< how many have at least one trace kept
    std::vector<Part> parts{};  ///< most traces first; the last may be "other"
    std::uint64_t others = 0;   ///< how many parts "other" stands for, at least
  };
  Parts routes;
  Parts tenants;
  /// Sum of 1/probability of what tail policies keep: about as many as were recorded.
  double weight = 0;
  std::uint64_t unknown_requests = 0;  ///< traces of which nothing is known that head rules ask for
  std::uint64_t unknown_filters = 0;   ///< dropped traces of which filters cannot be asked
};

/// Memory: 120 bytes a trace, and the names of at most 10,000 routes and tenants each. Not
/// thread-safe.
class WhatIf {
 public:
  static constexpr std::size_t kPartsMax = 10'000;

  /// Everything is recorded.
  WhatIf() = default;
  /// `rules` decide what is recorded; they hold Default.
  explicit WhatIf(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  struct Trace {
    std::array<std::uint8_t, 16> id{};
    TailFacts facts{};
    std::uint64_t spans = 0;
    std::uint64_t bytes = 0;           ///< 0: not known
    const Request* request = nullptr;  ///< null: not known
    std::string_view route{};
    std::string_view tenant{};  ///< empty: none
    bool filters_known = true;
  };
  void Add(const Trace& trace);
  /// Clients that share each reservoir, up to 50 of them by the server's division of what they
  /// report every 10 s, more evenly; among them requests fall by chance. 1 to
  /// kClientsMax.
  static constexpr std::size_t kClientsMax = 10'000;
  void set_clients(std::size_t clients) { clients_ = clients; }

  /// Replays all that was added by `policies`, judging together what arrived in the same 15
  /// minutes, on the traffic of the hour up to their end, as the store does. Requests of one second
  /// and rule take their client's part of the reservoir in order of start. Of chance there
  /// is one fixed draw a trace, on which traffic and buckets hang; what is expected is summed over
  /// probabilities. Slow and rare traces are by the first policy that asks for such, else by the
  /// 99 % of the route and 10 an hour. Traces of which no bytes are known count as large as the
  /// others, span by span.
  WhatIfResult Run(const TailPolicies& policies);

 private:
  class Replay;
  struct Held {
    std::array<std::uint8_t, 16> id;
    TailFacts facts;
    std::uint64_t spans = 0;
    std::uint64_t bytes = 0;
    std::uint32_t route = 0;
    std::uint32_t tenant = 0;
    std::uint16_t rule = 0;
    bool request_known = true;
    bool filters_known = true;
  };
  struct Names {
    std::vector<std::string> names;
    std::unordered_map<std::string, std::uint32_t> numbers;
    std::uint64_t crowded_out = 0;
    std::uint32_t NumberOf(std::string_view name);
  };
  std::vector<Rule> rules_;
  std::size_t clients_ = 1;
  std::vector<Held> traces_;
  Names routes_;
  Names tenants_;
};

}  // namespace fluoro::sampling
