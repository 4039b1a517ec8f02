// Contract checks, on in every build.
#pragma once

namespace fluoro {
/// Prints file, line and condition to standard error and aborts.
[[noreturn]] void AssertFailed(const char* condition, const char* file, int line);
}  // namespace fluoro

#define FLUORO_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::fluoro::AssertFailed(#condition, __FILE__, __LINE__))
