#include "failing_allocation.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace fluoro::crash {
namespace {

std::atomic<std::uint64_t> left = 0;  // until the one that fails

void Count() {
  if (left.load(std::memory_order_relaxed) == 0) return;
  if (left.fetch_sub(1, std::memory_order_relaxed) == 1) throw std::bad_alloc();
}

void* Checked(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void FailAllocation(std::uint64_t number) { left.store(number, std::memory_order_relaxed); }

static void* Allocate(std::size_t bytes) {
  Count();
  return Checked(std::malloc(bytes == 0 ? 1 : bytes));
}

static void* Allocate(std::size_t bytes, std::align_val_t alignment) {
  Count();
  const auto align = static_cast<std::size_t>(alignment);
  return Checked(std::aligned_alloc(align, (bytes + align - 1) / align * align));
}

}  // namespace fluoro::crash

// The other forms of new and delete end in these.
void* operator new(std::size_t bytes) { return fluoro::crash::Allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return fluoro::crash::Allocate(bytes, alignment);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
