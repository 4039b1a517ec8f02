// One row group of the reference reader: columns to spans.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/embedded/reference_group_columns_for_test.h"
#include "store/embedded/reference_reader_for_test.h"

namespace fluoro::store::reference {

/// Rows that follow each other and belong to one trace.
struct Run {
  Trace* trace;
  std::uint64_t rows;
};

/// Appends the spans to their traces. Errors: kCorruption.
Result<void> ReadRowGroup(const GroupSections& sections, const std::vector<Run>& runs,
                          std::set<std::string>& seen);

}  // namespace fluoro::store::reference
