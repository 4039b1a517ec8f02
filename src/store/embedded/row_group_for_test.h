// A row group's columns in memory.
#pragma once

#include <utility>
#include <vector>

#include "store/embedded/row_group.h"

namespace fluoro::store::testing {

inline std::vector<EncodedColumn> FinishInMemory(RowGroupBuilder& builder,
                                                 RowGroupBuilder::Operations& operations) {
  std::vector<EncodedColumn> columns;
  (void)builder.Finish(operations, [&columns](EncodedColumn& column) -> Result<void> {
    columns.push_back(std::move(column));
    return {};
  });
  return columns;
}
inline std::vector<EncodedColumn> FinishInMemory(RowGroupBuilder& builder) {
  RowGroupBuilder::Operations operations;
  return FinishInMemory(builder, operations);
}

}  // namespace fluoro::store::testing
