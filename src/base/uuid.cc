#include "base/uuid.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "base/hex.h"
#include "base/rng.h"

namespace fluoro {

std::string NewUuid() {
  std::array<std::uint8_t, 16> bytes{};
  const std::array<std::uint64_t, 2> random{RandomSeed(), RandomSeed()};
  std::memcpy(bytes.data(), random.data(), bytes.size());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  std::string text = ToHex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, "-");
  return text;
}

}  // namespace fluoro
