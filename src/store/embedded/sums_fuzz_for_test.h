// What rollup_fuzz.cc and call_fuzz.cc do with any bytes as sums by minute: refused or safe to
// read. input := header_bytes:u16 header chunk
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "store/embedded/minute_section.h"

namespace fluoro::store {

template <class Sums>
void FuzzSums(const std::uint8_t* data, std::size_t size) {
  std::uint16_t header_bytes = 0;
  if (size < sizeof header_bytes) return;
  std::memcpy(&header_bytes, data, sizeof header_bytes);
  const std::string_view rest(reinterpret_cast<const char*>(data) + sizeof header_bytes,
                              size - sizeof header_bytes);
  const auto table = DecodeMinuteTable<Sums>(rest.substr(0, header_bytes));
  if (!table || header_bytes > rest.size()) return;
  (void)table->total.Rows();
  for (std::size_t chunk = 0; chunk < table->chunks.size() && chunk < 2; ++chunk) {
    Sums to(rollup::kMinuteNs);
    std::vector<std::uint32_t> numbers;
    if (!AddMinuteChunk(rest.substr(header_bytes), *table, chunk, {}, numbers, to)) continue;
    // What was read can be written again.
    MinuteEncoder<Sums> encoder([](std::uint32_t, std::string_view) -> Result<void> { return {}; });
    (void)encoder.Add(to);
    (void)encoder.Finish();
  }
}

}  // namespace fluoro::store
