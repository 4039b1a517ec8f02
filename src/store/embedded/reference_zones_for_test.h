// Zones and filters say what the columns do: docs/formats/block.md, "Zones and filters".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/span.h"
#include "store/embedded/reference_attributes_for_test.h"

namespace fluoro::store::reference {

/// @param has_overflow  attributes of spans or resources stand outside the columns.
/// Errors: kCorruption, where a search would leave out what is there.
Result<void> CheckZones(const std::string& zones, const Columns& filters,
                        const std::vector<AttributeColumn>& directory, bool has_overflow,
                        const std::vector<model::Span>& spans, std::set<std::string>& seen);

}  // namespace fluoro::store::reference
