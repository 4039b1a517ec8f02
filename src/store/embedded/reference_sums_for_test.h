// Sums by minute of the reference reader: docs/formats/block.md, "Rollups" and "Calls".
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/error.h"

namespace fluoro::store::reference {

/// Rows as text, as rollup::testing::Print gives them.
struct Sums {
  std::int64_t first_ns = 0, last_ns = 0;
  std::map<std::string, std::string> total;    ///< of the header
  std::map<std::string, std::string> minutes;  ///< of the chunks
};

/// @param parts  0 is the header, from 1 on chunks. Errors: kCorruption.
Result<Sums> ReadRollup(const std::map<std::uint64_t, std::string>& parts);
Result<Sums> ReadCalls(const std::map<std::uint64_t, std::string>& parts);

}  // namespace fluoro::store::reference
