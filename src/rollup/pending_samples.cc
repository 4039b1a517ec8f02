#include "rollup/pending_samples.h"

#include "rollup/rollup.h"

namespace fluoro::rollup {

void PendingSamples::Settle() {
  std::uint32_t end = 0;
  for (const std::uint32_t cell : cells_) {
    const std::uint32_t begin = end;
    end += counts_[cell];
    counts_[cell] = begin;
  }
  for (const PendingSample& sample : std::span(samples_).first(count_))
    sorted_[counts_[sample.cell]++] = sample;
  std::uint32_t begin = 0;
  for (const std::uint32_t cell : cells_) {
    Count(rollup_.cells_[cell], std::span(sorted_).subspan(begin, counts_[cell] - begin));
    begin = counts_[cell];
    counts_[cell] = 0;
  }
  count_ = 0;
  cells_.clear();
}

void PendingSamples::MakeRoom() {
  Settle();
  samples_.resize(kSamplesMax);
  sorted_.resize(kSamplesMax);
}

// As Cell::Add, one by one.
void PendingSamples::Count(Cell& cell, std::span<const PendingSample> samples) {
  times_.clear();
  second_.clear();
  for (const PendingSample& sample : samples) {
    cell.AddCounts(sample);
    if (sample.in_progress) continue;
    if (cell.second == nullptr && Cell::NeedsSecond(sample)) {
      cell.times.Add(times_);
      times_.clear();
      cell.AddSecond(sample);
    }
    const std::int64_t response_ns = sample.end_ns - sample.start_ns;
    if (sample.kind != PendingSample::Kind::kLink)
      times_.push_back({.duration_ns = response_ns, .count = sample.times});
    if (cell.second != nullptr && sample.kind != PendingSample::Kind::kCall)
      second_.push_back({.duration_ns = sample.other_ns, .count = sample.times});
  }
  cell.times.Add(times_);
  if (cell.second != nullptr) cell.second->Add(second_);
}

}  // namespace fluoro::rollup
