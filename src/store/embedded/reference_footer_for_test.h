// What the footer of a block says: docs/formats/block.md, "Footer".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/embedded/reference_reader_for_test.h"

namespace fluoro::store::reference {

struct Section {
  std::uint64_t type = 0, codec = 0, row_group = 0, column = 0, offset = 0, stored = 0, raw = 0,
                sum = 0;
};

struct Footer {
  std::vector<Section> sections;
  std::uint64_t traces = 0, skeletons = 0;
};
/// The rest goes into `block`.
Result<Footer> ReadFooter(const std::string& bytes, Block& block);

}  // namespace fluoro::store::reference
