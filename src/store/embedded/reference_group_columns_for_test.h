// Columns of a row group as the reference reader takes them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/embedded/reference_cursor_for_test.h"

namespace fluoro::store::reference {

/// Sections by number of column or place.
using Columns = std::map<std::uint64_t, std::string>;

/// A row group's sections: what its columns hold, and sections 14 (empty: none) and 15.
struct GroupSections {
  Columns columns;
  std::string zones;
  Columns filters;
};

/// Once a column has failed, all of it has.
class GroupColumns {
 public:
  GroupColumns(const Columns& columns, std::set<std::string>& seen)
      : columns_(columns), seen_(seen) {}
  /// Empty if the row group has none.
  [[nodiscard]] Cursor Column(std::uint64_t id) const {
    const auto at = columns_.find(id);
    return Cursor(at == columns_.end() ? std::string_view() : at->second);
  }
  std::vector<std::uint64_t> IntsOf(std::uint64_t column, std::uint64_t count) {
    Cursor in = Column(column);
    auto values = Ints(in, count, seen_);
    Check(in);
    return values;
  }
  std::vector<std::string> TextsOf(std::uint64_t column, std::uint64_t count) {
    Cursor in = Column(column);
    auto values = Texts(in, count, seen_);
    Check(in);
    return values;
  }
  void Check(const Cursor& in) { failed_ = failed_ || in.failed(); }
  void Fail() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::set<std::string>& seen() { return seen_; }

 private:
  const Columns& columns_;
  std::set<std::string>& seen_;
  bool failed_ = false;
};

}  // namespace fluoro::store::reference
