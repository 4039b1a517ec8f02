// Any bytes: a file of rules is refused, or comes back equal from what it is printed as.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "sampling/rule_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = fluoro::sampling::ParseRuleFile({reinterpret_cast<const char*>(data), size});
  if (!file) {
    FLUORO_ASSERT(!file.error().message.empty());
    return 0;
  }
  const auto again = fluoro::sampling::ParseRuleFile(fluoro::sampling::PrintRuleFile(*file));
  FLUORO_ASSERT(again.has_value());
  FLUORO_ASSERT(*again == *file);
  return 0;
}
