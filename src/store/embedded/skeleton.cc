#include "store/embedded/skeleton.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "store/embedded/bytes.h"

namespace fluoro::store {
namespace {

std::uint32_t Saturated(std::uint64_t value) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

std::uint32_t SkeletonEncoder::NumberOf(std::string_view text) {
  const auto [at, is_new] =
      numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(texts_.size()));
  if (is_new) texts_.emplace_back(text);
  return at->second;
}

Result<void> SkeletonEncoder::Add(const DroppedTrace& trace) {
  const std::uint32_t route = NumberOf(trace.route);
  const std::uint32_t reason = NumberOf(trace.reason);
  ByteWriter out(records_);
  out.PutRaw(trace.id.bytes.data(), 16);
  out.PutFixed64(static_cast<std::uint64_t>(trace.start_ns));
  out.PutFixed64(static_cast<std::uint64_t>(trace.duration_ns));
  out.PutFixed64(trace.shape);
  out.PutFixed32(Saturated(
      static_cast<std::uint64_t>(std::max<std::int64_t>(trace.arrival_ns, 0) / kNsPerSecond)));
  out.PutFixed32(route);
  out.PutFixed32(reason);
  out.PutFixed32(Saturated(trace.spans));
  out.PutFixed32(Saturated(trace.bytes));
  out.PutFixed32(trace.outcomes);
  if (records_.size() < kSkeletonsInChunkMax * kSkeletonBytes) return {};
  return Finish();
}

Result<void> SkeletonEncoder::Finish() {
  if (records_.empty()) return {};
  std::string chunk;
  ByteWriter out(chunk);
  out.PutVarint(texts_.size());
  for (const std::string& text : texts_) out.PutText(text);
  const std::size_t count = records_.size() / kSkeletonBytes;
  out.PutVarint(count);
  out.PutBytes(records_);
  records_.clear();
  texts_.clear();
  numbers_.clear();
  return put_(chunk, count);
}

Result<void> DecodeSkeletons(std::string_view chunk,
                             const std::function<void(const DroppedTrace&)>& use) {
  ByteReader in(chunk);
  FLUORO_TRY(const std::uint64_t text_count, in.TakeCount(2 * kSkeletonsInChunkMax));
  std::vector<std::string_view> texts;
  for (std::uint64_t i = 0; i < text_count; ++i) {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    texts.push_back(text);
  }
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(kSkeletonsInChunkMax));
  if (in.left() != count * kSkeletonBytes)
    return Fail(ErrorCode::kCorruption, "skeletons: their number and their bytes disagree");
  for (std::uint64_t i = 0; i < count; ++i) {
    DroppedTrace trace;
    FLUORO_TRY(const std::string_view id, in.Take(16));
    std::memcpy(trace.id.bytes.data(), id.data(), 16);
    FLUORO_TRY(const std::uint64_t start, in.TakeFixed64());
    trace.start_ns = static_cast<std::int64_t>(start);
    FLUORO_TRY(const std::uint64_t duration, in.TakeFixed64());
    trace.duration_ns = static_cast<std::int64_t>(duration);
    FLUORO_TRY(trace.shape, in.TakeFixed64());
    FLUORO_TRY(const std::uint32_t arrival, in.TakeFixed32());
    trace.arrival_ns = std::int64_t{arrival} * kNsPerSecond;
    FLUORO_TRY(const std::uint32_t route, in.TakeFixed32());
    FLUORO_TRY(const std::uint32_t reason, in.TakeFixed32());
    if (route >= texts.size() || reason >= texts.size())
      return Fail(ErrorCode::kCorruption, "skeletons: one names a text that is not there");
    trace.route = texts[route];
    trace.reason = texts[reason];
    FLUORO_TRY(trace.spans, in.TakeFixed32());
    FLUORO_TRY(trace.bytes, in.TakeFixed32());
    FLUORO_TRY(const std::uint32_t outcomes, in.TakeFixed32());
    if (outcomes > 0xff) return Fail(ErrorCode::kCorruption, "skeletons: bytes that must be zero");
    trace.outcomes = static_cast<std::uint8_t>(outcomes);
    use(trace);
  }
  return {};
}

}  // namespace fluoro::store
