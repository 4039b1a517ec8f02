// A histogram of durations as whole counts: added up, taken away, and stored.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fluoro::rollup {

/// Log buckets of 4 % width over whole microseconds: floor(ln(us + 1) / ln 1.04).
std::int16_t BucketOf(std::int64_t ns);

/// The counts behind a DurationHistogram: buckets, and whole milliseconds for as long as there are
/// at most kExactMax distinct ones. Counts may be below zero where something was taken away that
/// another histogram holds.
class DurationCounts {
 public:
  static constexpr std::size_t kExactMax = 100;

  void Add(std::int64_t duration_ns, std::int64_t count);
  struct Times {
    std::int64_t duration_ns = 0;
    std::int64_t count = 0;
  };
  /// The same, one by one in order.
  void Add(std::span<const Times> times);
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
  void AddMillisecond(std::int64_t ms, std::int64_t count);
  void Spread(std::int16_t bucket);

  std::vector<Bucket> few_;         ///< ascending, while there are few
  std::vector<std::int64_t> many_;  ///< then one count a bucket, from first_ on
  std::int16_t first_ = 0;
  bool overflown_ = false;
  std::vector<Millisecond> exact_;  ///< ascending
};

}  // namespace fluoro::rollup
