#include "sampling/what_if.h"

#include <algorithm>
#include <tuple>

namespace fluoro::sampling {
namespace {

constexpr double kSlowQuantile = 0.99;
constexpr double kRarePerHour = 10;

void AddTo(WhatIfCount& count, std::uint64_t spans, std::uint64_t bytes) {
  ++count.traces;
  count.spans += spans;
  count.bytes += bytes;
}

}  // namespace

void WhatIf::Add(const std::array<std::uint8_t, 16>& trace_id, const TailFacts& facts,
                 std::uint64_t spans, std::uint64_t bytes) {
  traces_.push_back({.id = trace_id, .facts = facts, .spans = spans, .bytes = bytes});
  traffic_.Add(facts);
}

WhatIfResult WhatIf::Run(const TailPolicies& policies) {
  double slow = kSlowQuantile;
  double rare = kRarePerHour;
  WhatIfResult result;
  for (const TailPolicy& policy : policies.policies) {
    result.policies.push_back({.name = policy.name, .keep = policy.keep, .taken = {}, .kept = {}});
    if (policy.slower_than_route_quantile && slow == kSlowQuantile)
      slow = *policy.slower_than_route_quantile;
    if (policy.shapes_seen_per_hour_below && rare == kRarePerHour)
      rare = *policy.shapes_seen_per_hour_below;
  }
  result.policies.push_back(
      {.name = std::string(kUnmatchedReason), .keep = 1, .taken = {}, .kept = {}});
  for (const char* const name : {"fault", "error", "throttle", "timeout", "slow", "rare"})
    result.classes.push_back({.name = name, .seen = 0, .kept = 0});

  std::uint64_t known_bytes = 0;
  std::uint64_t known_spans = 0;
  for (const Trace& trace : traces_) {
    if (trace.bytes == 0) continue;
    known_bytes += trace.bytes;
    known_spans += trace.spans;
  }
  const double bytes_a_span =
      known_spans == 0 ? 0 : static_cast<double>(known_bytes) / static_cast<double>(known_spans);

  std::ranges::sort(traces_, {},
                    [](const Trace& trace) { return std::tie(trace.facts.start_ns, trace.id); });
  TailJudge judge(policies, traffic_);
  for (const Trace& trace : traces_) {
    const std::uint64_t bytes =
        trace.bytes > 0
            ? trace.bytes
            : static_cast<std::uint64_t>(bytes_a_span * static_cast<double>(trace.spans));
    const TailDecision decision = judge.Judge(trace.id, trace.facts);
    WhatIfResult::Policy& policy =
        result.policies[decision.policy.value_or(policies.policies.size())];
    AddTo(result.seen, trace.spans, bytes);
    AddTo(policy.taken, trace.spans, bytes);
    if (decision.keep) {
      AddTo(result.kept, trace.spans, bytes);
      AddTo(policy.kept, trace.spans, bytes);
      result.weight += 1 / decision.probability;
    }
    const bool in_class[] = {(trace.facts.outcomes & kTailFault) != 0,
                             (trace.facts.outcomes & kTailError) != 0,
                             (trace.facts.outcomes & kTailThrottle) != 0,
                             (trace.facts.outcomes & kTailTimeout) != 0,
                             judge.IsSlow(trace.facts, slow),
                             judge.IsRare(trace.facts, rare)};
    for (std::size_t i = 0; i < result.classes.size(); ++i) {
      if (!in_class[i]) continue;
      ++result.classes[i].seen;
      if (decision.keep) ++result.classes[i].kept;
    }
  }
  return result;
}

}  // namespace fluoro::sampling
