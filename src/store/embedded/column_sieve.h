// A filter's sieve on the columns of one row group: which of its traces may match, without making
// spans of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "query/sieve.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

/// The runs of a row group; asked for once at most, and only if rows must be told apart.
using RunReader = std::function<std::span<const TraceRun>()>;

/// One bit a run: false where no trace that consists of this run alone can match. Empty: none can.
/// Reads the columns that the probes need and no others; of these the different values first, and
/// which row has which only if some of them satisfy a probe. Pure. Errors: kCorruption,
/// kUnsupported, those of `column`.
Result<std::vector<bool>> SieveRowGroup(const query::Sieve& sieve, const RunReader& runs,
                                        const ColumnReader& column);

}  // namespace fluoro::store
