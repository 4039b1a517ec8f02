#include "cli/bench/cpus.h"

#include <sched.h>

namespace fluoro::cli::bench {

Result<Cores> TwoCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  if (CPU_COUNT(&allowed) < 2)
    return Fail(ErrorCode::kUnsupported, "--pin needs two cores, and this process may use one");
  Cores cores{.load = -1, .server = -1};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(static_cast<std::size_t>(core), &allowed)) continue;
    if (cores.load < 0) cores.load = core;
    cores.server = core;
  }
  return cores;
}

void RunOn(int core) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  CPU_SET(static_cast<std::size_t>(core), &wanted);
  ::sched_setaffinity(0, sizeof wanted, &wanted);
}

}  // namespace fluoro::cli::bench
