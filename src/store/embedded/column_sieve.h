// A filter's sieve on the columns of one row group: which of its traces may match, without making
// spans of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "query/sieve.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

/// Bytes of a column by its id, empty if the row group has none; borrowed until the call that got
/// this function ends.
using ColumnReader = std::function<Result<std::string_view>(std::uint32_t column)>;

/// One bit a run of `traces`: false where no trace that consists of this run alone can match. Reads
/// the columns that the probes need and no others. Pure. Errors: kCorruption, kUnsupported, those
/// of `column`.
Result<std::vector<bool>> SieveRowGroup(const query::Sieve& sieve, std::span<const TraceRun> traces,
                                        const ColumnReader& column);

}  // namespace fluoro::store
