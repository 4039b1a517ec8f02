// What the free space of the disk allows. docs/decisions/033-full-disks.md.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/fs.h"

namespace fluoro::store {

/// Printed in metrics: never renumber.
enum class DiskState : std::uint8_t {
  kEnough = 0,
  kLow = 1,   ///< old blocks go before their time
  kFull = 2,  ///< and nothing is taken in
};

struct DiskLimits {
  std::uint64_t low_bytes = 0;  ///< free: below this the disk is low
  std::uint64_t full_bytes = 0;
};

/// 5 and 2 per cent, at most 2 GiB and two fifths of that. Pure.
inline DiskLimits LimitsOf(const Fs::Space& space) {
  constexpr std::uint64_t kLowBytesMax = std::uint64_t{2} << 30;
  return {.low_bytes = std::min(space.total_bytes / 20, kLowBytesMax),
          .full_bytes = std::min(space.total_bytes / 50, kLowBytesMax / 5 * 2)};
}

/// What is to be free for the disk not to be low any more: an eighth above the limit, so that the
/// state does not change with every file.
inline std::uint64_t EnoughBytes(std::uint64_t limit_bytes) { return limit_bytes / 8 * 9; }

/// Pure.
inline DiskState JudgeDisk(const Fs::Space& space, DiskState before) {
  const DiskLimits limits = LimitsOf(space);
  const auto is_short_of = [&](std::uint64_t limit, DiskState state) {
    return space.free_bytes < (before >= state ? EnoughBytes(limit) : limit);
  };
  if (is_short_of(limits.full_bytes, DiskState::kFull)) return DiskState::kFull;
  return is_short_of(limits.low_bytes, DiskState::kLow) ? DiskState::kLow : DiskState::kEnough;
}

}  // namespace fluoro::store
