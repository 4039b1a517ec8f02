// Response times on their way into a rollup's histograms.
//
// A rollup of many series has more counts than fit into the fast caches, and samples come by trace:
// each would find its counts far away. Noted first and sorted by series, a series' times are
// counted one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rollup/counts.h"

namespace fluoro::rollup {

class Rollup;

/// All sinks of a rollup share one, or have none. Not thread-safe.
class PendingTimes {
 public:
  /// So many are held at most, in about 1.6 MB.
  static constexpr std::size_t kTimesMax = std::size_t{32} << 10;

  /// @param rollup  outlives it.
  explicit PendingTimes(Rollup& rollup) : rollup_(rollup) {}
  /// A cell's number in the rollup; `second`: into its second histogram, which must be there.
  void Add(std::uint32_t cell, bool second, DurationCounts::Times times) {
    const std::uint32_t place = 2 * cell + (second ? 1U : 0U);
    if (place >= counts_.size()) counts_.resize(2 * std::size_t{place} + 64);
    if (counts_[place]++ == 0) used_.push_back(place);
    places_.push_back(place);
    times_.push_back(times);
    if (times_.size() == kTimesMax) Settle();
  }
  /// Counts what is held. Before the rollup is read, merged or moved.
  void Settle();

 private:
  Rollup& rollup_;
  std::vector<std::uint32_t> places_;  ///< 2 * cell + second
  std::vector<DurationCounts::Times> times_, sorted_;
  std::vector<std::uint32_t> counts_;  ///< by place; then where its times go
  std::vector<std::uint32_t> used_;    ///< places, in order of appearance
};

}  // namespace fluoro::rollup
