// A filter's sieve on the columns of one row group: which of its traces may match, without making
// spans of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "query/sieve.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

/// One bit a run of `traces`: false where no trace that consists of this run alone can match. Reads
/// the columns that the probes need and no others. Pure. Errors: kCorruption, kUnsupported, those
/// of `column`.
Result<std::vector<bool>> SieveRowGroup(const query::Sieve& sieve, std::span<const TraceRun> traces,
                                        const ColumnReader& column);

}  // namespace fluoro::store
