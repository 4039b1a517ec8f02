// Protobuf wire bytes: a bounded reader that borrows, never allocates and never recurses; and the
// writing of single fields.
// Source: protobuf encoding, https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::codec::otlp::internal {

enum class WireType : std::uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

/// A tag as it stands on the wire: field number and wire type.
constexpr std::uint32_t Tag(std::uint32_t field, WireType type) {
  return (field << 3) | static_cast<std::uint32_t>(type);
}

/// What broke and where. The first failure stays.
struct WireError {
  const char* at = nullptr;
  const char* what = nullptr;
  ErrorCode code = ErrorCode::kCorruption;
};

/// Each Read... moves on and returns true, or notes the failure in the WireError and returns false.
class WireReader {
 public:
  WireReader(std::string_view bytes, WireError& error)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()), error_(error) {}

  [[nodiscard]] bool done() const { return p_ == end_; }

  bool ReadTag(std::uint32_t& tag) {
    const char* const start = p_;
    if (p_ != end_ && static_cast<unsigned char>(*p_) - 8U < 0x78U) {  // fields 1 to 15
      tag = static_cast<unsigned char>(*p_++);
      return true;
    }
    std::uint64_t value = 0;
    if (!ReadVarint(value)) return false;
    if (value > UINT32_MAX || (value >> 3) == 0) return Fail(start, "field number out of range");
    tag = static_cast<std::uint32_t>(value);
    return true;
  }

  bool ReadVarint(std::uint64_t& value) {
    if (p_ != end_ && static_cast<unsigned char>(*p_) < 0x80) {
      value = static_cast<unsigned char>(*p_++);
      return true;
    }
    return ReadLongVarint(value);
  }

  bool ReadFixed64(std::uint64_t& value) { return ReadFixed(value); }
  bool ReadFixed32(std::uint32_t& value) { return ReadFixed(value); }

  bool ReadBytes(std::string_view& bytes) {
    const char* const start = p_;
    std::uint64_t size = 0;
    if (!ReadVarint(size)) return false;
    if (size > static_cast<std::uint64_t>(end_ - p_)) {
      return Fail(start, "length runs past the end of its message");
    }
    bytes = std::string_view(p_, size);
    p_ += size;
    return true;
  }

  /// Skips the value that follows `tag`; groups up to their matching end.
  bool Skip(std::uint32_t tag) {
    std::array<std::uint32_t, kGroupsMax> open;
    std::size_t depth = 0;
    while (true) {
      if (!SkipOne(tag, open, depth)) return false;
      if (depth == 0) return true;
      if (done()) return Fail(p_, "group without end");
      if (!ReadTag(tag)) return false;
    }
  }

 private:
  static constexpr std::size_t kGroupsMax = 64;

  bool Fail(const char* at, const char* what, ErrorCode code = ErrorCode::kCorruption) {
    if (error_.what == nullptr) error_ = {at, what, code};
    return false;
  }

  template <class T>
  bool ReadFixed(T& value) {
    static_assert(std::endian::native == std::endian::little);
    if (static_cast<std::size_t>(end_ - p_) < sizeof(T)) return Fail(p_, "number is cut short");
    std::memcpy(&value, p_, sizeof(T));
    p_ += sizeof(T);
    return true;
  }

  bool ReadLongVarint(std::uint64_t& value) {
    const char* const start = p_;
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (p_ == end_) return Fail(start, "number is cut short");
      const auto byte = static_cast<unsigned char>(*p_++);
      result |= static_cast<std::uint64_t>(byte & 0x7f) << (shift < 64 ? shift : 63);
      if (byte < 0x80) {
        value = result;
        return true;
      }
    }
    return Fail(start, "number has more than 10 bytes");
  }

  bool SkipOne(std::uint32_t tag, std::array<std::uint32_t, kGroupsMax>& open, std::size_t& depth) {
    const char* const start = p_;
    std::uint64_t number = 0;
    std::uint32_t small_number = 0;
    std::string_view bytes;
    switch (static_cast<WireType>(tag & 7)) {
      case WireType::kVarint:
        return ReadVarint(number);
      case WireType::kFixed64:
        return ReadFixed64(number);
      case WireType::kBytes:
        return ReadBytes(bytes);
      case WireType::kFixed32:
        return ReadFixed32(small_number);
      case WireType::kGroup:
        if (depth == kGroupsMax) {
          return Fail(start, "groups nest deeper than 64 levels", ErrorCode::kTooLarge);
        }
        open[depth++] = tag >> 3;
        return true;
      case WireType::kEndGroup:
        if (depth == 0 || open[depth - 1] != tag >> 3) {
          return Fail(start, "end of a group that is not open");
        }
        --depth;
        return true;
    }
    return Fail(start, "unknown wire type");
  }

  const char* p_;
  const char* end_;
  WireError& error_;
};

/// Field numbers of AnyValue.
enum AnyValueField : std::uint32_t {
  kStringField = 1,
  kBoolField = 2,
  kIntField = 3,
  kDoubleField = 4,
  kArrayField = 5,
  kKvListField = 6,
  kBytesField = 7,
};

void AppendVarint(std::uint64_t value, std::string& out);
/// Tag, length and bytes.
void AppendField(std::uint32_t field, std::string_view bytes, std::string& out);
/// Tag and number.
void AppendVarintField(std::uint32_t field, std::uint64_t value, std::string& out);
void AppendFixed64Field(std::uint32_t field, std::uint64_t value, std::string& out);
void AppendFixed32Field(std::uint32_t field, std::uint32_t value, std::string& out);

}  // namespace fluoro::codec::otlp::internal
