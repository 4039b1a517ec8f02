// Streamed answers: instrumentations record one event a chunk, hundreds a span. What they tell is
// kept on the span, they themselves are not. Names: docs/genai.md, "Streaming".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::genai {

inline constexpr std::size_t kGapBuckets = 32;
/// Gap at which the bucket begins: 0, then from 64 us on two buckets for each doubling; the last
/// takes all from 2.1 s on.
std::int64_t GapBucketBeginNs(std::size_t bucket);

struct Stall {
  std::int64_t at_ns = 0;  ///< from the span's start to the chunk before
  std::int64_t gap_ns = 0;
  bool operator==(const Stall&) const = default;
};

/// Of the chunks of one span. Times from the span's start.
struct StreamSummary {
  std::int64_t chunks = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::int64_t gap_p50_ns = 0;  ///< nearest rank; 0 with one chunk
  std::int64_t gap_p95_ns = 0;
  std::int64_t gap_max_ns = 0;
  std::int64_t stalls = 0;            ///< gaps above five medians and half a second
  std::int64_t stall_ns = 0;          ///< all of them together
  std::vector<Stall> longest_stalls;  ///< at most kStallsMax, in order of time
  std::array<std::uint32_t, kGapBuckets> gaps{};
  bool operator==(const StreamSummary&) const = default;
};
inline constexpr std::size_t kStallsMax = 16;

/// True for the name of an event that stands for one chunk.
bool IsChunkEvent(std::string_view name);

/// As FoldChunks left it on the span, else of the span's own chunk events; null if there are none.
/// Pure.
std::optional<StreamSummary> StreamOf(const model::Span& span);

/// The span was ended before its answer was (the program gave the stream away). FoldChunks moved
/// its end to the last chunk.
bool EndsEarly(const model::Span& span);

struct Folded {
  std::uint64_t chunks = 0;
  std::uint64_t spans = 0;
};
/// Takes the chunk events of every span out and puts attributes `fluoro.stream.*` in their place.
/// Events that carry attributes are counted as chunks too, but stay. Chunks before the span's start
/// or more than an hour after its end are taken out and tell nothing. A batch without such events
/// is looked through once by the lengths of its events' names.
Folded FoldChunks(model::SpanBatch& batch);

}  // namespace fluoro::genai
