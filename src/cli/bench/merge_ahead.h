// The merges that a store would do later, now.
#pragma once

#include <string>

namespace fluoro::cli::bench {

/// Opens the folder with a clock some hours ahead, so that the windows of arrival in which blocks
/// wait to be merged are over, and does every merge that is due then: the store's own code, once
/// through all levels. Returns an exit code.
int RunMergesAhead(const std::string& folder);

}  // namespace fluoro::cli::bench
