#include "app/memory_return.h"

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "net/socket.h"

namespace fluoro::app {
namespace {

constexpr int kMmapBytes = 1 << 20;
constexpr int kTrimBytes = 4 << 20;
constexpr std::chrono::milliseconds kLookEvery{250};

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
  mallopt(M_MMAP_THRESHOLD, kMmapBytes);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  thread_ = std::jthread([resident_bytes_max](const std::stop_token& stop) {
    net::NameThread("memory");
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
      malloc_trim(0);
      useless = ResidentBytes().value_or(0);
    }
  });
}

}  // namespace fluoro::app
