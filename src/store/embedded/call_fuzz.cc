// Any bytes as a block's sums of calls: refused or safe to read.
// input := header_bytes:u16 header chunk
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "store/embedded/call_section.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;         // NOLINT(google-build-using-namespace): one function
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  std::uint16_t header_bytes = 0;
  if (size < sizeof header_bytes) return 0;
  std::memcpy(&header_bytes, data, sizeof header_bytes);
  const std::string_view rest(reinterpret_cast<const char*>(data) + sizeof header_bytes,
                              size - sizeof header_bytes);
  const auto table = DecodeCallTable(rest.substr(0, header_bytes));
  if (!table || header_bytes > rest.size()) return 0;
  (void)table->total.Rows();
  for (std::size_t chunk = 0; chunk < table->chunks.size() && chunk < 2; ++chunk) {
    rollup::CallSums to(rollup::kMinuteNs);
    if (!AddCallChunk(rest.substr(header_bytes), *table, chunk, {}, to)) continue;
    // What was read can be written again.
    CallEncoder encoder([](std::uint32_t, std::string_view) -> Result<void> { return {}; });
    (void)encoder.Add(to);
    (void)encoder.Finish();
  }
  return 0;
}
