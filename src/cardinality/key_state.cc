#include "cardinality/key_state.h"

#include <algorithm>
#include <array>

namespace fluoro::cardinality {

std::string_view StateName(State state) {
  constexpr std::array<std::string_view, 3> kNames{"ok", "watch", "guarded"};
  return kNames.at(static_cast<std::size_t>(state));
}

std::string_view WhyText(Why why) {
  constexpr std::array<std::string_view, 6> kTexts{
      "",
      "more than half of the budget",
      "passes the budget within 24 h at the present growth",
      "as many values as the budget",
      "nearly all of the first 200 values differ",
      "most of the first 200 values are ids"};
  return kTexts.at(static_cast<std::size_t>(why));
}

bool KnownValues::Contains(std::uint32_t hash) const {
  return std::ranges::binary_search(today, hash) || std::ranges::binary_search(yesterday, hash);
}

HyperLogLog KeyState::DistinctDay(std::int64_t now_ns) const {
  HyperLogLog day;
  const std::int64_t oldest = now_ns / kHourNs - static_cast<std::int64_t>(kHoursMax);
  for (const Hour& hour : hours) {
    if (hour.hour > oldest) day.Merge(hour.distinct);
  }
  return day;
}

std::size_t KeyState::MemoryBytes() const {
  std::size_t sum = sizeof *this + known.bytes() + first.ones().capacity() * sizeof(std::uint32_t) +
                    first.different().capacity() * sizeof(FirstValues::Value) +
                    hours.capacity() * sizeof(Hour) + curve.capacity() * sizeof(HourCount) +
                    readings.capacity() * sizeof(Reading);
  for (const Hour& hour : hours) sum += hour.distinct.bytes();
  for (const HeavyHitters::Entry& entry : hitters.entries())
    sum += sizeof entry + entry.text.capacity();
  for (const std::string& example : examples) sum += sizeof example + example.capacity();
  return sum;
}

}  // namespace fluoro::cardinality
