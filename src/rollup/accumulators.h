// Samples on their way into a rollup's cells: summed where they are cheap to add.
//
// A cell grows with what it holds and is kept small. A question adds millions of samples to some
// hundreds of cells, most of them ended, of usual length and counted a few times: for those a cell
// that is met again and again is given plain sums and a histogram of fixed size for a while.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/entity.h"
#include "rollup/counts.h"
#include "rollup/duration_buckets.h"

namespace fluoro::rollup {

class Rollup;
struct Cell;
struct CellSample;

/// All sinks of a rollup share one, or have none: who adds to a cell without it may find there less
/// than was added. Not thread-safe.
class Accumulators {
 public:
  /// So many cells are summed at a time at most, in 2.7 KB each, or 5.2 KB where something went on
  /// after the answers.
  static constexpr std::size_t kCellsMax = 1'024;
  /// What Add takes: longer durations and larger weights go through AddAny.
  static constexpr std::int64_t kDurationMaxNs = 500 * kNsPerSecond;
  static constexpr std::int64_t kTimesMax = 1'024;

  /// @param rollup  outlives it.
  explicit Accumulators(Rollup& rollup) : rollup_(rollup) {}
  Accumulators(const Accumulators&) = delete;
  Accumulators& operator=(const Accumulators&) = delete;

  /// A sample of a node or of a call that is no link, and has ended.
  struct Ended {
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
    std::int64_t duration_ns = 0;  ///< between them, 0 to kDurationMaxNs
    std::int64_t times = 1;        ///< it is added, 1 to kTimesMax
    std::size_t bucket = 0;        ///< of the duration
    model::Outcome outcome = model::Outcome::kOk;
  };
  /// Before Add: for so many samples of these times. At most kTogetherMax.
  void Reserve(std::size_t samples, std::int64_t times) {
    held_ += static_cast<std::int64_t>(samples) * times;
    if (held_ > kHeldMax) [[unlikely]]
      SettleFor(static_cast<std::int64_t>(samples) * times);
  }
  static constexpr std::size_t kTogetherMax = 1'024;
  /// @param cell  its number in the rollup, of the series of a node.
  void AddNode(std::uint32_t cell, const Ended& sample, bool is_real, std::int64_t total_ns) {
    if (Sums* const sums = SumsOf(cell)) [[likely]] {
      if (total_ns != sample.duration_ns || sums->has_second) AddTotal(*sums, sample, total_ns);
      sums->Add(sample, is_real, false);
      if (sums->is_exact) AddMilliseconds(*sums, sample);
    } else {
      AddNodeToCell(cell, sample, is_real, total_ns);
    }
  }
  /// @param cell  likewise, of an edge that is no link.
  void AddCall(std::uint32_t cell, const Ended& sample, bool is_real) {
    if (Sums* const sums = SumsOf(cell)) [[likely]] {
      sums->Add(sample, is_real, true);
      if (sums->is_exact) AddMilliseconds(*sums, sample);
    } else {
      AddCallToCell(cell, sample, is_real);
    }
  }
  /// Any sample, of any series, added any number of times.
  void AddAny(const CellSample& sample, std::uint32_t cell);
  /// Gives the cells what is held. Before the rollup is read, merged or moved.
  void Settle();

 private:
  static constexpr std::size_t kBuckets = 512;
  static constexpr std::size_t kMilliseconds = 128;
  // Samples held, each as often as it counts: what their sums and counts have room for.
  static constexpr std::int64_t kHeldMax = std::int64_t{1} << 22;
  // The place of a cell: how many samples it was met with, up to kTrial; then that and where its
  // sums are.
  static constexpr std::uint32_t kTrial = 4;
  static constexpr std::uint32_t kNever = UINT32_MAX;  // has no sums, ever

  struct Histogram {
    std::array<std::uint32_t, kBuckets> buckets{};
    std::array<std::uint32_t, kMilliseconds> milliseconds{};
  };
  struct alignas(64) Sums {
    std::array<std::uint32_t, 16> ended{};  // by outcome, whether real, whether from real
    std::int64_t response_ns = 0;
    std::int64_t start_ns = INT64_MAX;
    std::int64_t end_ns = INT64_MIN;
    std::unique_ptr<Histogram> times, second;  // once made they are kept, empty
    std::uint32_t cell = 0;
    bool has_second = false;       // as the cell
    bool is_exact = false;         // milliseconds count
    bool is_second_exact = false;  // likewise
    bool is_over = false;          // the cell takes samples itself again

    void Add(const Ended& sample, bool is_real, bool is_from_real) {
      const auto times_added = static_cast<std::uint32_t>(sample.times);
      ended[static_cast<std::size_t>(sample.outcome) | (is_real ? 4U : 0U) |
            (is_from_real ? 8U : 0U)] += times_added;
      response_ns += sample.duration_ns * sample.times;
      // Seldom: it takes no way round through registers then.
      if (sample.start_ns < start_ns) [[unlikely]]
        start_ns = sample.start_ns;
      if (sample.end_ns > end_ns) [[unlikely]]
        end_ns = sample.end_ns;
      times->buckets[sample.bucket] += times_added;
    }
  };

  // Null: it is for the cell itself.
  Sums* SumsOf(std::uint32_t cell) {
    if (cell < places_.size()) [[likely]] {
      const std::uint32_t place = places_[cell] - kTrial;
      if (place < used_) [[likely]]
        return &sums_[place];
    }
    return Meet(cell);
  }
  Sums* Meet(std::uint32_t cell);
  [[nodiscard]] bool MayHaveSums(std::uint32_t cell) const;
  void Begin(Sums& sums, std::uint32_t number);
  void Follow(Sums& sums, const Cell& cell) const;
  void Flush(Sums& sums);
  static void Flush(Histogram& from, DurationCounts& to);
  void SettleFor(std::int64_t samples);
  void AddTotal(Sums& sums, const Ended& sample, std::int64_t total_ns);
  void AddMilliseconds(Sums& sums, const Ended& sample);
  void AddNodeToCell(std::uint32_t cell, const Ended& sample, bool is_real, std::int64_t total_ns);
  void AddCallToCell(std::uint32_t cell, const Ended& sample, bool is_real);

  Rollup& rollup_;
  std::vector<std::uint32_t> places_;  // by cell
  std::vector<Sums> sums_;
  std::size_t used_ = 0;  // of sums_
  std::int64_t held_ = 0;
};

}  // namespace fluoro::rollup
