// `make soak` runs the same tests with other seeds and more of them.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace fluoro::crash {

inline std::uint64_t NumberFromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Added to every seed: FLUORO_SEED, 0 in ordinary runs.
inline std::uint64_t RunSeed() { return NumberFromEnvironment("FLUORO_SEED", 0); }
/// How many times as many random cases: FLUORO_SCALE, 1 in ordinary runs.
inline std::uint64_t Scale() { return NumberFromEnvironment("FLUORO_SCALE", 1); }

}  // namespace fluoro::crash
