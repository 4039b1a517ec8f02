// So many segments a second, and no more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"

namespace fluoro::api::xray {

/// A bucket that holds what a second gives. Thread-safe.
class Throttle {
 public:
  /// `per_second` 0: everything passes.
  explicit Throttle(std::uint32_t per_second)
      : per_second_(per_second), tokens_(static_cast<double>(per_second)) {}

  /// True if `count` may pass now. A request larger than the bucket passes when it is full, and is
  /// paid back in the time that follows.
  bool Take(std::size_t count, std::int64_t now_monotonic_ns) {
    if (per_second_ == 0) return true;
    const MutexLock lock(mutex_);
    if (filled_ns_ != 0) {
      const double seconds =
          static_cast<double>(now_monotonic_ns - filled_ns_) / static_cast<double>(kNsPerSecond);
      tokens_ = std::min(static_cast<double>(per_second_),
                         tokens_ + seconds * static_cast<double>(per_second_));
    }
    filled_ns_ = now_monotonic_ns;
    const double wanted = std::min(static_cast<double>(count), static_cast<double>(per_second_));
    if (tokens_ < wanted) return false;
    tokens_ -= static_cast<double>(count);
    return true;
  }

 private:
  const std::uint32_t per_second_;
  Mutex mutex_;
  double tokens_ FLUORO_GUARDED_BY(mutex_);
  std::int64_t filled_ns_ FLUORO_GUARDED_BY(mutex_) = 0;
};

}  // namespace fluoro::api::xray
