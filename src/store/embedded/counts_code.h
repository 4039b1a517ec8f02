// Histograms of durations as bytes: `times` of docs/formats/block.md.
#pragma once

#include "base/error.h"
#include "rollup/counts.h"
#include "store/embedded/bytes.h"

namespace fluoro::store {

void PutCounts(const rollup::DurationCounts& counts, ByteWriter& out);
/// Errors: kCorruption.
Result<rollup::DurationCounts> TakeCounts(ByteReader& in);

}  // namespace fluoro::store
