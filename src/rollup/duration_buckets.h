// The buckets of histograms of durations.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace fluoro::rollup {

/// Log buckets of 4 % width over whole microseconds: floor(ln(us + 1) / ln 1.04). Pure.
///
/// A logarithm for each value is dear. The bucket of the lowest value with the same leading bits is
/// that of the value or the one below, and the bounds say which.
class DurationBuckets {
 public:
  static const DurationBuckets& Get();

  /// @param ns  not below zero.
  [[nodiscard]] std::int16_t Of(std::int64_t ns) const {
    return OfMicroseconds(Rounded<kNsPerUs>(ns));
  }
  /// To whole milliseconds. @param ns  not below zero.
  static std::int64_t Milliseconds(std::int64_t ns) { return Rounded<kNsPerMs>(ns); }

 private:
  DurationBuckets();

  template <std::int64_t kUnit>
  static std::int64_t Rounded(std::int64_t ns) {
    constexpr auto kDivisor = static_cast<std::uint64_t>(kUnit);
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(ns) + kDivisor / 2) / kDivisor);
  }
  [[nodiscard]] std::int16_t OfMicroseconds(std::int64_t microseconds) const {
    // A place is narrower than a bucket, so that at most one more begins in it.
    const auto bucket = static_cast<std::size_t>(first_of_[PlaceOf(microseconds)]);
    return static_cast<std::int16_t>(bucket + (microseconds >= lowest_[bucket + 1] ? 1 : 0));
  }

  static constexpr std::int64_t kMicrosecondsMax = INT64_MAX / kNsPerUs + 1;
  static constexpr unsigned kBits = 5;  // behind the leading one

  // By exponent and first bits of the next whole number as floating point. The greatest, which have
  // more bits than that holds, share a place.
  static std::size_t PlaceOf(std::int64_t microseconds) {
    constexpr std::uint64_t kOne = std::bit_cast<std::uint64_t>(1.0);
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(microseconds + 1));
    return (bits - kOne) >> (52 - kBits);
  }
  static std::int64_t LowestOf(std::size_t place) {
    constexpr std::uint64_t kOne = std::bit_cast<std::uint64_t>(1.0);
    const std::uint64_t bits = kOne + (std::uint64_t{place} << (52 - kBits));
    return static_cast<std::int64_t>(std::ceil(std::bit_cast<double>(bits))) - 1;
  }

  std::array<std::int16_t, std::size_t{54} << kBits> first_of_{};
  std::vector<std::int64_t> lowest_;  // by bucket
};

/// The bucket of a duration, which is not below zero.
inline std::int16_t BucketOf(std::int64_t ns) { return DurationBuckets::Get().Of(ns); }

}  // namespace fluoro::rollup
