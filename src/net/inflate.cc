#include "net/inflate.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "net/http.h"

namespace fluoro::net {
namespace {

constexpr std::size_t kFirstOutputBytes = 16 << 10;
constexpr std::size_t kStepBytes = std::size_t{1} << 20;
/// The ratio must hold all along the way once this much is inflated, so that a bomb ends early.
constexpr std::size_t kRatioSoFarFreeBytes = std::size_t{8} << 20;
constexpr int kZstdWindowLogMax = 23;

std::size_t MultiplySaturated(std::size_t a, std::size_t b) {
  return a > std::numeric_limits<std::size_t>::max() / std::max<std::size_t>(b, 1)
             ? std::numeric_limits<std::size_t>::max()
             : a * b;
}

/// The result under construction: grows by doubling, up to the bound, each growth charged first.
class Output {
 public:
  /// `said_bytes`: size of the result as the input says it, 0 if it does not. Within the bounds the
  /// memory is taken at once, which spares copies; it may be wrong.
  Output(std::size_t input_bytes, std::size_t said_bytes, const InflateLimits& limits,
         ByteCharge& charge)
      : charge_(charge), limits_(limits) {
    bytes_max_ =
        std::min(limits.bytes_max,
                 std::max(limits.free_bytes, MultiplySaturated(input_bytes, limits.ratio_max)));
    if (said_bytes < bytes_max_) first_bytes_ = std::max(first_bytes_, said_bytes + 1);
  }

  /// Makes room for at least one byte more than is used.
  Result<void> MakeRoom() {
    if (used_ < buffer_.size()) return {};
    if (used_ > bytes_max_) return TooLarge();
    // The last step goes beyond half of the bound, so that old and new together stay well below
    // twice the bound. One byte beyond the bound tells "exactly full" from "too large".
    std::size_t wanted = std::max(first_bytes_, buffer_.size() * 2);
    const bool said = buffer_.empty() && first_bytes_ > kFirstOutputBytes;
    if (!said && wanted > bytes_max_ / 2) wanted = bytes_max_ + 1;
    if (!charge_.Grow(wanted - buffer_.size())) {
      return Fail(ErrorCode::kUnavailable, "too many request bytes in flight");
    }
    // Left as it is: a page that the body does not fill is never touched.
    buffer_.resize_and_overwrite(wanted, [wanted](char*, std::size_t) { return wanted; });
    return {};
  }
  [[nodiscard]] char* data() { return buffer_.data() + used_; }
  /// At most kStepBytes, so that Used is asked often enough.
  [[nodiscard]] std::size_t room() const { return std::min(buffer_.size() - used_, kStepBytes); }
  /// `bytes` more of the result came of the first `input_bytes` of the input.
  Result<void> Used(std::size_t bytes, std::size_t input_bytes) {
    used_ += bytes;
    if (used_ > kRatioSoFarFreeBytes && used_ > MultiplySaturated(input_bytes, limits_.ratio_max)) {
      return TooMuchForItsSize();
    }
    return {};
  }

  Result<std::string> Take() {
    if (used_ > bytes_max_) return TooLarge();
    buffer_.resize(used_);
    return std::move(buffer_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> TooLarge() const {
    if (bytes_max_ == limits_.bytes_max) {
      return Fail(ErrorCode::kTooLarge,
                  fmt::format("body is larger than {} bytes after decompression", bytes_max_));
    }
    return TooMuchForItsSize();
  }
  [[nodiscard]] std::unexpected<Error> TooMuchForItsSize() const {
    return Fail(ErrorCode::kTooLarge,
                fmt::format("body inflates to more than {} times its size", limits_.ratio_max));
  }

  std::string buffer_;
  std::size_t first_bytes_ = kFirstOutputBytes;
  std::size_t used_ = 0;
  std::size_t bytes_max_ = 0;
  ByteCharge& charge_;
  const InflateLimits& limits_;
};

std::unexpected<Error> Corrupt(std::string_view coding, std::size_t offset, std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("{}: byte {}: {}", coding, offset, what));
}

struct ZlibEnd {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;  // NOLINT(cppcoreguidelines-owning-memory): the owner is the unique_ptr around
  }
};

Result<std::string> InflateZlib(std::string_view name, int window_bits, bool members,
                                std::string_view input, Output out) {
  std::unique_ptr<z_stream, ZlibEnd> stream(new z_stream{});
  if (inflateInit2(stream.get(), window_bits) != Z_OK) {
    return Fail(ErrorCode::kUnavailable, "no memory for zlib");
  }
  std::size_t offset = 0;
  while (true) {
    FLUORO_CHECK_OK(out.MakeRoom());
    const std::size_t in_bytes = std::min<std::size_t>(input.size() - offset, 1U << 30);
    const std::size_t out_bytes = std::min<std::size_t>(out.room(), 1U << 30);
    // zlib reads through a pointer to non-const but never writes there.
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data() + offset));  // NOLINT
    stream->avail_in = static_cast<uInt>(in_bytes);
    stream->next_out = reinterpret_cast<Bytef*>(out.data());  // NOLINT
    stream->avail_out = static_cast<uInt>(out_bytes);
    const int code = inflate(stream.get(), Z_NO_FLUSH);
    offset += in_bytes - stream->avail_in;
    FLUORO_CHECK_OK(out.Used(out_bytes - stream->avail_out, offset));
    if (code == Z_STREAM_END) {
      if (offset == input.size()) return out.Take();
      if (!members) return Corrupt(name, offset, "bytes after the end");
      if (inflateReset(stream.get()) != Z_OK) return Corrupt(name, offset, "cannot go on");
      continue;
    }
    if (code == Z_BUF_ERROR || code == Z_OK) {
      const bool stuck = stream->avail_out > 0 && offset == input.size();
      if (stuck) return Corrupt(name, offset, "cut short");
      continue;
    }
    return Corrupt(name, offset, stream->msg != nullptr ? stream->msg : "damaged");
  }
}

