// Binary fuse filters: sets of 64-bit keys in about 9 to 11 bits a key, that say of a key that is
// not in the set that it is one time in 256. Immutable once built.
//
// filter := seed:8 segment_bits:1 segments:varint fingerprints:((segments + 2) << segment_bits)
//
// Source: Graf, Lemire: Binary Fuse Filters: Fast and Smaller Than Xor Filters, ACM Journal of
// Experimental Algorithmics 27, 2022 (arXiv:2201.01174).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::store {

class FuseFilter {
 public:
  /// What texts are asked for by: XXH3-64.
  static std::uint64_t KeyOf(std::string_view text);
  /// @param keys  at least one; any may stand in it several times. Equal sets give equal bytes.
  /// Empty: it cannot be built, which does not happen to good hashes.
  static std::string Encode(std::vector<std::uint64_t> keys);
  /// What Encode makes of so many keys that differ, about.
  static std::size_t BytesOf(std::size_t keys);

  /// Borrows the bytes. Errors: kCorruption.
  static Result<FuseFilter> Decode(std::string_view bytes);
  [[nodiscard]] bool MayContain(std::uint64_t key) const;

 private:
  struct Shape;
  std::uint64_t seed_ = 0;
  unsigned segment_bits_ = 0;
  std::uint64_t segments_ = 0;
  std::string_view fingerprints_;
};

}  // namespace fluoro::store
