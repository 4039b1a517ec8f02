#include "app/memory_return.h"

#ifdef FLUORO_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>

#include "base/thread_name.h"

#ifdef FLUORO_JEMALLOC
// Read by jemalloc when it is loaded. Few threads allocate at the same time: more arenas would only
// keep more of what was freed. Unused pages go back after ten seconds. What arenas take is of huge
// pages, where the system gives them to who asks: spans are written once and read once, far apart.
const char* malloc_conf = "narenas:2,muzzy_decay_ms:0,background_thread:true,thp:always";
#endif

namespace fluoro::app {
namespace {

constexpr std::chrono::milliseconds kLookEvery{250};
// Below this the pages that are kept for later, and the ends of huge ones, would be felt.
constexpr std::uint64_t kLittle = std::uint64_t{256} << 20;

// Pages go back as soon as they hold nothing, and none is huge.
void KeepNoPages() {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
#ifdef FLUORO_JEMALLOC
  unsigned arenas = 0;
  std::size_t bytes = sizeof arenas;
  if (mallctl("arenas.narenas", &arenas, &bytes, nullptr, 0) != 0) return;
  for (unsigned arena = 0; arena < arenas; ++arena) {
    ssize_t at_once = 0;
    const std::string setting = "arena." + std::to_string(arena) + ".dirty_decay_ms";
    mallctl(setting.c_str(), nullptr, nullptr, &at_once, sizeof at_once);
  }
#endif
}

// All pages that hold nothing, of all arenas.
void GivePagesBack() {
#ifdef FLUORO_JEMALLOC
  static const std::string purge = "arena." + std::to_string(MALLCTL_ARENAS_ALL) + ".purge";
  mallctl(purge.c_str(), nullptr, nullptr, nullptr, 0);
#endif
}

}  // namespace

std::optional<std::uint64_t> ResidentBytes() {
  // size resident shared ..., in pages
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(file >> size >> resident)) return std::nullopt;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

MemoryReturn::MemoryReturn(std::uint64_t resident_bytes_max) {
  if (resident_bytes_max < kLittle) KeepNoPages();
  thread_ = std::jthread([resident_bytes_max](const std::stop_token& stop) {
    NameThread("memory");
    std::mutex mutex;
    std::condition_variable_any wake;
    std::uint64_t useless = 0;  // what a trim could not get below: not tried again until it grows
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, kLookEvery, [&] { return stop.stop_requested(); })) {
      const auto resident = ResidentBytes();
      if (!resident || *resident <= resident_bytes_max) {
        useless = 0;
        continue;
      }
      if (*resident <= useless + resident_bytes_max / 8) continue;
      GivePagesBack();
      useless = ResidentBytes().value_or(0);
    }
  });
}

}  // namespace fluoro::app
