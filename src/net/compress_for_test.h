// Compression for tests.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace fluoro::net {

/// `window_bits`: 31 gzip, 15 zlib, -15 raw deflate.
inline std::string Deflate(std::string_view text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
inline std::string Gzip(std::string_view text) { return Deflate(text, 31); }

inline std::string Zstd(std::string_view text, int level = 3) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), level));
  return out;
}

/// `mebibytes` of zeros: gzip members of 16 MiB each, as making one large member takes seconds.
inline std::string GzipBomb(std::size_t mebibytes) {
  const std::string member = Gzip(std::string(std::size_t{16} << 20, '\0'));
  std::string out;
  for (std::size_t done = 0; done < mebibytes; done += 16) out += member;
  return out;
}

/// `mebibytes` of zeros as one zstd frame.
inline std::string ZstdBomb(std::size_t mebibytes) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::string zeros(1 << 20, '\0');
  std::string out;
  std::string piece(1 << 16, '\0');
  for (std::size_t done = 1; done <= mebibytes; ++done) {
    const bool last = done == mebibytes;
    ZSTD_inBuffer in{zeros.data(), zeros.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer to{piece.data(), piece.size(), 0};
      left = ZSTD_compressStream2(context, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      out.append(piece, 0, to.pos);
    } while (last ? left != 0 : in.pos < in.size);
  }
  ZSTD_freeCCtx(context);
  return out;
}

}  // namespace fluoro::net
