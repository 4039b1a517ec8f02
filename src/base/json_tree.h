// One JSON text as a tree of values that know their byte offset, for inputs that are read member by
// member and whose errors must say where. Built on RapidJSON's parser; one flat vector of nodes and
// one string, no object a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fluoro {

struct JsonLimits {
  std::size_t depth_max = 64;           ///< levels of arrays and objects
  std::size_t values_max = 16'000'000;  ///< keys count too; 24 bytes each
};

enum class JsonType : std::uint8_t { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

/// "null", "true or false", "number", "string", "array", "object".
std::string_view JsonTypeName(JsonType type);

class JsonTree;

/// One value of a JsonTree, or nothing. Cheap to copy; borrows from the tree.
class JsonView {
 public:
  JsonView() = default;

  /// False for a member that is not there; all other functions then act as for null.
  [[nodiscard]] bool exists() const { return tree_ != nullptr; }
  [[nodiscard]] JsonType type() const;
  [[nodiscard]] bool IsNull() const { return type() == JsonType::kNull; }
  [[nodiscard]] bool IsArray() const { return type() == JsonType::kArray; }
  [[nodiscard]] bool IsObject() const { return type() == JsonType::kObject; }
  /// Byte of the text at which the value begins; 0 if it does not exist.
  [[nodiscard]] std::size_t offset() const;

  [[nodiscard]] std::optional<std::string_view> String() const;
  [[nodiscard]] std::optional<bool> Bool() const;
  /// Whole numbers in the range of int64 that were written without fraction and exponent.
  [[nodiscard]] std::optional<std::int64_t> Int() const;
  /// Any number.
  [[nodiscard]] std::optional<double> Double() const;

  /// The member of an object; the last one where a key is repeated.
  [[nodiscard]] JsonView operator[](std::string_view key) const;

  struct Member;
  /// Values of an array, in order; empty for everything else.
  [[nodiscard]] std::vector<JsonView> Elements() const;
  /// Members of an object, in order, repeated keys included; empty for everything else.
  [[nodiscard]] std::vector<Member> Members() const;

 private:
  friend class JsonTree;
  JsonView(const JsonTree& tree, std::uint32_t node) : tree_(&tree), node_(node) {}
  const JsonTree* tree_ = nullptr;
  std::uint32_t node_ = 0;
};

struct JsonView::Member {
  std::string_view key;
  JsonView value;
};

/// Movable (views of the moved-from tree end), not thread-safe while parsing.
class JsonTree {
 public:
  /// Errors: kCorruption "byte 12: ..."; kTooLarge beyond a limit. Invalid UTF-8 is passed through.
  /// `text` must be shorter than 4 GiB; strings are copied, so it may go afterwards.
  static Result<JsonTree> Parse(std::string_view text, const JsonLimits& limits = {});
  /// Reads one array, and hands each element to `visit` as soon as it is whole, so that memory is
  /// bounded by the largest element (values_max counts per element). Stops at the first error,
  /// `visit`'s included. Errors: as Parse; kCorruption if the text is not an array.
  static Result<void> ForEachElement(std::string_view text, const JsonLimits& limits,
                                     const std::function<Result<void>(JsonView)>& visit);

  [[nodiscard]] JsonView root() const { return JsonView(*this, 0); }

 private:
  friend class JsonView;
  class Builder;
  struct Node {
    JsonType type = JsonType::kNull;
    std::uint32_t offset = 0;
    std::uint32_t next = 0;   ///< node behind this value
    std::uint32_t bytes = 0;  ///< strings
    std::uint64_t payload = 0;
  };
  [[nodiscard]] std::string_view TextOf(const Node& node) const {
    return std::string_view(texts_).substr(node.payload, node.bytes);
  }
  std::vector<Node> nodes_;
  std::string texts_;
};

}  // namespace fluoro
