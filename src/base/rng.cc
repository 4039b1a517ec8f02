#include "base/rng.h"

#include <random>

namespace fluoro {

std::uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace fluoro
