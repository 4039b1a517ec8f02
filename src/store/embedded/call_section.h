// Sums of calls by minute as bytes. docs/formats/block.md, "Calls".
#pragma once

#include "rollup/call_sums.h"
#include "store/embedded/minute_section.h"

namespace fluoro::store {

using CallTable = MinuteTable<rollup::CallSums>;
using CallEncoder = MinuteEncoder<rollup::CallSums>;

extern template class MinuteEncoder<rollup::CallSums>;
extern template Result<CallTable> DecodeMinuteTable(std::string_view bytes);
extern template Result<void> AddMinuteChunk(std::string_view bytes, const CallTable& table,
                                            std::size_t chunk, const rollup::RollupWindow& minutes,
                                            std::vector<std::uint32_t>& numbers,
                                            rollup::CallSums& to);

}  // namespace fluoro::store
