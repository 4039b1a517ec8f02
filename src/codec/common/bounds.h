// Bounds on decoded spans, for the codecs that build span objects (Zipkin, Jaeger, CSV).
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::common {

/// Cuts what exceeds the limits and repairs invalid UTF-8: names, keys and values are cut on a code
/// point, attributes, events and links beyond their number left out. Flags the span and counts in
/// `stats`. The span's resource and scope are not touched.
void ApplyLimits(const model::Limits& limits, model::Span& span, model::DecodeStats& stats);

/// The same for a resource; the flags are for the spans that have it.
std::uint32_t ApplyLimits(const model::Limits& limits, model::Resource& resource,
                          model::DecodeStats& stats);
/// Name and version.
std::uint32_t ApplyLimits(const model::Limits& limits, model::Scope& scope,
                          model::DecodeStats& stats);

/// True if a span that starts then may be kept; otherwise counted as rejected.
bool AcceptsStart(const model::Limits& limits, std::int64_t start_ns, model::DecodeStats& stats);

/// To be asked after each span: kTooLarge once the batch is larger than limits.batch_bytes_max.
Result<void> CheckRoom(const model::Limits& limits, const model::SpanBatch& batch);

/// Microseconds since the epoch or of a duration as nanoseconds; nullopt if negative or too large.
std::optional<std::int64_t> NsFromUs(double us);
std::optional<std::int64_t> NsFromUs(std::int64_t us);

}  // namespace fluoro::codec::common
