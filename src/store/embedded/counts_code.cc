#include "store/embedded/counts_code.h"

#include <vector>

namespace fluoro::store {

using rollup::DurationCounts;

namespace {

constexpr std::uint64_t kBucketMax = 1'023;  // above that of the longest duration there is

}  // namespace

void PutCounts(const DurationCounts& counts, ByteWriter& out) {
  const auto buckets = counts.Buckets();
  const auto milliseconds = counts.Milliseconds();
  out.PutVarint(std::uint64_t{buckets.size()} << 1 | (counts.overflown() ? 1U : 0U));
  std::int64_t before = 0;
  for (const DurationCounts::Bucket& bucket : buckets) {
    out.PutVarint(static_cast<std::uint64_t>(bucket.index - before));
    out.PutSigned(bucket.count);
    before = bucket.index;
  }
  if (counts.overflown()) return;
  out.PutVarint(milliseconds.size());
  before = 0;
  for (const DurationCounts::Millisecond& one : milliseconds) {
    out.PutVarint(static_cast<std::uint64_t>(one.ms - before));
    out.PutSigned(one.count);
    before = one.ms;
  }
}

Result<DurationCounts> TakeCounts(ByteReader& in) {
  FLUORO_TRY(const std::uint64_t head, in.TakeCount(2 * kBucketMax + 3));
  std::vector<DurationCounts::Bucket> buckets(head >> 1);
  std::uint64_t place = 0;
  for (DurationCounts::Bucket& bucket : buckets) {
    FLUORO_TRY(const std::uint64_t step, in.TakeCount(kBucketMax));
    place += step;
    if (place > kBucketMax) return Fail(ErrorCode::kCorruption, "rollup: no such bucket");
    bucket.index = static_cast<std::int16_t>(place);
    FLUORO_TRY(bucket.count, in.TakeSigned());
  }
  if ((head & 1) != 0) return DurationCounts::Of(buckets, {}, true);
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(DurationCounts::kExactMax));
  std::vector<DurationCounts::Millisecond> milliseconds(count);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < milliseconds.size(); ++i) {
    FLUORO_TRY(const std::uint64_t step, in.TakeCount(INT64_MAX));
    if (i > 0 && step == 0) return Fail(ErrorCode::kCorruption, "rollup: milliseconds repeat");
    before = milliseconds[i].ms = WrapAdd(before, static_cast<std::int64_t>(step));
    if (before < 0) return Fail(ErrorCode::kCorruption, "rollup: no such millisecond");
    FLUORO_TRY(milliseconds[i].count, in.TakeSigned());
  }
  return DurationCounts::Of(buckets, std::move(milliseconds), false);
}

}  // namespace fluoro::store
