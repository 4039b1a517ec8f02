#include "base/day.h"

#include <chrono>

namespace fluoro {

Day DayOf(std::int64_t unix_ns) {
  return static_cast<Day>(unix_ns / kDayNs - (unix_ns % kDayNs < 0 ? 1 : 0));
}

std::string DayText(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  std::string text(10, '-');
  const auto put = [&text](std::size_t at, std::size_t digits, unsigned value) {
    for (std::size_t i = digits; i-- > 0; value /= 10)
      text[at + i] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  return text;
}

Result<Day> ParseDay(std::string_view text) {
  const auto wrong = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                "'" + std::string(text.substr(0, 32)) + "' is no date like 2026-11-29");
  };
  const auto number = [&](std::size_t at, std::size_t digits) -> int {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
      if (text[i] < '0' || text[i] > '9') return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return wrong();
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 1'970 || month < 1 || day < 1) return wrong();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return wrong();
  return static_cast<Day>(std::chrono::sys_days(date).time_since_epoch().count());
}

}  // namespace fluoro
