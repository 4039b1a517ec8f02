// Durations, sizes and times as people type and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::cli {

/// "90s", "15m", "1h", "7d", "250ms"; a bare number means seconds. Nanoseconds, >= 0. Errors:
/// kInvalidArgument.
Result<std::int64_t> ParseDuration(std::string_view text);
/// "512MiB", "10GB", "4096". Bytes. Errors: kInvalidArgument.
Result<std::uint64_t> ParseSize(std::string_view text);
/// "2026-11-20T12:00:00Z" (fraction and offset allowed), Unix seconds with a fraction, "now", or a
/// duration back from now as "-15m". Nanoseconds since the epoch. Errors: kInvalidArgument.
Result<std::int64_t> ParseTime(std::string_view text, std::int64_t now_ns);

/// Three significant digits: "1.23 s", "45.6 ms", "789 µs", "12 ns".
std::string FormatDuration(std::int64_t ns);
/// "1.5 MiB".
std::string FormatBytes(std::uint64_t bytes);

}  // namespace fluoro::cli
