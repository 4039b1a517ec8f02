#include "base/rng.h"

#include <sys/random.h>

namespace fluoro {

// Not std::random_device: to make one takes longer than to read some spans.
std::uint64_t RandomSeed() {
  std::uint64_t seed = 0;
  // Fails only where a signal comes before the machine has gathered entropy.
  while (::getrandom(&seed, sizeof(seed), 0) != static_cast<ssize_t>(sizeof(seed))) {
  }
  return seed;
}

}  // namespace fluoro
