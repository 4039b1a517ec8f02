// What a command's exit status means.
#pragma once

#include "base/error.h"

namespace fluoro::cli {

enum ExitCode : int {
  kDone = 0,
  kNotFoundOrFailed = 1,  ///< nothing matched, or a check failed
  kWrongUse = 2,
  kUnreachable = 3,  ///< no server there
  kRefused = 4,      ///< the server said no
};

/// Prints "fluoro: <message>" to standard error and gives the code that fits.
int Report(const Error& error);

}  // namespace fluoro::cli
