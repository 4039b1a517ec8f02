// Trace summaries of a block as bytes: a header with the texts, services and sets of services that
// they point to, and pages beside those of the trace table. docs/formats/block.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/stored_summary.h"
#include "store/embedded/block_format.h"

namespace fluoro::store {

/// Bounds of a block's summaries. A name that has no place is not known; where a service or a set
/// has none, the trace has no summary, or the set is not known.
inline constexpr std::size_t kSummaryTextsMax = 4'096;
inline constexpr std::size_t kSummaryTextBytesMax = 512;
inline constexpr std::size_t kSummaryKeysMax = 8'192;
inline constexpr std::size_t kSummarySetsMax = 32'768;
inline constexpr std::size_t kSummarySetKeysMax = 256;

/// All of a block. Immutable, thread-safe.
struct SummaryTable {
  model::SummaryTexts texts;
  std::vector<model::StoredSummary> traces;  ///< by place in the trace table
  [[nodiscard]] std::uint64_t MemoryBytes() const;
};

std::string EncodeSummaryHeader(const model::SummaryTexts& texts);
/// Errors: kCorruption, also where a place is none or a bound is exceeded; kUnsupported.
Result<model::SummaryTexts> DecodeSummaryHeader(std::string_view bytes);

/// @param summaries  of these entries of the trace table, one each.
std::string EncodeSummaryPage(std::span<const model::StoredSummary> summaries,
                              std::span<const TraceEntry> traces);
/// Fills `to`, one for each of `traces`. Errors: kCorruption, kUnsupported: also where a place is
/// none of `texts`.
Result<void> DecodeSummaryPage(std::string_view bytes, const model::SummaryTexts& texts,
                               std::span<const TraceEntry> traces,
                               std::span<model::StoredSummary> to);

}  // namespace fluoro::store
