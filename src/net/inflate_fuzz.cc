// First byte: the coding; the rest: what a client might have compressed.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "net/inflate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::net::ByteBudget;
  using fluoro::net::ByteCharge;
  using fluoro::net::Coding;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::size_t kBytesMax = 1 << 18;
  ByteBudget budget(2 * kBytesMax);
  ByteCharge charge(budget);
  const auto inflated =
      Inflate(static_cast<Coding>(data[0] % 4), input,
              {.bytes_max = kBytesMax, .ratio_max = 1'000, .free_bytes = 1 << 12}, charge);
  FLUORO_ASSERT(!inflated || inflated->size() <= kBytesMax);
  FLUORO_ASSERT(budget.used_bytes() <= kBytesMax + 1 + input.size());
  return 0;
}
