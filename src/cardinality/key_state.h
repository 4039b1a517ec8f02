// What is remembered of one key. Plain values: the guard changes them, the store's file holds them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cardinality/block_values.h"
#include "cardinality/heavy_hitters.h"
#include "cardinality/hyper_log_log.h"
#include "cardinality/key_class.h"

namespace fluoro::cardinality {

inline constexpr std::int64_t kHourNs = 3'600 * kNsPerSecond;
/// Hours whose values are known apart: the window of budgets, the hour that goes on included.
inline constexpr std::size_t kHoursMax = 24;
/// Hours whose numbers are.
inline constexpr std::size_t kCurveHoursMax = 72;
/// Growth is seen over the last hour, by readings at least so far apart.
inline constexpr std::int64_t kReadingEveryNs = 600 * kNsPerSecond;
inline constexpr std::size_t kReadingsMax = 7;

/// Stored: never renumber.
enum class State : std::uint8_t {
  kOk = 0,
  kWatch = 1,   ///< it will soon have too many values
  kGuarded = 2  ///< it has: it is demoted
};
/// "ok", "watch", "guarded".
std::string_view StateName(State state);

/// Stored: never renumber.
enum class Why : std::uint8_t {
  kNone = 0,
  kHalf = 1,       ///< it has more than half of its budget
  kProjected = 2,  ///< at its growth of now it passes its budget within 24 hours
  kBudget = 3,     ///< it has as many values as its budget
  kUnique = 4,     ///< nearly all of its first values differ
  kIdLike = 5,     ///< most of its first values are ids
};
std::string_view WhyText(Why why);

struct Hour {
  std::int64_t hour = 0;  ///< since the Unix epoch
  std::uint64_t spans = 0;
  std::uint64_t bytes = 0;
  std::uint64_t index_bytes = 0;
  HyperLogLog distinct;
};
struct HourCount {
  std::int64_t hour = 0;
  std::uint64_t spans = 0;
  std::uint64_t distinct = 0;      ///< in that hour, about
  std::uint64_t distinct_day = 0;  ///< in the 24 hours up to its end, about
  bool operator==(const HourCount&) const = default;
};
struct Reading {
  std::int64_t at_ns = 0;
  std::uint64_t distinct_day = 0;
  bool operator==(const Reading&) const = default;
};

/// Hashes of the texts that were indexed before a key was guarded: those of the day that goes on,
/// and of the day before.
struct KnownValues {
  std::int64_t since_hour = 0;           ///< beginning of `today`
  std::vector<std::uint32_t> today;      ///< ascending
  std::vector<std::uint32_t> yesterday;  ///< ascending
  [[nodiscard]] bool Contains(std::uint32_t hash) const;
  [[nodiscard]] std::size_t bytes() const {
    return (today.capacity() + yesterday.capacity()) * sizeof(std::uint32_t);
  }
};

struct KeyState {
  std::uint8_t carriers = 0;  ///< Carrier bits
  bool has_texts = false;
  State state = State::kOk;
  Why why = Why::kNone;
  std::int64_t since_ns = 0;  ///< of the state
  std::int64_t first_seen_ns = 0;
  std::int64_t last_seen_ns = 0;
  std::uint64_t spans = 0;
  std::uint64_t bytes = 0;
  std::uint64_t index_bytes = 0;
  FirstValues first;
  std::vector<Hour> hours;        ///< ascending, at most kHoursMax
  std::vector<HourCount> curve;   ///< hours that are over, ascending, at most kCurveHoursMax
  std::vector<Reading> readings;  ///< ascending, at most kReadingsMax
  KnownValues known;
  HeavyHitters hitters;
  std::vector<std::string> examples;  ///< at most KeyValues::kExamplesMax

  /// All hours that count at `now_ns`, as one set.
  [[nodiscard]] HyperLogLog DistinctDay(std::int64_t now_ns) const;
  [[nodiscard]] std::size_t MemoryBytes() const;
};

}  // namespace fluoro::cardinality
