// Attributes of a row group: docs/formats/block.md, columns 30 to 44 and from 64 on.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/span.h"
#include "store/embedded/reference_group_columns_for_test.h"

namespace fluoro::store::reference {

struct AttributeColumn {
  std::uint64_t owner = 0, type = 0, role = 0;
  std::string key;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> texts;
  std::size_t next = 0;  ///< value that is not taken yet
};

/// Kinds of owners: resources, scopes, spans, events, links.
inline constexpr std::size_t kOwnerKinds = 5;
using OwnerCounts = std::array<std::uint64_t, kOwnerKinds>;

class Attributes {
 public:
  /// `columns` fails where anything is not as documented.
  Attributes(GroupColumns& columns, const OwnerCounts& counts);
  /// Of the i-th owner of that kind.
  [[nodiscard]] const std::vector<model::Attribute>& Of(std::size_t kind, std::size_t i) const {
    return owners_[kind][i];
  }
  /// In order of column 30.
  [[nodiscard]] const std::vector<AttributeColumn>& directory() const { return directory_; }

 private:
  void ReadDirectory();
  void ReadValues(const OwnerCounts& counts);
  std::vector<model::Attribute> AttributesOf(const std::string& shape, Cursor& overflow);

  GroupColumns& columns_;
  std::vector<AttributeColumn> directory_;
  std::array<std::vector<std::vector<model::Attribute>>, kOwnerKinds> owners_;
};

}  // namespace fluoro::store::reference
