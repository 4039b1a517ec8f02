// What tail policies would keep of traffic that is known. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sampling/tail_judge.h"
#include "sampling/tail_policy.h"

namespace fluoro::sampling {

struct WhatIfCount {
  std::uint64_t traces = 0;
  std::uint64_t spans = 0;
  std::uint64_t bytes = 0;
};

struct WhatIfResult {
  WhatIfCount seen;
  WhatIfCount kept;
  /// A policy, and at last what none takes.
  struct Policy {
    std::string name;
    double keep = 1;
    WhatIfCount taken;
    WhatIfCount kept;
  };
  std::vector<Policy> policies;
  /// fault, error, throttle, timeout, slow, rare; a trace may be in several.
  struct Class {
    std::string name;
    std::uint64_t seen = 0;
    std::uint64_t kept = 0;
  };
  std::vector<Class> classes;
  /// Sum of 1/probability of what is kept: about as many as were seen.
  double weight = 0;
};

/// Memory: 112 bytes a trace. Not thread-safe.
class WhatIf {
 public:
  void Add(const std::array<std::uint8_t, 16>& trace_id, const TailFacts& facts,
           std::uint64_t spans, std::uint64_t bytes);
  /// Judges all that was added, as if all of it were judged together. Slow and rare traces are by
  /// the first policy that asks for such, else by the 99 % of the route and 10 an hour. Traces of
  /// which no bytes are known count as large as the others, span by span.
  WhatIfResult Run(const TailPolicies& policies);

 private:
  struct Trace {
    std::array<std::uint8_t, 16> id;
    TailFacts facts;
    std::uint64_t spans = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<Trace> traces_;
  TailTraffic traffic_;
};

}  // namespace fluoro::sampling
