// How many random cases a test tries: few in ordinary runs, fewer under a sanitizer, more in
// `make soak`, which also gives new seeds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

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
inline std::uint64_t OnlyCase() { return NumberFromEnvironment("FLUORO_CASE", UINT64_MAX); }

}  // namespace fluoro::crash
