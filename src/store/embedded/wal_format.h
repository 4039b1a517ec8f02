// Bytes of the write-ahead log: file header and frames. docs/formats/wal.md.
//
// file   := header (4 KiB: the 88-byte record at 0 and again at 2048) frame*
// record := magic:8 major:2 minor:2 zero:4 file_number:8 salt:16 first_lsn:8 last_good_lsn:8
//           created_ns:8 zero:16 sum:8; major 2: an encrypted file, its envelope stands behind
// frame  := sum:8 magic:4 type:1 codec:1 flags:2 stored:4 raw:4 lsn:8 synced_lsn:8 body:stored
//           padding to a multiple of 8
// sum    := XXH3-64 of everything behind it in the frame, seeded from salt and file number, so that
//           the bytes of another file never verify.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "model/ids.h"
#include "store/embedded/file_cipher.h"

namespace fluoro::store {

inline constexpr std::size_t kWalHeaderBytes = 4096;
inline constexpr std::size_t kFrameHeaderBytes = 40;
/// A longer body is cut into frames that all but the last carry kFrameContinued.
inline constexpr std::size_t kFrameBodyBytesMax = std::size_t{15} << 20;
/// A body after decompression.
inline constexpr std::uint32_t kRecordRawBytesMax = std::uint32_t{1} << 30;

struct WalHeader {
  std::uint64_t file_number = 0;
  std::array<std::uint8_t, 16> salt{};
  std::uint64_t first_lsn = 1;      ///< frames made for this file count from here
  std::uint64_t last_good_lsn = 0;  ///< the last one acknowledged before: those between are void
  std::int64_t created_ns = 0;
  std::optional<crypto::Envelope> envelope;  ///< of an encrypted file
};

std::string EncodeWalHeader(const WalHeader& header);
/// Errors: kCorruption (neither copy is whole), kUnsupported (a newer major version).
Result<WalHeader> DecodeWalHeader(std::string_view bytes);
/// Seed of every sum in that file.
std::uint64_t FrameSeed(const WalHeader& header);

enum class FrameType : std::uint8_t { kSpans = 1, kTombstone = 2 };
enum class FrameCodec : std::uint8_t { kNone = 0, kLz4 = 1 };
enum FrameFlag : std::uint16_t {
  kFrameContinued = 1U << 0,  ///< the body goes on in the next frame of the same LSN
  kFrameTail = 1U << 1,       ///< the body began in the frame before
  kFrameRewritten = 1U << 2,  ///< copied from a file that could not be trusted any more
};

struct FrameHeader {
  FrameType type = FrameType::kSpans;
  FrameCodec codec = FrameCodec::kNone;
  std::uint16_t flags = 0;
  std::uint32_t stored = 0;  ///< bytes of this frame's body
  std::uint32_t raw = 0;     ///< bytes of the whole record's body after decompression
  std::uint64_t lsn = 0;
  std::uint64_t synced_lsn = 0;  ///< the last LSN known durable when this was written
};

/// One record before it gets its LSN: compressed in the caller's thread.
struct EncodedRecord {
  FrameType type = FrameType::kSpans;
  FrameCodec codec = FrameCodec::kNone;
  std::uint32_t raw = 0;
  std::string body;
};
/// With kLz4 it is compressed where that saves. Errors: kTooLarge.
Result<EncodedRecord> EncodeRecord(FrameType type, std::string raw,
                                   FrameCodec codec = FrameCodec::kLz4);
/// Frames of records, to be written one behind the other. What needs no cipher is not copied: the
/// records must be there until then. Not thread-safe.
class Frames {
 public:
  /// @param cipher  of an encrypted file; then `place` is where in it the first of these will
  /// stand.
  void Add(const EncodedRecord& record, std::uint64_t lsn, std::uint64_t synced_lsn,
           std::uint16_t flags, std::uint64_t seed, const FileCipher* cipher = nullptr,
           std::uint64_t place = 0);
  void Clear();
  [[nodiscard]] std::span<const std::string_view> pieces() const { return pieces_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void Put(std::string_view piece);

  std::deque<std::string> held_;  // headers, and bodies that were sealed
  std::vector<std::string_view> pieces_;
  std::uint64_t bytes_ = 0;
};
/// Bytes of a record's frames, without a cipher.
std::size_t FramesBytes(const EncodedRecord& record);

/// A record read back, decompressed.
struct WalRecord {
  FrameHeader header;
  std::uint64_t offset = 0;
  std::string body;
};

/// What a walk over one file's frames found besides the records.
struct WalWalk {
  std::uint64_t end_offset = kWalHeaderBytes;  ///< behind the last whole record
  std::uint64_t garbage_bytes = 0;             ///< bytes that are neither frames nor zeros
  bool has_rewritten = false;
  std::uint64_t max_synced_lsn = 0;
  std::uint64_t min_lsn = UINT64_MAX;
  std::uint64_t max_lsn = 0;
};

/// A log file read piece by piece, so that a log larger than memory can be replayed: it holds a
/// frame, at least kWindowBytes. Not thread-safe.
class WalWindow {
 public:
  static constexpr std::size_t kWindowBytes = std::size_t{1} << 20;

  /// Of a file of which no byte below `size` goes away.
  WalWindow(const File& file, std::uint64_t size) : file_(&file), size_(size) {}
  /// Of bytes that are in memory.
  explicit WalWindow(std::string_view whole) : size_(whole.size()), view_(whole) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The bytes from `offset` on: `bytes` of them or more, fewer only at the file's end. Valid until
  /// the next call. Errors: kIo.
  Result<std::string_view> At(std::uint64_t offset, std::size_t bytes);

 private:
  const File* file_ = nullptr;
  std::uint64_t size_ = 0;
  std::string buffer_;
  std::string_view view_;  ///< of buffer_, or the whole
  std::uint64_t begin_ = 0;
};

/// How the frames of a file are read.
struct FrameReading {
  // NOLINTNEXTLINE(google-explicit-constructor): most files are not encrypted
  FrameReading(std::uint64_t sum_seed) : seed(sum_seed) {}
  FrameReading(std::uint64_t sum_seed, const FileCipher* file_cipher, bool no_key = false)
      : seed(sum_seed), cipher(file_cipher), is_locked(no_key) {}
  std::uint64_t seed;
  const FileCipher* cipher = nullptr;  ///< of an encrypted file
  bool is_locked = false;              ///< encrypted, no key: records come without their bodies
};

/// Calls `visit` for every whole record, in file order; bytes that do not verify are skipped up to
/// the next frame that does. `visit` may return an error to stop. With `only`, records of other
/// types are passed over without being decompressed. Errors: its, and kIo.
Result<WalWalk> WalkFrames(WalWindow& file, const FrameReading& how,
                           const std::function<Result<void>(WalRecord&)>& visit,
                           std::optional<FrameType> only = std::nullopt);
Result<WalWalk> WalkFrames(std::string_view file, const FrameReading& how,
                           const std::function<Result<void>(WalRecord&)>& visit);

/// Body of a kTombstone record: rows of these traces with LSN <= upto_lsn are gone.
struct Tombstone {
  std::uint64_t upto_lsn = 0;
  bool head_only =
      false;  ///< true: their blocks were dropped whole; false: blocks must forget them too
  std::vector<model::TraceId> ids;
};
std::string EncodeTombstone(const Tombstone& tombstone);
Result<Tombstone> DecodeTombstone(std::string_view body);

std::string WalFileName(std::uint64_t file_number);
/// 0: not the name of a WAL file.
std::uint64_t ParseWalFileName(std::string_view name);

}  // namespace fluoro::store
