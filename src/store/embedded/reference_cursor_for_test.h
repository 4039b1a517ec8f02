// Steps of the reference reader: bytes, and the two encodings of a column.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fluoro::store::reference {

inline constexpr std::uint64_t kCountMax = std::uint64_t{1} << 24;

/// Walks bytes. Once it has failed it stays failed and gives zeros.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool done() const { return failed_ || at_ == bytes_.size(); }
  void Fail() { failed_ = true; }

  std::string Bytes(std::uint64_t count) {
    if (failed_ || count > bytes_.size() - at_) {
      failed_ = true;
      return {};
    }
    at_ += count;
    return std::string(bytes_.substr(at_ - count, count));
  }
  /// Little-endian, of 1 to 8 bytes.
  std::uint64_t Fixed(int count) {
    std::uint64_t value = 0;
    int place = 0;
    for (const char byte : Bytes(static_cast<std::uint64_t>(count))) {
      value |= std::uint64_t{static_cast<unsigned char>(byte)} << (8 * place++);
    }
    return value;
  }
  /// LEB128.
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (int place = 0; place < 10; ++place) {
      const std::uint64_t byte = Fixed(1);
      if (place == 9 && byte > 1) break;
      value |= (byte & 127) << (7 * place);
      if (byte < 128) return value;
    }
    failed_ = true;
    return 0;
  }
  /// 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
  std::int64_t Signed() { return UnZigZag(Varint()); }
  static std::int64_t UnZigZag(std::uint64_t value) {
    return static_cast<std::int64_t>(value % 2 == 0 ? value / 2 : ~(value / 2));
  }
  std::uint64_t Count() {
    const std::uint64_t count = Varint();
    if (count > kCountMax) failed_ = true;
    return failed_ ? 0 : count;
  }
  /// A length, then as many bytes.
  std::string Text() { return Bytes(Varint()); }

 private:
  std::string_view bytes_;
  std::uint64_t at_ = 0;
  bool failed_ = false;
};

/// `count` integers: docs/formats/block.md, ints.
std::vector<std::uint64_t> Ints(Cursor& in, std::uint64_t count, std::set<std::string>& seen);
/// `count` texts: docs/formats/block.md, texts.
std::vector<std::string> Texts(Cursor& in, std::uint64_t count, std::set<std::string>& seen,
                               std::uint64_t kind_max = 2);

}  // namespace fluoro::store::reference
