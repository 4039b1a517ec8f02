// How many random cases a test tries, and of which seeds: the same few in every ordinary run and a
// handful of new ones, fewer under a sanitizer; more, and only new ones, in `make soak`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace fluoro::crash {

inline std::uint64_t NumberFromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#ifdef __has_feature
#define FLUORO_HAS_FEATURE(x) __has_feature(x)
#else
#define FLUORO_HAS_FEATURE(x) 0
#endif
/// Under address, undefined or thread sanitizer everything takes about so many times as long:
/// random cases are divided by it. What is exhaustive stays exhaustive.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    FLUORO_HAS_FEATURE(address_sanitizer) || FLUORO_HAS_FEATURE(thread_sanitizer)
inline constexpr std::uint64_t kSanitizerDivisor = 10;
#else
inline constexpr std::uint64_t kSanitizerDivisor = 1;
#endif
#undef FLUORO_HAS_FEATURE

/// The seed of a whole run: FLUORO_SEED, 0 in ordinary runs.
inline std::uint64_t RunSeed() { return NumberFromEnvironment("FLUORO_SEED", 0); }
/// How many times as many random cases: FLUORO_SCALE, 1 in ordinary runs.
inline std::uint64_t Scale() { return NumberFromEnvironment("FLUORO_SCALE", 1); }
inline std::uint64_t Cases(std::uint64_t ordinary) {
  return std::max<std::uint64_t>(ordinary * Scale() / kSanitizerDivisor, 1);
}

/// The seed of case `number` of this run: no two runs share one. With FLUORO_CASE=<seed> a test
/// tries that case alone.
inline std::uint64_t CaseSeed(std::uint64_t number) { return RunSeed() * 1'000'000'000 + number; }
/// As RunSeed, but another one in each run of the program unless FLUORO_SEED says which: for the
/// cases that are new.
inline std::uint64_t NewRunSeed() {
  static const std::uint64_t kSeed = NumberFromEnvironment(
      "FLUORO_SEED", static_cast<std::uint64_t>(SystemClock().UnixNs() / kNsPerSecond));
  return kSeed;
}
/// The seed of new case `number`, which no CaseSeed is.
inline std::uint64_t NewCaseSeed(std::uint64_t number) {
  return NewRunSeed() * 1'000'000'000 + 500'000'000 + number;
}
/// Of a CaseSeed or NewCaseSeed.
inline std::uint64_t RunSeedOf(std::uint64_t case_seed) { return case_seed / 1'000'000'000; }
/// What to type to repeat a failure. `setting`: "FLUORO_CASE=7".
inline std::string Repeat(std::string_view setting, std::string_view test) {
  std::error_code unknown;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return std::string("repeat it with: ")
      .append(setting)
      .append(" ")
      .append(program.string())
      .append(" --gtest_filter=")
      .append(test);
}
inline std::uint64_t OnlyCase() { return NumberFromEnvironment("FLUORO_CASE", UINT64_MAX); }

}  // namespace fluoro::crash
