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

// A chunk ends with the skeleton that takes its texts beyond this.
constexpr std::size_t kTextBytesMax = std::size_t{1} << 20;
// Of each skeleton its route, its reason and the texts of its root.
constexpr std::size_t kTextsInChunkMax =
    (2 + query::RootRequest::kFields.size()) * kSkeletonsInChunkMax;

Result<std::string_view> TextAt(const std::vector<std::string_view>& texts, std::uint64_t place) {
  if (place >= texts.size())
    return Fail(ErrorCode::kCorruption, "skeletons: one names a text that is not there");
  return texts[place];
}

// What is left of a chunk.
Result<std::vector<query::RootRequestView>> DecodeRoots(
    ByteReader& in, const std::vector<std::string_view>& texts) {
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(kSkeletonsInChunkMax));
  std::vector<query::RootRequestView> roots;
  for (std::uint64_t i = 0; i < count; ++i) {
    query::RootRequestView& root = roots.emplace_back();
    for (const auto field : query::RootRequestView::kFields) {
      FLUORO_TRY(const std::uint64_t place, in.TakeVarint());
      FLUORO_TRY(root.*field, TextAt(texts, place));
    }
  }
  if (in.left() > 0) return Fail(ErrorCode::kCorruption, "skeletons: bytes behind the last root");
  return roots;
}

Result<DroppedTrace> DecodeSkeleton(ByteReader& in, const std::vector<std::string_view>& texts,
                                    const std::vector<query::RootRequestView>& roots) {
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
  FLUORO_TRY(trace.route, TextAt(texts, route));
  FLUORO_TRY(const std::uint32_t reason, in.TakeFixed32());
  FLUORO_TRY(trace.reason, TextAt(texts, reason));
  FLUORO_TRY(trace.spans, in.TakeFixed32());
  FLUORO_TRY(trace.bytes, in.TakeFixed32());
  FLUORO_TRY(const std::uint32_t last, in.TakeFixed32());
  trace.outcomes = static_cast<std::uint8_t>(last & 0xffU);
  if (const std::uint32_t root = last >> 8U; root > 0) {
    if (root > roots.size())
      return Fail(ErrorCode::kCorruption, "skeletons: one names a root that is not there");
    trace.root = roots[root - 1];
  }
  return trace;
}

}  // namespace

std::uint32_t SkeletonEncoder::NumberOf(std::string_view text) {
  const auto [at, is_new] =
      numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(texts_.size()));
  if (is_new) {
    texts_.emplace_back(text);
    text_bytes_ += text.size();
  }
  return at->second;
}

std::uint32_t SkeletonEncoder::RootNumberOf(const query::RootRequestView& root) {
  Root texts{};
  for (std::size_t i = 0; i < texts.size(); ++i)
    texts.at(i) = NumberOf(root.*query::RootRequestView::kFields.at(i));
  const auto [at, is_new] =
      root_numbers_.try_emplace(texts, static_cast<std::uint32_t>(roots_.size()));
  if (is_new) roots_.push_back(texts);
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
  // 0 in the upper bytes: not known.
  const std::uint32_t root = trace.root ? 1 + RootNumberOf(*trace.root) : 0;
  out.PutFixed32(trace.outcomes | root << 8U);
  if (records_.size() < kSkeletonsInChunkMax * kSkeletonBytes && text_bytes_ < kTextBytesMax)
    return {};
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
  if (!roots_.empty()) {
    out.PutVarint(roots_.size());
    for (const Root& root : roots_) {
      for (const std::uint32_t text : root) out.PutVarint(text);
    }
  }
  roots_.clear();
  root_numbers_.clear();
  records_.clear();
  texts_.clear();
  text_bytes_ = 0;
  numbers_.clear();
  return put_(chunk, count);
}

Result<void> DecodeSkeletons(std::string_view chunk,
                             const std::function<void(const DroppedTrace&)>& use) {
  ByteReader in(chunk);
  FLUORO_TRY(const std::uint64_t text_count, in.TakeCount(kTextsInChunkMax));
  std::vector<std::string_view> texts;
  for (std::uint64_t i = 0; i < text_count; ++i) {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    texts.push_back(text);
  }
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(kSkeletonsInChunkMax));
  if (in.left() < count * kSkeletonBytes)
    return Fail(ErrorCode::kCorruption, "skeletons: their number and their bytes disagree");
  FLUORO_TRY(const std::string_view records, in.Take(count * kSkeletonBytes));
  std::vector<query::RootRequestView> roots;
  if (in.left() > 0) {
    FLUORO_TRY(roots, DecodeRoots(in, texts));
  }
  ByteReader each(records);
  for (std::uint64_t i = 0; i < count; ++i) {
    FLUORO_TRY(const DroppedTrace trace, DecodeSkeleton(each, texts, roots));
    use(trace);
  }
  return {};
}

}  // namespace fluoro::store
