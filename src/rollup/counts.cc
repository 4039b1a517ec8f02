#include "rollup/counts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/clock.h"

namespace fluoro::rollup {
namespace {

/// @param ns  not below zero.
template <std::int64_t kUnit>
std::int64_t RoundedQuotient(std::int64_t ns) {
  constexpr auto kDivisor = static_cast<std::uint64_t>(kUnit);
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(ns) + kDivisor / 2) / kDivisor);
}

std::int64_t WholeMicroseconds(std::int64_t ns) { return RoundedQuotient<kNsPerUs>(ns); }

std::int16_t BucketByFormula(double microseconds) {
  static const double kLogWidth = std::log(1.04);
  return static_cast<std::int16_t>(std::floor(std::log(microseconds + 1) / kLogWidth));
}

// A logarithm for each value is dear. The bucket of the lowest value with the same leading bits is
// that of the value or the one below, and the bounds say which.
class BucketTable {
 public:
  BucketTable() {
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

  [[nodiscard]] std::int16_t Find(std::int64_t microseconds) const {
    // A place is narrower than a bucket, so that at most one more begins in it.
    const auto bucket = static_cast<std::size_t>(first_of_[PlaceOf(microseconds)]);
    return static_cast<std::int16_t>(bucket + (microseconds >= lowest_[bucket + 1] ? 1 : 0));
  }

 private:
  static constexpr std::int64_t kMicrosecondsMax = INT64_MAX / kNsPerUs + 1;
  static constexpr unsigned kBits = 5;  // behind the leading one

  static std::size_t PlaceOf(std::int64_t microseconds) {
    const auto value = static_cast<std::uint64_t>(microseconds);
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= kBits + 1) return value;
    const unsigned shift = width - kBits - 1;
    return (std::size_t{shift} << kBits) + (value >> shift);
  }
  static std::int64_t LowestOf(std::size_t place) {
    if (place < std::size_t{2} << kBits) return static_cast<std::int64_t>(place);
    const std::size_t shift = (place >> kBits) - 1;
    return static_cast<std::int64_t>(
        ((std::uint64_t{1} << kBits) + (place & ((std::uint64_t{1} << kBits) - 1))) << shift);
  }

  std::array<std::int16_t, (55 - kBits) << kBits> first_of_{};
  std::vector<std::int64_t> lowest_;  ///< by bucket
};

const BucketTable& Table() {
  static const BucketTable kTable;
  return kTable;
}

std::int64_t WholeMilliseconds(std::int64_t ns) { return RoundedQuotient<kNsPerMs>(ns); }

}  // namespace

std::int16_t BucketOf(std::int64_t ns) { return Table().Find(WholeMicroseconds(ns)); }

void DurationCounts::Add(std::int64_t duration_ns, std::int64_t count) {
  const std::int64_t ns = std::max<std::int64_t>(duration_ns, 0);
  AddBucket(BucketOf(ns), count);
  if (!overflown_) AddMillisecond(WholeMilliseconds(ns), count);
}

void DurationCounts::Add(std::span<const Times> times) {
  const BucketTable& table = Table();
  for (const Times& one : times) {
    const std::int64_t ns = std::max<std::int64_t>(one.duration_ns, 0);
    const std::int16_t bucket = table.Find(WholeMicroseconds(ns));
    const auto at = static_cast<std::size_t>(bucket - first_);
    if (at < many_.size()) {
      many_[at] += one.count;
    } else {
      AddBucket(bucket, one.count);
    }
    if (!overflown_) AddMillisecond(WholeMilliseconds(ns), one.count);
  }
}

