// The object graph of one serving process.
#pragma once

#include <memory>

#include "cli/running_server.h"

namespace fluoro::app {

/// Opens the store, binds every listener, serves. All or nothing: an error leaves nothing behind.
Result<std::unique_ptr<cli::RunningServer>> StartServer(const cli::ServeConfig& config);

}  // namespace fluoro::app
