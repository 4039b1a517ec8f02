// Samples on their way into a rollup's cells.
//
// A rollup of many series has more sums and counts than fit into the fast caches, and samples come
// by trace: each would find its cell far away. Noted first and sorted by cell, those of a cell are
// counted one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/entity.h"
#include "rollup/counts.h"

namespace fluoro::rollup {

class Rollup;
struct Cell;

/// What a sample adds to its cell.
struct PendingSample {
  enum class Kind : std::uint8_t { kNode, kCall, kLink };
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t other_ns = 0;  ///< nodes: with what went on after the answer; links: age
  std::int64_t times = 1;     ///< it is added
  std::uint32_t cell = 0;     ///< its number in the rollup
  Kind kind = Kind::kNode;
  model::Outcome outcome = model::Outcome::kOk;
  bool in_progress = false;
  bool real = false;
  bool from_real = false;
};

/// All sinks of a rollup share one, or have none. Not thread-safe.
class PendingSamples {
 public:
  /// So many are held at most, in about 0.9 MB with room to sort them.
  static constexpr std::size_t kSamplesMax = std::size_t{16} << 10;

  /// @param rollup  outlives it.
  explicit PendingSamples(Rollup& rollup) : rollup_(rollup) {}
  PendingSamples(const PendingSamples&) = delete;
  PendingSamples& operator=(const PendingSamples&) = delete;
  /// Room for one more sample: all of it is to be filled at once.
  PendingSample& Next() {
    if (next_ == end_) [[unlikely]]
      MakeRoom();
    return *next_++;
  }
  /// Counts what is held. Before the rollup is read, merged or moved.
  void Settle();

 private:
  void MakeRoom();
  void Count(Cell& cell, std::span<const std::uint32_t> places);

  Rollup& rollup_;
  std::vector<PendingSample> samples_;
  std::vector<std::uint32_t> sorted_;  ///< their places, by cell
  PendingSample* next_ = nullptr;      ///< in samples_
  PendingSample* end_ = nullptr;
  std::vector<std::uint32_t> counts_;                  ///< by cell; then where its samples go
  std::vector<std::uint32_t> cells_;                   ///< in order of appearance
  std::vector<DurationCounts::Times> times_, second_;  ///< as many as fit of one cell
};

}  // namespace fluoro::rollup
