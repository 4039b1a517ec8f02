// Undoes Content-Encoding and grpc-encoding within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/byte_budget.h"

namespace fluoro::net {

enum class Coding : std::uint8_t { kIdentity, kGzip, kDeflate, kZstd };

/// Reads a Content-Encoding value: "", "identity", "gzip", "x-gzip", "deflate", "zstd" in any case.
/// Errors: kUnsupported for every other name and for more than one coding ("gzip, gzip").
Result<Coding> ParseCoding(std::string_view value);

struct InflateLimits {
  std::size_t bytes_max = std::size_t{64} << 20;  ///< of the result
  std::size_t ratio_max = 100;                    ///< result to input, above `free_bytes`; from
                                                  ///< 8 MiB on also to the input read so far
  std::size_t free_bytes = std::size_t{1} << 20;  ///< results up to this size need no ratio
};

/// Inflates a whole body. gzip may have many members, zstd many frames with windows up to 8 MiB
/// (RFC 9659); deflate is zlib's form, or raw as some clients send it. Memory grows with the result
/// and is charged to `charge` before it is taken. An empty input is an empty body.
/// Errors: kTooLarge (size or ratio), kCorruption (not of this coding, cut short, trailing bytes),
/// kUnavailable (the charge's budget is used up). Thread-safe: pure.
Result<std::string> Inflate(Coding coding, std::string_view input, const InflateLimits& limits,
                            ByteCharge& charge);

}  // namespace fluoro::net
