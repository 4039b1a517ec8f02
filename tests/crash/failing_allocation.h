// Allocation that fails once, in whichever thread asks: this program's operator new.
#pragma once

#include <cstdint>

namespace fluoro::crash {

/// The `number`-th allocation from now on throws std::bad_alloc. 0: none does. Thread-safe.
void FailAllocation(std::uint64_t number);

}  // namespace fluoro::crash
