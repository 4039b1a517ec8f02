// Any bytes as a block's sums by minute: refused or safe to read.
#include "store/embedded/rollup_section.h"
#include "store/embedded/sums_fuzz_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fluoro::store::FuzzSums<fluoro::rollup::Rollup>(data, size);
  return 0;
}
