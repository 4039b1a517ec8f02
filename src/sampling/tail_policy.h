// Tail policies: which traces stay when they leave the live window, why, and with what probability.
// Filters, routes and shapes come in evaluated. Form and meaning: docs/sampling.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::sampling {

inline constexpr std::size_t kTailPoliciesMax = 64;
inline constexpr std::size_t kTailPolicyNameBytesMax = 64;
inline constexpr std::size_t kTailPoliciesBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kTailFilterBytesMax = 8'192;

/// What went wrong somewhere in a trace. Stored: never renumber.
enum TailOutcome : std::uint8_t {
  kTailFault = 1U << 0,
  kTailError = 1U << 1,
  kTailThrottle = 1U << 2,
  kTailTimeout = 1U << 3,
};

/// Takes the traces that satisfy all of its conditions; without any it takes all.
struct TailPolicy {
  std::string name = {};      ///< the reason stored on what it keeps
  std::string filter = {};    ///< a filter expression; empty: no condition
  std::uint8_t outcomes = 0;  ///< TailOutcome bits: some span has one of them; 0: no condition
  std::optional<double> slower_than_route_quantile = {};  ///< in (0, 1)
  std::optional<double> shapes_seen_per_hour_below = {};  ///< > 0
  double keep = 1;                                        ///< 0..1, the probability
  /// A bucket of so many traces a second for each (route, outcome); what finds it empty is tried by
  /// the next policy.
  std::optional<double> per_second = {};
  bool operator==(const TailPolicy&) const = default;
};

/// The first that takes a trace decides; a trace that none takes is kept.
struct TailPolicies {
  std::vector<TailPolicy> policies;
  [[nodiscard]] bool empty() const { return policies.empty(); }
  bool operator==(const TailPolicies&) const = default;
};

/// Reason of a trace that no policy takes.
inline constexpr std::string_view kUnmatchedReason = "unmatched";

/// Reads {"TailPolicies":[...]}; a member "SamplingRules" is passed over, others are refused.
/// Errors: kInvalidArgument naming the member and what is wrong with it, e.g.
/// "TailPolicies[1].Keep: 1.5 is not between 0 and 1"; kTooLarge beyond the limits above. Filters
/// are not looked into.
Result<TailPolicies> ParseTailPolicies(std::string_view json);
/// The same form; parsing it gives the same policies.
std::string PrintTailPolicies(const TailPolicies& policies);

/// Every error, fault, throttle, timeout, trace slower than 99 % of its route and shape seen less
/// than 10 times an hour; 5 % of the rest.
TailPolicies BiasedTailPolicies();

/// Whether a trace is among a stated fraction of all: XXH3-64 of its id with seed 0 is less than
/// fraction x 2^64. Every node answers alike, and what a smaller fraction holds a larger one does.
bool IsInFraction(const std::array<std::uint8_t, 16>& trace_id, double fraction);

}  // namespace fluoro::sampling
