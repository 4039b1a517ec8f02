// Writing and reading the primitive pieces of the store's files. Little-endian; varints are LEB128.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::store {

static_assert(std::endian::native == std::endian::little, "the file formats are little-endian");

inline std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t UnZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}
/// Differences of times wrap instead of overflowing: what was encoded comes back whatever it was.
inline std::int64_t WrapSub(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
inline std::int64_t WrapAdd(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// Appends to a string it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  void PutU8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void PutFixed16(std::uint16_t value) { PutRaw(&value, sizeof(value)); }
  void PutFixed32(std::uint32_t value) { PutRaw(&value, sizeof(value)); }
  void PutFixed64(std::uint64_t value) { PutRaw(&value, sizeof(value)); }
  void PutVarint(std::uint64_t value) {
    while (value >= 0x80) {
      PutU8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    PutU8(static_cast<std::uint8_t>(value));
  }
  void PutSigned(std::int64_t value) { PutVarint(ZigZag(value)); }
  void PutBytes(std::string_view bytes) { out_.append(bytes); }
  /// Length, then bytes.
  void PutText(std::string_view text) {
    PutVarint(text.size());
    PutBytes(text);
  }
  void PutRaw(const void* data, std::size_t bytes) {
    out_.append(static_cast<const char*>(data), bytes);
  }

 private:
  std::string& out_;
};

/// Walks bytes it does not own and never past their end. Every failure is kCorruption with the
/// offset.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] bool done() const { return left() == 0; }

  Result<std::uint8_t> TakeU8() { return TakeFixed<std::uint8_t>(); }
  Result<std::uint16_t> TakeFixed16() { return TakeFixed<std::uint16_t>(); }
  Result<std::uint32_t> TakeFixed32() { return TakeFixed<std::uint32_t>(); }
  Result<std::uint64_t> TakeFixed64() { return TakeFixed<std::uint64_t>(); }
  Result<std::uint64_t> TakeVarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (done()) return Short(1);
      const auto byte = static_cast<std::uint8_t>(bytes_[position_++]);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return Fail(ErrorCode::kCorruption,
                "byte " + std::to_string(position_) + ": a varint is longer than 64 bits");
  }
  Result<std::int64_t> TakeSigned() {
    FLUORO_TRY(const std::uint64_t value, TakeVarint());
    return UnZigZag(value);
  }
  /// A varint that counts or measures something: refused above `max`.
  Result<std::uint64_t> TakeCount(std::uint64_t max) {
    const std::size_t at = position_;
    FLUORO_TRY(const std::uint64_t value, TakeVarint());
    if (value > max) {
      return Fail(ErrorCode::kCorruption, "byte " + std::to_string(at) + ": count " +
                                              std::to_string(value) + " is above " +
                                              std::to_string(max));
    }
    return value;
  }
  Result<std::string_view> Take(std::uint64_t bytes) {
    if (bytes > left()) return Short(bytes);
    const std::string_view taken = bytes_.substr(position_, bytes);
    position_ += bytes;
    return taken;
  }
  Result<std::string_view> TakeText() {
    FLUORO_TRY(const std::uint64_t bytes, TakeVarint());
    return Take(bytes);
  }

 private:
  template <class T>
  Result<T> TakeFixed() {
    if (left() < sizeof(T)) return Short(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  [[nodiscard]] std::unexpected<Error> Short(std::uint64_t wanted) const {
    return Fail(ErrorCode::kCorruption, "byte " + std::to_string(position_) + ": " +
                                            std::to_string(wanted) + " bytes wanted, " +
                                            std::to_string(left()) + " left");
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
};

}  // namespace fluoro::store
