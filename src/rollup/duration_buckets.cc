#include "rollup/duration_buckets.h"

#include <cmath>

namespace fluoro::rollup {
namespace {

std::int16_t BucketByFormula(double microseconds) {
  static const double kLogWidth = std::log(1.04);
  return static_cast<std::int16_t>(std::floor(std::log(microseconds + 1) / kLogWidth));
}

}  // namespace

DurationBuckets::DurationBuckets() {
  for (std::size_t i = 0; i < first_of_.size(); ++i)
    first_of_[i] = BucketByFormula(static_cast<double>(LowestOf(i)));
  const std::int16_t last = BucketByFormula(static_cast<double>(kMicrosecondsMax));
  lowest_.resize(static_cast<std::size_t>(last) + 2, INT64_MAX);
  for (std::int16_t bucket = 0; bucket <= last; ++bucket) {
    std::int64_t below = -1;  // of a lower bucket
    std::int64_t inside = kMicrosecondsMax;
    while (inside - below > 1) {
      const std::int64_t middle = below + (inside - below) / 2;
      (BucketByFormula(static_cast<double>(middle)) < bucket ? below : inside) = middle;
    }
    lowest_[static_cast<std::size_t>(bucket)] = inside;
  }
}

const DurationBuckets& DurationBuckets::Get() {
  static const DurationBuckets kBuckets;
  return kBuckets;
}

}  // namespace fluoro::rollup
