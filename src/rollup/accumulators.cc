#include "rollup/accumulators.h"

#include <algorithm>

#include "rollup/rollup.h"

namespace fluoro::rollup {

// What is added may be added in any order, unless something was taken away: then milliseconds may
// come to nothing, and whether there are too many of them depends on when.
bool Accumulators::MayHaveSums(std::uint32_t number) const {
  const Cell& cell = rollup_.cells_[number];
  return rollup_.series_[rollup_.places_[number].series].kind != SeriesKind::kOther &&
         !cell.times.HoldsLess() && (cell.second == nullptr || !cell.second->HoldsLess());
}

Accumulators::Sums* Accumulators::Meet(std::uint32_t cell) {
  if (cell >= places_.size()) places_.resize(rollup_.cells_.size());
  if (places_[cell] == kNever) return nullptr;
  if (++places_[cell] < kTrial) return nullptr;
  if (!MayHaveSums(cell)) {
    places_[cell] = kNever;
    return nullptr;
  }
  if (used_ == kCellsMax) Settle();
  if (used_ == sums_.size()) sums_.emplace_back();
  Sums& sums = sums_[used_];
  Begin(sums, cell);
  places_[cell] = kTrial + static_cast<std::uint32_t>(used_++);
  return &sums;
}

void Accumulators::Begin(Sums& sums, std::uint32_t number) {
  if (sums.times == nullptr) sums.times = std::make_unique<Histogram>();
  sums.cell = number;
  sums.is_over = false;
  Follow(sums, rollup_.cells_[number]);
}

// As the cell is now.
void Accumulators::Follow(Sums& sums, const Cell& cell) const {
  sums.has_second = cell.second != nullptr;
  if (sums.has_second && sums.second == nullptr) sums.second = std::make_unique<Histogram>();
  sums.is_exact = !cell.times.overflown();
  sums.is_second_exact = sums.has_second && !cell.second->overflown();
}

void Accumulators::Flush(Histogram& from, DurationCounts& to) {
  to.Add(from.buckets, from.milliseconds);
  from = {};
}

void Accumulators::Flush(Sums& sums) {
  Cell& cell = rollup_.cells_[sums.cell];
  std::array<std::int64_t, 4> outcomes{};
  std::int64_t real = 0;
  std::int64_t from_real = 0;
  for (std::size_t i = 0; i < sums.ended.size(); ++i) {
    outcomes[i % 4] += sums.ended[i];
    real += (i & 4) != 0 ? sums.ended[i] : 0;
    from_real += (i & 8) != 0 ? sums.ended[i] : 0;
  }
  cell.AddEnded(outcomes, real, from_real);
  cell.AddResponse(sums.response_ns);
  cell.start_ns = std::min(cell.start_ns, sums.start_ns);
  cell.end_ns = std::max(cell.end_ns, sums.end_ns);
  Flush(*sums.times, cell.times);
  if (sums.has_second) Flush(*sums.second, *cell.second);
  sums.ended = {};
  sums.response_ns = 0;
  sums.start_ns = INT64_MAX;
  sums.end_ns = INT64_MIN;
}

void Accumulators::Settle() {
  for (Sums& sums : std::span(sums_).first(used_)) {
    if (sums.is_over) continue;
    Flush(sums);
    places_[sums.cell] = 0;
  }
  used_ = 0;
  held_ = 0;
}

void Accumulators::SettleFor(std::int64_t samples) {
  Settle();
  held_ = samples;
}

// The first that differs makes the cell count twice from then on.
void Accumulators::AddTotal(Sums& sums, const Ended& sample, std::int64_t total_ns) {
  Cell& cell = rollup_.cells_[sums.cell];
  if (!sums.has_second) {
    Flush(sums);
    cell.AddSecond(SeriesKind::kNode);
    Follow(sums, cell);
  }
  const auto ms = static_cast<std::size_t>(DurationBuckets::Milliseconds(total_ns));
  if (static_cast<std::uint64_t>(total_ns) > std::uint64_t{kDurationMaxNs} ||
      (sums.is_second_exact && ms >= kMilliseconds)) {
    cell.second->Add(total_ns, sample.times);
    Follow(sums, cell);
    return;
  }
  const auto times = static_cast<std::uint32_t>(sample.times);
  sums.second->buckets[static_cast<std::size_t>(BucketOf(total_ns))] += times;
  if (sums.is_second_exact) sums.second->milliseconds[ms] += times;
}

// Of a sample whose bucket is counted.
void Accumulators::AddMilliseconds(Sums& sums, const Ended& sample) {
  const auto ms = static_cast<std::size_t>(DurationBuckets::Milliseconds(sample.duration_ns));
  if (ms < kMilliseconds) {
    sums.times->milliseconds[ms] += static_cast<std::uint32_t>(sample.times);
    return;
  }
  Cell& cell = rollup_.cells_[sums.cell];
  cell.times.AddMillisecond(static_cast<std::int64_t>(ms), sample.times);
  sums.is_exact = !cell.times.overflown();
}

void Accumulators::AddAny(const CellSample& sample, std::uint32_t number) {
  Cell& cell = rollup_.cells_[number];
  if (number >= places_.size()) places_.resize(rollup_.cells_.size());
  std::uint32_t& place = places_[number];
  const bool is_held = place - kTrial < used_;
  if (!is_held) {
    if (sample.times < 0) place = kNever;
    cell.Add(sample);
    return;
  }
  Sums& sums = sums_[place - kTrial];
  if (sample.times < 0) {
    Flush(sums);
    sums.is_over = true;
    place = kNever;
  } else if (!sums.has_second && !sample.in_progress && Cell::NeedsSecond(sample)) {
    Flush(sums);
  }
  cell.Add(sample);
  if (!sums.is_over) Follow(sums, cell);
}

void Accumulators::AddNodeToCell(std::uint32_t cell, const Ended& sample, bool is_real,
                                 std::int64_t total_ns) {
  rollup_.cells_[cell].Add({.start_ns = sample.start_ns,
                            .end_ns = sample.end_ns,
                            .other_ns = total_ns,
                            .times = sample.times,
                            .kind = CellSample::Kind::kNode,
                            .outcome = sample.outcome,
                            .real = is_real});
}

void Accumulators::AddCallToCell(std::uint32_t cell, const Ended& sample, bool is_real) {
  rollup_.cells_[cell].Add({.start_ns = sample.start_ns,
                            .end_ns = sample.end_ns,
                            .times = sample.times,
                            .kind = CellSample::Kind::kCall,
                            .outcome = sample.outcome,
                            .real = is_real,
                            .from_real = true});
}

}  // namespace fluoro::rollup
