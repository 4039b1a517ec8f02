// A histogram of durations as whole counts: added up, taken away, and stored.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fluoro::rollup {

/// The counts behind a DurationHistogram: buckets (DurationBuckets), and whole milliseconds for as
/// long as there are at most kExactMax distinct ones. Counts may be below zero where something was
/// taken away that another histogram holds.
class DurationCounts {
 public:
  static constexpr std::size_t kExactMax = 100;

  /// Without milliseconds, as overflown: of what they are not asked of, and would take most room.
  static DurationCounts BucketsOnly() {
    DurationCounts counts;
    counts.overflown_ = true;
    return counts;
  }

  void Add(std::int64_t duration_ns, std::int64_t count);
  /// Counts by bucket, and of the same durations by whole millisecond: both from 0 on.
  /// `milliseconds` may be left out once they are overflown.
  void Add(std::span<const std::uint32_t> buckets, std::span<const std::uint32_t> milliseconds);
  /// The millisecond alone, of something whose bucket is added by itself. Not if overflown.
  void AddMillisecond(std::int64_t ms, std::int64_t count);
  /// Adds `other`, `times` times.
  void Merge(const DurationCounts& other, std::int64_t times = 1);

  struct Bucket {
    std::int16_t index = 0;
    std::int64_t count = 0;
    bool operator==(const Bucket&) const = default;
  };
  struct Millisecond {
    std::int64_t ms = 0;
    std::int64_t count = 0;
    bool operator==(const Millisecond&) const = default;
  };
  /// Those that are not zero, ascending.
  [[nodiscard]] std::vector<Bucket> Buckets() const;
  [[nodiscard]] std::vector<Millisecond> Milliseconds() const;
  /// Too many distinct milliseconds for a list of them.
  [[nodiscard]] bool overflown() const { return overflown_; }
  /// Whether of some millisecond more was taken away than added. Otherwise what is added may be
  /// added in any order.
  [[nodiscard]] bool HoldsLess() const;
  [[nodiscard]] bool IsZero() const;
  /// What was stored. `milliseconds` is empty if overflown.
  static DurationCounts Of(const std::vector<Bucket>& buckets,
                           std::vector<Millisecond> milliseconds, bool overflown);
  /// About the memory it holds beyond itself.
  [[nodiscard]] std::size_t bytes() const {
    return few_.capacity() * sizeof(Bucket) + many_.capacity() * sizeof(std::int64_t) +
           exact_.capacity() * sizeof(Millisecond);
  }

 private:
  static constexpr std::size_t kFewMax = 16;
  void AddBucket(std::int16_t bucket, std::int64_t count);
  void Spread(std::int16_t bucket);

  std::vector<Bucket> few_;         ///< ascending, while there are few
  std::vector<std::int64_t> many_;  ///< then one count a bucket, from first_ on
  std::int16_t first_ = 0;
  bool overflown_ = false;
  std::vector<Millisecond> exact_;  ///< ascending
};

}  // namespace fluoro::rollup
