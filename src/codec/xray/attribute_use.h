// Which attributes of a span a document's members already tell, so that the rest can go to the
// metadata.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "model/span.h"

namespace fluoro::codec::xray {

/// Borrows the attributes.
class AttributeUse {
 public:
  using Names = std::initializer_list<std::string_view>;

  explicit AttributeUse(const std::vector<model::Attribute>& attributes)
      : attributes_(attributes), told_(attributes.size()) {}

  /// Those of these names whose text is exactly `text` are told.
  void Tell(Names names, std::string_view text);
  /// Those of these names whose text is part of `text` are told.
  void TellWithin(Names names, std::string_view text);
  void TellAll(std::string_view name);
  void TellAt(std::size_t index) { told_[index] = true; }
  [[nodiscard]] bool IsTold(std::size_t index) const { return told_[index]; }

 private:
  const std::vector<model::Attribute>& attributes_;
  std::vector<bool> told_;
};

}  // namespace fluoro::codec::xray
