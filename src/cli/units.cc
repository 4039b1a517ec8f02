#include "cli/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/clock.h"

namespace fluoro::cli {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kDurations{Unit{"ns", 1},      Unit{"us", 1e3},     Unit{"ms", 1e6},
                                Unit{"s", 1e9},     Unit{"m", 60e9},     Unit{"h", 3600e9},
                                Unit{"d", 86400e9}, Unit{"w", 604800e9}, Unit{"", 1e9}};
constexpr std::array kSizes{Unit{"", 1},
                            Unit{"B", 1},
                            Unit{"kB", 1e3},
                            Unit{"KB", 1e3},
                            Unit{"MB", 1e6},
                            Unit{"GB", 1e9},
                            Unit{"TB", 1e12},
                            Unit{"KiB", 1024.0},
                            Unit{"MiB", 1048576.0},
                            Unit{"GiB", 1073741824.0},
                            Unit{"TiB", 1099511627776.0}};

template <std::size_t N>
std::optional<double> ParseWithUnit(std::string_view text, const std::array<Unit, N>& units) {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || !(number >= 0)) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& unit : units) {
    if (unit.name == name) {
      const double value = number * unit.factor;
      return value < 9.2e18 ? std::optional(value) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::unexpected<Error> Wrong(std::string_view text, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not {}", text, wanted));
}

// Takes exactly `digits` digits off the front.
bool TakeNumber(std::string_view& text, std::size_t digits, int& number) {
  if (text.size() < digits) return false;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + digits, number);
  if (failure != std::errc{} || end != text.data() + digits) return false;
  text.remove_prefix(digits);
  return true;
}

bool TakeChar(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> ParseRfc3339(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!TakeNumber(text, 4, year) || !TakeChar(text, "-") || !TakeNumber(text, 2, month) ||
      !TakeChar(text, "-") || !TakeNumber(text, 2, day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || year < 1970 || year > 2200) return std::nullopt;
  std::int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::sys_days(date).time_since_epoch())
                        .count();
  if (text.empty()) return ns;
  if (!TakeChar(text, "Tt ") || !TakeNumber(text, 2, hour) || !TakeChar(text, ":") ||
      !TakeNumber(text, 2, minute))
    return std::nullopt;
  if (TakeChar(text, ":") && !TakeNumber(text, 2, second)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  ns += (hour * 3600LL + minute * 60LL + second) * kNsPerSecond;
  if (TakeChar(text, ".")) {
    std::int64_t scale = kNsPerSecond / 10;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      ns += (text.front() - '0') * scale;
      scale /= 10;
      text.remove_prefix(1);
    }
  }
  if (text.empty() || text == "Z" || text == "z") return ns;
  const bool west = text.front() == '-';
  int offset_hours = 0, offset_minutes = 0;
  if (!TakeChar(text, "+-") || !TakeNumber(text, 2, offset_hours)) return std::nullopt;
  TakeChar(text, ":");
  if (!TakeNumber(text, 2, offset_minutes) || !text.empty()) return std::nullopt;
  const std::int64_t offset_ns = (offset_hours * 60LL + offset_minutes) * 60 * kNsPerSecond;
  return west ? ns + offset_ns : ns - offset_ns;
}

}  // namespace

Result<std::int64_t> ParseDuration(std::string_view text) {
  const auto ns = ParseWithUnit(text, kDurations);
  if (!ns) return Wrong(text, "a duration such as 90s, 15m, 1h or 7d");
  return static_cast<std::int64_t>(*ns);
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  const auto bytes = ParseWithUnit(text, kSizes);
  if (!bytes) return Wrong(text, "a size such as 512MiB or 10GB");
  return static_cast<std::uint64_t>(*bytes);
}

Result<std::int64_t> ParseTime(std::string_view text, std::int64_t now_ns) {
  if (text == "now") return now_ns;
  if (text.starts_with('-')) {
    FLUORO_TRY(const std::int64_t back_ns, ParseDuration(text.substr(1)));
    return now_ns - back_ns;
  }
  if (const auto ns = ParseRfc3339(text)) return *ns;
  // Unix seconds: whole part and up to nine digits, exactly.
  std::int64_t seconds = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (failure == std::errc{} && seconds >= 0 && seconds < 7'000'000'000 &&
      (rest.empty() || rest.front() == '.')) {
    std::int64_t ns = seconds * kNsPerSecond;
    std::int64_t scale = kNsPerSecond / 10;
    bool digits_only = true;
    for (const char c : rest.substr(rest.empty() ? 0 : 1)) {
      digits_only = digits_only && c >= '0' && c <= '9';
      ns += (c - '0') * scale;
      scale /= 10;
    }
    if (digits_only) return ns;
  }
  return Wrong(text, "a time such as 2026-11-20T12:00:00Z, Unix seconds, now or -15m");
}

std::string FormatDuration(std::int64_t ns) {
  const double value = static_cast<double>(ns);
  const auto three = [](double number, std::string_view unit) {
    const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f} {}", number, decimals, unit);
  };
  if (ns < kNsPerUs) return fmt::format("{} ns", ns);
  if (value < 999.5 * kNsPerUs) return three(value / kNsPerUs, "µs");
  if (value < 999.5 * kNsPerMs) return three(value / kNsPerMs, "ms");
  if (value < 120.0 * kNsPerSecond) return three(value / kNsPerSecond, "s");
  const std::int64_t seconds = ns / kNsPerSecond;
  if (seconds < 7200) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h {:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace fluoro::cli
