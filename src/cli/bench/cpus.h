// Which cores the load and the server run on.
#pragma once

#include "base/error.h"

namespace fluoro::cli::bench {

/// Two of the cores that this process may use.
struct Cores {
  int load = 0;
  int server = 1;
};
/// The first and the last. Errors: kUnsupported (there is one only).
Result<Cores> TwoCores();
/// The calling thread, and the threads and processes that it starts from now on.
void RunOn(int core);

}  // namespace fluoro::cli::bench
