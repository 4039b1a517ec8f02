#include "rollup/pending_samples.h"

#include "rollup/rollup.h"

namespace fluoro::rollup {

void PendingSamples::Settle() {
  const auto samples = std::span(samples_.data(), next_);
  if (counts_.size() < rollup_.cells_.size()) counts_.resize(rollup_.cells_.size());
  for (const PendingSample& sample : samples) {
    if (counts_[sample.cell]++ == 0) cells_.push_back(sample.cell);
  }
  std::uint32_t end = 0;
  for (const std::uint32_t cell : cells_) {
    const std::uint32_t begin = end;
    end += counts_[cell];
    counts_[cell] = begin;
  }
  for (std::uint32_t place = 0; place < samples.size(); ++place)
    sorted_[counts_[samples[place].cell]++] = place;
  std::uint32_t begin = 0;
  for (const std::uint32_t cell : cells_) {
    Count(rollup_.cells_[cell], std::span(sorted_).subspan(begin, counts_[cell] - begin));
    begin = counts_[cell];
    counts_[cell] = 0;
  }
  next_ = samples_.data();
  cells_.clear();
}

void PendingSamples::MakeRoom() {
  Settle();
  samples_.resize(kSamplesMax);
  sorted_.resize(kSamplesMax);
  times_.resize(kSamplesMax);
  second_.resize(kSamplesMax);
  next_ = samples_.data();
  end_ = next_ + kSamplesMax;
}

// As Cell::Add, one by one.
void PendingSamples::Count(Cell& cell, std::span<const std::uint32_t> places) {
  Cell::Counts counts(cell);
  DurationCounts::Times* const times = times_.data();
  DurationCounts::Times* const second = second_.data();
  std::size_t in_times = 0;
  std::size_t in_second = 0;
  for (const std::uint32_t place : places) {
    const PendingSample& sample = samples_[place];
    counts.Add(sample);
    if (sample.in_progress) continue;
    if (cell.second == nullptr && Cell::NeedsSecond(sample)) {
      cell.times.Add(std::span(times_).first(in_times));
      in_times = 0;
      cell.AddSecond(sample);
    }
    const std::int64_t response_ns = sample.end_ns - sample.start_ns;
    if (sample.kind != PendingSample::Kind::kLink)
      times[in_times++] = {.duration_ns = response_ns, .count = sample.times};
    if (cell.second != nullptr && sample.kind != PendingSample::Kind::kCall)
      second[in_second++] = {.duration_ns = sample.other_ns, .count = sample.times};
  }
  cell.times.Add(std::span(times_).first(in_times));
  if (cell.second != nullptr) cell.second->Add(std::span(second_).first(in_second));
}

}  // namespace fluoro::rollup
