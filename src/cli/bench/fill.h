// A store's folder as days of traffic would have left it.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "cli/bench/load.h"

namespace fluoro::cli::bench {

/// Stores the generated spans in the folder with a clock that goes along with them, sealing and
/// merging on the way, so that blocks are those of a server that took `options.over_ns` to receive
/// them. Errors: those of the store.
Result<void> FillFolder(const LoadOptions& options, const std::string& folder);

}  // namespace fluoro::cli::bench
