// Reads the attributes of one owner by name, several names (old and new conventions) in order of
// preference.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/span.h"

namespace fluoro::model {

/// Text of a scalar: strings as they are, numbers and booleans as JSON prints them; empty
/// otherwise.
std::string ScalarText(const AttributeValue& value);
/// An int, an integral double, or a string holding one.
std::optional<std::int64_t> ScalarInteger(const AttributeValue& value);

/// Borrows the attributes. Only attributes of role kPlain are seen; of equal keys the last wins.
class AttributeReader {
 public:
  /// One name or several, in order of preference.
  class Names {
   public:
    // NOLINTBEGIN(google-explicit-constructor): calls read as lists of names
    Names(std::initializer_list<std::string_view> names) : names_(names.begin(), names.size()) {}
    template <std::size_t kCount>
    Names(const std::array<std::string_view, kCount>& names) : names_(names) {}
    // NOLINTEND(google-explicit-constructor)
    [[nodiscard]] auto begin() const { return names_.begin(); }
    [[nodiscard]] auto end() const { return names_.end(); }

   private:
    std::span<const std::string_view> names_;
  };

  explicit AttributeReader(const std::vector<Attribute>& attributes);

  [[nodiscard]] const AttributeValue* Find(std::string_view key) const;
  /// First of the names that has non-empty text.
  [[nodiscard]] std::string Text(Names names) const;
  [[nodiscard]] std::optional<std::int64_t> Integer(Names names) const;
  /// True if the attribute is the boolean true.
  [[nodiscard]] bool IsTrue(std::string_view key) const;
  [[nodiscard]] bool HasAny(Names names) const;
  /// Elements of an array of strings; a string counts as an array of one.
  [[nodiscard]] std::vector<std::string> Strings(std::string_view key) const;

 private:
  struct Entry {
    std::string_view key;
    const AttributeValue* value;
  };
  const std::vector<Attribute>& attributes_;
  std::vector<Entry> sorted_;  ///< only where a scan would be slow
};

}  // namespace fluoro::model
