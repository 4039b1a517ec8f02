// NextToken: a position, bound to the request that it continues.
//
//   token    := hex(position tag:8)
//   tag      := XXH3-64(position, seed = XXH3-64(fingerprint)), little-endian
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/xray/errors.h"

namespace fluoro::api::xray {

/// Positions are at most this long, so that a token stays within 100 characters.
inline constexpr std::size_t kPositionBytesMax = 42;

/// Names what a token is good for: the operation and the members that must not change between
/// pages.
class Fingerprint {
 public:
  explicit Fingerprint(std::string_view operation) { Add(operation); }
  Fingerprint& Add(std::string_view text);
  Fingerprint& Add(std::int64_t number);
  [[nodiscard]] std::uint64_t Hash() const;

 private:
  std::string text_;  ///< length-prefixed parts
};

/// Writes and reads positions as fixed-width little-endian integers.
class PositionWriter {
 public:
  PositionWriter& Add(std::uint64_t number, int bytes);
  PositionWriter& Add(std::string_view bytes);
  [[nodiscard]] std::string Token(const Fingerprint& fingerprint) const;

 private:
  std::string position_;
};

class PositionReader {
 public:
  /// Errors: InvalidRequestException where the token is none of ours, of another request, or not
  /// `bytes` long.
  static ApiResult<PositionReader> Open(std::string_view token, const Fingerprint& fingerprint,
                                        std::size_t bytes);
  std::uint64_t Take(int bytes);
  std::string_view TakeText(std::size_t bytes);

 private:
  explicit PositionReader(std::string position) : position_(std::move(position)) {}
  std::string position_;
  std::size_t next_ = 0;
};

}  // namespace fluoro::api::xray
