// Log records that name a span: events of it that came on their own.
#pragma once

#include <cstdint>
#include <vector>

#include "model/span.h"

namespace fluoro::model {

/// A further bit of Span::flags (SpanFlag): the span came as a log record, and its one event is an
/// event of its parent. Stored: never renumber.
inline constexpr std::uint32_t kLogRecord = 1U << 12;
static_assert(kLogRecord > kIncompleteEmbedded, "bits of SpanFlag");

[[nodiscard]] inline bool IsLogRecord(const Span& span) { return (span.flags & kLogRecord) != 0; }

/// Gives the events of log records to the spans that they name, in order of time, and takes the
/// records out. What names no span that is here stays. Nothing happens without any.
void AttachLogRecords(std::vector<Span>& spans);

}  // namespace fluoro::model
