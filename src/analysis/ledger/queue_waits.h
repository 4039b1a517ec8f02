// Time between linked traces: how long messages waited in their queue, and whose work a batch is.
// Source of the rules: docs/genai.md, "The ledger".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/assembly.h"

namespace fluoro::analysis {

/// What is known of a span of another trace.
struct LinkedSpan {
  std::int64_t end_ns = 0;
  bool in_progress = false;
};
using FindLinkedSpan = std::function<std::optional<LinkedSpan>(const model::Link&)>;

/// One link from a step to what asked for it.
struct LinkWait {
  std::int32_t step = -1;
  model::TraceId trace_id;
  model::SpanId span_id;
  bool other_trace = false;
  /// From the message's sending (as the message says, else the end of the linked span) to the
  /// step's start. Nullopt: neither is known. 0 where clocks say that it came before it was sent.
  std::optional<std::int64_t> wait_ns = {};
  bool clocks_differ = false;
};
inline constexpr std::size_t kLinkWaitsMax = 100;

struct LinkWaits {
  std::vector<LinkWait> links;  ///< the first kLinkWaitsMax
  std::int64_t count = 0;       ///< of all: time and money of this trace are theirs in equal parts
};

/// Links of the trace's steps. `find` is asked once for each of them that is listed. Pure but for
/// it.
LinkWaits LinkWaitsOf(const model::AssembledTrace& trace, const FindLinkedSpan& find);

}  // namespace fluoro::analysis
