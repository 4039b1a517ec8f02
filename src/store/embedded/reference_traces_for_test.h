// The trace table of a block in its three forms: docs/formats/block.md, sections 3, 8, 10, 12, 13.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/embedded/reference_reader_for_test.h"

namespace fluoro::store::reference {

/// Sections 3 and 8.
Result<void> ReadTraces(const std::string& bytes, std::uint64_t count, bool placed, Block& block);
/// Section 12. `codes`: the reasons for which the traces were kept.
Result<void> ReadTracePage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                           Block& block, std::vector<std::uint64_t>& codes);
/// Section 13. `by_id`: places of the traces in order of their ids.
Result<void> ReadIdPage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                        Block& block, std::vector<std::uint64_t>& by_id);
/// Section 10 and, in minor version 0, which reason is whose.
Result<void> ReadKept(const std::string& bytes, std::vector<std::uint64_t> codes, Block& block);

}  // namespace fluoro::store::reference
