// Time comes in through this seam, so that a test can run a week in a millisecond.
#pragma once

#include <cstdint>

namespace fluoro {

inline constexpr std::int64_t kNsPerUs = 1'000;
inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock: nanoseconds since the Unix epoch. May jump.
  [[nodiscard]] virtual std::int64_t UnixNs() const = 0;
  /// Never goes back; only differences mean something.
  [[nodiscard]] virtual std::int64_t MonotonicNs() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t UnixNs() const override;
  [[nodiscard]] std::int64_t MonotonicNs() const override;
};

/// A clock that moves only when told.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t unix_ns) : unix_ns_(unix_ns) {}
  [[nodiscard]] std::int64_t UnixNs() const override {
    return __atomic_load_n(&unix_ns_, __ATOMIC_RELAXED);
  }
  [[nodiscard]] std::int64_t MonotonicNs() const override { return UnixNs(); }
  void Advance(std::int64_t ns) { __atomic_fetch_add(&unix_ns_, ns, __ATOMIC_RELAXED); }

 private:
  std::int64_t unix_ns_;
};

}  // namespace fluoro
