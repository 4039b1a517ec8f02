// Sums of calls by minute as bytes. docs/formats/block.md, "Calls".
#pragma once

#include "rollup/call_sums.h"
#include "store/embedded/minute_section.h"

namespace fluoro::store {

/// The column of a section kCallHours: `part` 0 is the header, n + 1 chunk n.
constexpr std::uint32_t CallPart(std::uint32_t facet, std::uint32_t part) {
  return facet << 20U | part;
}

using CallTable = MinuteTable<rollup::CallSums>;
using CallEncoder = MinuteEncoder<rollup::CallSums>;

extern template class MinuteEncoder<rollup::CallSums>;
extern template Result<CallTable> DecodeMinuteTable(std::string_view bytes);
extern template Result<void> AddMinuteChunk(std::string_view bytes, const CallTable& table,
                                            std::size_t chunk, const rollup::RollupWindow& minutes,
                                            std::vector<std::uint32_t>& numbers,
                                            rollup::CallSums& to);

}  // namespace fluoro::store
