// The directory of a row group's attribute columns: column 30 of docs/formats/block.md.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/embedded/bytes.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

struct AttributeColumnName {
  AttributeOwner owner = AttributeOwner::kSpan;
  model::AttributeType type = model::AttributeType::kNull;
  model::AttributeRole role = model::AttributeRole::kPlain;
  std::string_view key;  ///< borrowed from the bytes
};

/// By number of the column. Errors: kCorruption. Pure.
Result<std::vector<AttributeColumnName>> DecodeAttributeDirectory(ByteReader in);

}  // namespace fluoro::store
