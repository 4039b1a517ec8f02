// Gives memory that was freed back to the system, so that resident memory follows what is in use.
#pragma once

#include <cstdint>
#include <optional>
#include <thread>

namespace fluoro::app {

/// Bytes of the process that are in memory; nullopt where the system does not say (no /proc).
std::optional<std::uint64_t> ResidentBytes();

/// A large answer is built of small pieces, and the allocator (jemalloc, but for builds with
/// sanitizers, which bring their own) keeps their pages for a while after they are freed: the sum
/// could be more than the memory promised. While it lives, a thread gives them back at once when
/// the process is above its bound.
class MemoryReturn {
 public:
  /// `resident_bytes_max`: below this nothing is given back. Where it is little, the heap keeps no
  /// pages that hold nothing and takes no huge ones, from here on.
  explicit MemoryReturn(std::uint64_t resident_bytes_max);

 private:
  std::jthread thread_;
};

}  // namespace fluoro::app
