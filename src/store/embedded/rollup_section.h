// Rollups by minute as bytes. docs/formats/block.md, section 9.
#pragma once

#include "rollup/rollup.h"
#include "store/embedded/minute_section.h"

namespace fluoro::store {

using RollupTable = MinuteTable<rollup::Rollup>;
using RollupEncoder = MinuteEncoder<rollup::Rollup>;

extern template class MinuteEncoder<rollup::Rollup>;
extern template Result<RollupTable> DecodeMinuteTable(std::string_view bytes);
extern template Result<void> AddMinuteChunk(std::string_view bytes, const RollupTable& table,
                                            std::size_t chunk, const rollup::RollupWindow& minutes,
                                            std::vector<std::uint32_t>& numbers,
                                            rollup::Rollup& to);

}  // namespace fluoro::store