void DurationCounts::AddBucket(std::int16_t bucket, std::int64_t count) {
  if (many_.empty()) {
    const auto at = std::ranges::lower_bound(few_, bucket, {}, &Bucket::index);
    if (at != few_.end() && at->index == bucket) {
      at->count += count;
      return;
    }
    if (few_.size() < kFewMax) {
      few_.insert(at, {.index = bucket, .count = count});
      return;
    }
    first_ = few_.front().index;
    many_.assign(static_cast<std::size_t>(few_.back().index - first_) + 1, 0);
    for (const Bucket& one : few_) many_[static_cast<std::size_t>(one.index - first_)] = one.count;
    std::vector<Bucket>().swap(few_);
  }
  if (bucket < first_ || bucket >= first_ + static_cast<int>(many_.size())) Spread(bucket);
  many_[static_cast<std::size_t>(bucket - first_)] += count;
}

void DurationCounts::Spread(std::int16_t bucket) {
  if (bucket < first_) {
    many_.insert(many_.begin(), static_cast<std::size_t>(first_ - bucket), 0);
    first_ = bucket;
  } else {
    many_.resize(static_cast<std::size_t>(bucket - first_) + 1, 0);
  }
}

void DurationCounts::AddMillisecond(std::int64_t ms, std::int64_t count) {
  // Where they stand close together the place is known.
  auto at = exact_.begin();
  if (!exact_.empty() && ms > at->ms) {
    const auto steps = std::min<std::uint64_t>(
        static_cast<std::uint64_t>(ms) - static_cast<std::uint64_t>(at->ms), exact_.size() - 1);
    at += static_cast<std::ptrdiff_t>(steps);
  }
  if (at == exact_.end() || at->ms != ms)
    at = std::ranges::lower_bound(exact_, ms, {}, &Millisecond::ms);
  if (at != exact_.end() && at->ms == ms) {
    at->count += count;
    if (at->count == 0) exact_.erase(at);
    return;
  }
  if (count == 0) return;
  exact_.insert(at, {.ms = ms, .count = count});
  if (exact_.size() <= kExactMax) return;
  overflown_ = true;
  std::vector<Millisecond>().swap(exact_);
}

void DurationCounts::Merge(const DurationCounts& other, std::int64_t times) {
  for (const Bucket& bucket : other.few_) AddBucket(bucket.index, bucket.count * times);
  for (std::size_t i = 0; i < other.many_.size(); ++i) {
    if (other.many_[i] != 0)
      AddBucket(static_cast<std::int16_t>(other.first_ + static_cast<int>(i)),
                other.many_[i] * times);
  }
  if (other.overflown_ && !overflown_) {
    overflown_ = true;
    std::vector<Millisecond>().swap(exact_);
  }
  for (const Millisecond& one : other.exact_) {
    if (overflown_) return;
    AddMillisecond(one.ms, one.count * times);
  }
}

std::vector<DurationCounts::Bucket> DurationCounts::Buckets() const {
  std::vector<Bucket> buckets;
  buckets.reserve(few_.size());
  for (const Bucket& bucket : few_) {
    if (bucket.count != 0) buckets.push_back(bucket);
  }
  for (std::size_t i = 0; i < many_.size(); ++i) {
    if (many_[i] != 0)
      buckets.push_back(
          {.index = static_cast<std::int16_t>(first_ + static_cast<int>(i)), .count = many_[i]});
  }
  return buckets;
}

std::vector<DurationCounts::Millisecond> DurationCounts::Milliseconds() const { return exact_; }

bool DurationCounts::IsZero() const {
  return exact_.empty() &&
         std::ranges::all_of(few_, [](const Bucket& bucket) { return bucket.count == 0; }) &&
         std::ranges::all_of(many_, [](std::int64_t count) { return count == 0; });
}

DurationCounts DurationCounts::Of(const std::vector<Bucket>& buckets,
                                  std::vector<Millisecond> milliseconds, bool overflown) {
  DurationCounts counts;
  for (const Bucket& bucket : buckets) counts.AddBucket(bucket.index, bucket.count);
  counts.overflown_ = overflown;
  if (!overflown) counts.exact_ = std::move(milliseconds);
  return counts;
}

}  // namespace fluoro::rollup
