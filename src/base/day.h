// Calendar days of UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro {

/// Whole days since 1970-01-01, UTC.
using Day = std::int32_t;
inline constexpr std::int64_t kDayNs = 86'400'000'000'000;
Day DayOf(std::int64_t unix_ns);
/// "2026-11-29".
std::string DayText(Day day);
/// Errors: kInvalidArgument for what is no date of 1970 to 9999.
Result<Day> ParseDay(std::string_view text);

}  // namespace fluoro
