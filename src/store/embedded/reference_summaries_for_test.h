// Trace summaries of the reference reader: docs/formats/block.md, "Trace summaries".
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"
#include "store/embedded/reference_reader_for_test.h"

namespace fluoro::store::reference {

/// Fills Block::summaries. After the trace table.
/// @param parts  0 is the header, from 1 on pages. Errors: kCorruption.
Result<void> ReadSummaries(const std::map<std::uint64_t, std::string>& parts, Block& block);

}  // namespace fluoro::store::reference
