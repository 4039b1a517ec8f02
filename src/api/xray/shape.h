// Input shapes of the operations, as the service model states them.
// Source: botocore's service model xray/2016-04-12; shape_test.cc compares the tables with it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fluoro::api::xray {

enum class ShapeKind : std::uint8_t {
  kString,
  kInteger,
  kLong,
  kDouble,
  kBoolean,
  kTimestamp,
  kList,
  kMap,
  kStructure,
};

struct Shape;

struct Member {
  std::string_view name;
  const Shape* shape = nullptr;
  bool required = false;
};

struct Shape {
  ShapeKind kind = ShapeKind::kString;
  /// Bounds of a string's code points, a list's or a map's elements or a number's value.
  std::optional<double> min{};
  std::optional<double> max{};
  std::span<const std::string_view> values{};  ///< strings: the enumeration, or empty
  std::span<const Member> members{};           ///< structures
  const Shape* element = nullptr;              ///< of lists; values of maps
  const Shape* key = nullptr;                  ///< of maps
  std::string_view pattern{};                  ///< strings: a regular expression, or empty
};

struct Operation {
  std::string_view name;
  std::string_view path;
  const Shape* input = nullptr;  ///< null: an operation we know by name only
};

/// All 38 operations of the model, by name.
std::span<const Operation> Operations();
/// Null if the path is none of X-Ray's.
const Operation* FindOperation(std::string_view path);

}  // namespace fluoro::api::xray
