#include "rollup/counts.h"

#include <algorithm>
#include <functional>

#include "rollup/duration_buckets.h"

namespace fluoro::rollup {

void DurationCounts::Add(std::int64_t duration_ns, std::int64_t count) {
  const std::int64_t ns = std::max<std::int64_t>(duration_ns, 0);
  AddBucket(BucketOf(ns), count);
  if (!overflown_) AddMillisecond(DurationBuckets::Milliseconds(ns), count);
}

void DurationCounts::Add(std::span<const std::uint32_t> buckets,
                         std::span<const std::uint32_t> milliseconds) {
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] != 0) AddBucket(static_cast<std::int16_t>(i), buckets[i]);
  }
  for (std::size_t ms = 0; ms < milliseconds.size() && !overflown_; ++ms) {
    if (milliseconds[ms] != 0) AddMillisecond(static_cast<std::int64_t>(ms), milliseconds[ms]);
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
  if (times == 1 && few_.empty() && many_.empty()) {
    few_ = other.few_;
    many_ = other.many_;
    first_ = other.first_;
  } else {
    for (const Bucket& bucket : other.few_) AddBucket(bucket.index, bucket.count * times);
    for (std::size_t i = 0; i < other.many_.size(); ++i) {
      if (other.many_[i] != 0)
        AddBucket(static_cast<std::int16_t>(other.first_ + static_cast<int>(i)),
                  other.many_[i] * times);
    }
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

bool DurationCounts::HoldsLess() const {
  return std::ranges::any_of(exact_, [](const Millisecond& one) { return one.count < 0; });
}

bool DurationCounts::IsZero() const {
  return exact_.empty() &&
         std::ranges::all_of(few_, [](const Bucket& bucket) { return bucket.count == 0; }) &&
         std::ranges::all_of(many_, [](std::int64_t count) { return count == 0; });
}

DurationCounts DurationCounts::Of(const std::vector<Bucket>& buckets,
                                  std::vector<Millisecond> milliseconds, bool overflown) {
  DurationCounts counts;
  const bool ascending = std::ranges::adjacent_find(buckets, std::ranges::greater_equal(),
                                                    &Bucket::index) == buckets.end();
  if (ascending && buckets.size() <= kFewMax) {
    counts.few_ = buckets;
  } else {
    for (const Bucket& bucket : buckets) counts.AddBucket(bucket.index, bucket.count);
  }
  counts.overflown_ = overflown;
  if (!overflown) counts.exact_ = std::move(milliseconds);
  return counts;
}

}  // namespace fluoro::rollup
