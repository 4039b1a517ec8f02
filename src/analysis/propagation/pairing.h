// Pairs calls that have no callee with first spans that have no caller, by time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "analysis/propagation/records.h"

namespace fluoro::analysis::propagation {

/// Clocks of two hosts differ by as much without being called skewed.
inline constexpr std::int64_t kSkewNs = 50'000'000;

struct PairingInput {
  std::span<const LostCall> calls;
  std::span<const LostEntry> entries;
  /// Services that each call may have reached; empty: any of which the path is the same.
  std::span<const std::vector<TextId>> candidates;
  /// Callee's clock less the caller's, where known.
  std::function<std::int64_t(TextId caller, TextId callee)> offset_ns;
};

struct Pairing {
  struct Edge {
    std::uint32_t pairs = 0;  ///< of which it is held that they are one request
    double by_chance = 0;     ///< as many would come of chance among them
    std::int64_t cost_ns_max = 0;
  };
  std::map<ServicePair, Edge> proven;
  /// Index of the entry by call; -1: none.
  std::vector<std::int32_t> entry_of;
};

/// An entry belongs into a call if it lies inside it (within kSkewNs), speaks of the same method
/// and path where both do, and no better call wants it. Because under load intervals also lie in
/// each other by chance, the same is tried with all calls shifted in time: an edge is proven only
/// where the true times pair at least three times as many, and five more. Pure; calls x entries in
/// reach, at most 256 of these.
Pairing PairByTime(const PairingInput& input);

}  // namespace fluoro::analysis::propagation