bool HasZlibHeader(std::string_view input) {
  if (input.size() < 2) return false;
  const auto first = static_cast<unsigned char>(input[0]);
  const auto second = static_cast<unsigned char>(input[1]);
  return (first & 0x0f) == 8 && (first >> 4) <= 7 && (first * 256 + second) % 31 == 0;
}

Result<std::string> InflateZstd(std::string_view input, Output out) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  if (context == nullptr) return Fail(ErrorCode::kUnavailable, "no memory for zstd");
  if (ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax)) !=
      0) {
    return Fail(ErrorCode::kInternal, "zstd refuses its window bound");
  }
  ZSTD_inBuffer in{.src = input.data(), .size = input.size(), .pos = 0};
  while (true) {
    FLUORO_CHECK_OK(out.MakeRoom());
    ZSTD_outBuffer piece{.dst = out.data(), .size = out.room(), .pos = 0};
    const std::size_t code = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(code) != 0) return Corrupt("zstd", in.pos, ZSTD_getErrorName(code));
    FLUORO_CHECK_OK(out.Used(piece.pos, in.pos));
    if (in.pos < in.size) continue;
    if (code == 0) return out.Take();
    if (piece.pos < piece.size) return Corrupt("zstd", in.pos, "cut short");
  }
}

/// Size of the result as the input's own framing says it, 0 if it does not.
std::size_t SaidBytes(Coding coding, std::string_view input) {
  if (coding == Coding::kGzip && input.size() > 18) {  // header, trailer
    std::size_t bytes = 0;
    for (std::size_t i = 1; i <= 4; ++i) {  // ISIZE, RFC 1952: of the last member
      bytes = bytes << 8 | static_cast<unsigned char>(input[input.size() - i]);
    }
    return bytes;
  }
  if (coding == Coding::kZstd) {
    const auto bytes = ZSTD_getFrameContentSize(input.data(), input.size());
    if (bytes != ZSTD_CONTENTSIZE_UNKNOWN && bytes != ZSTD_CONTENTSIZE_ERROR) return bytes;
  }
  return 0;
}

}  // namespace

Result<Coding> ParseCoding(std::string_view value) {
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  const std::string name = LowerCase(value);
  if (name.empty() || name == "identity") return Coding::kIdentity;
  if (name == "gzip" || name == "x-gzip") return Coding::kGzip;
  if (name == "deflate") return Coding::kDeflate;
  if (name == "zstd") return Coding::kZstd;
  if (name.find(',') != std::string::npos) {
    return Fail(ErrorCode::kUnsupported,
                "Content-Encoding: one coding is supported at a time (gzip, deflate or zstd)");
  }
  return Fail(ErrorCode::kUnsupported,
              "Content-Encoding is not supported; use gzip, deflate, zstd or none");
}

Result<std::string> Inflate(Coding coding, std::string_view input, const InflateLimits& limits,
                            ByteCharge& charge) {
  if (input.empty()) return std::string{};
  Output out(input.size(), SaidBytes(coding, input), limits, charge);
  switch (coding) {
    case Coding::kIdentity:
      if (input.size() > limits.bytes_max) {
        return Fail(ErrorCode::kTooLarge,
                    fmt::format("body is larger than {} bytes", limits.bytes_max));
      }
      if (!charge.Grow(input.size())) {
        return Fail(ErrorCode::kUnavailable, "too many request bytes in flight");
      }
      return std::string(input);
    case Coding::kGzip:
      return InflateZlib("gzip", 16 + MAX_WBITS, true, input, std::move(out));
    case Coding::kDeflate:
      return InflateZlib("deflate", HasZlibHeader(input) ? MAX_WBITS : -MAX_WBITS, false, input,
                         std::move(out));
    case Coding::kZstd:
      return InflateZstd(input, std::move(out));
  }
  return Fail(ErrorCode::kInternal, "unknown coding");
}

}  // namespace fluoro::net
