#include "model/weight.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

namespace fluoro::model {

std::int64_t WholeWeight(const TraceId& id, const Kept* kept) {
  if (kept == nullptr || kept->probability >= 1) return 1;
  constexpr double kWeightMax = 1e9;
  // Not the hash by which it was kept, which is below a bound.
  constexpr std::uint64_t kSeed = 1;
  const double weight = std::min(1 / kept->probability, kWeightMax);
  const double below = std::floor(weight);
  const double draw =
      static_cast<double>(XXH3_64bits_withSeed(id.bytes.data(), 16, kSeed)) * 0x1.0p-64;
  // 1 / 0.05 is 20.000000000000004 in some roundings.
  const double over = weight - below;
  return static_cast<std::int64_t>(below) + (over > 1e-9 && draw < over ? 1 : 0);
}

}  // namespace fluoro::model
