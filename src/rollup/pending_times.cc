#include "rollup/pending_times.h"

#include <span>

#include "rollup/rollup.h"

namespace fluoro::rollup {

void PendingTimes::Settle() {
  std::uint32_t end = 0;
  for (const std::uint32_t place : used_) {
    const std::uint32_t begin = end;
    end += counts_[place];
    counts_[place] = begin;
  }
  sorted_.resize(times_.size());
  for (std::size_t i = 0; i < times_.size(); ++i) sorted_[counts_[places_[i]]++] = times_[i];
  std::uint32_t begin = 0;
  for (const std::uint32_t place : used_) {
    Cell& cell = rollup_.cells_[place / 2];
    DurationCounts& to = place % 2 == 0 ? cell.times : *cell.second;
    to.Add(std::span(sorted_).subspan(begin, counts_[place] - begin));
    begin = counts_[place];
    counts_[place] = 0;
  }
  places_.clear();
  times_.clear();
  used_.clear();
}

}  // namespace fluoro::rollup
