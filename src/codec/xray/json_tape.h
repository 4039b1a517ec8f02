// One JSON text as a flat list of nodes over a compact, repaired copy of it.
//
// X-Ray documents are read with this instead of a general parser because the codec needs what those
// leave out: the bytes of every value (documents come back as they were sent, numbers digit by
// digit), the byte offset of every error, numbers of any size, and mercy for `NaN` and `Infinity`
// (Python's encoder writes them). The test compares it with simdjson.
//
//   object := node (key node, value)*      array := node value*      node.next skips the whole
//   value
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::codec::xray {

class JsonTape {
 public:
  enum class Kind : std::uint8_t { kNull, kTrue, kFalse, kNumber, kString, kObject, kArray };

  struct Node {
    std::uint32_t begin;   ///< first byte in text(); strings include their quotes
    std::uint32_t end;     ///< behind the last byte
    std::uint32_t next;    ///< node behind this value
    std::uint32_t source;  ///< first byte in the text as given
    Kind kind;
    bool escaped;          ///< string with a backslash in it
    std::uint16_t height;  ///< levels of arrays and objects in this value; 0 for scalars
  };

  /// Reads one JSON value and white space around it. Afterwards text() is compact, strict JSON:
  /// white space is gone, `NaN`, `Infinity` and `-Infinity` are `null`, lone surrogate escapes are
  /// `\ufffd`. Takes about 1.4 bytes per byte of `json` and 20 per value. `json` must be valid
  /// UTF-8 of less than 2 GiB; no recursion. Errors: kCorruption ("byte 12: ..."); kTooLarge beyond
  /// `depth_max` levels. The memory of an earlier call is used again.
  Result<void> Parse(std::string_view json, std::uint32_t depth_max);

  static constexpr std::uint32_t kAbsent = 0;  ///< a null node that stands for "not there"
  static constexpr std::uint32_t kRoot = 1;    ///< the whole value

  [[nodiscard]] std::string_view text() const { return {text_.get(), text_bytes_}; }
  [[nodiscard]] const Node& node(std::uint32_t index) const { return nodes_[index]; }
  /// Some escape named half a surrogate pair.
  [[nodiscard]] bool repaired() const { return repaired_; }

  /// Bytes of a value in text().
  [[nodiscard]] std::string_view Raw(const Node& node) const {
    return {text_.get() + node.begin, node.end - node.begin};
  }
  /// Content of a string node; borrows from text() or, where it has escapes, from `scratch`.
  [[nodiscard]] std::string_view String(const Node& node, std::string& scratch) const;

 private:
  class Scanner;
  // Not vectors: these are written without being zeroed or checked for room byte by byte.
  std::unique_ptr<char[]> text_;
  std::size_t text_bytes_ = 0;
  std::size_t text_capacity_ = 0;
  std::unique_ptr<Node[]> nodes_;
  std::uint32_t nodes_count_ = 0;
  std::uint32_t nodes_capacity_ = 0;
  bool repaired_ = false;
};

}  // namespace fluoro::codec::xray
