// The command line: parses, runs one command, gives its exit code.
#pragma once

#include "cli/running_server.h"

namespace fluoro::cli {

/// @return one of ExitCode. Installs no signal handlers but those of serve and demo.
int Run(int argc, char** argv, const ServerFactory& start_server);

}  // namespace fluoro::cli
