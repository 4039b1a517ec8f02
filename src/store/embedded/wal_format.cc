#include "store/embedded/wal_format.h"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/assert.h"
#include "store/embedded/bytes.h"
#include "store/embedded/read_again.h"

namespace fluoro::store {
namespace {

// The log is written once and seldom read: a fifth more bytes for a third of the time.
constexpr int kLz4Acceleration = 12;

constexpr std::uint64_t kHeaderMagic = 0x314c4157'524f4c46ULL;  // "FLORWAL1"
constexpr std::uint32_t kFrameMagic = 0x4d415246U;              // "FRAM"
constexpr std::uint16_t kMajor = 1;
constexpr std::uint16_t kEncryptedMajor = 2;
constexpr std::uint16_t kMinor = 0;
constexpr std::size_t kRecordBytes = 88;
constexpr std::size_t kSecondCopy = 2048;
constexpr std::size_t kCopyBytes = kRecordBytes + crypto::kEnvelopeBytes;
// What a frame's cipher binds its body to: all of its header behind the sum.
constexpr std::size_t kBoundAt = 8;
constexpr std::uint8_t kTombstoneVersion = 1;

std::size_t Padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

Result<WalHeader> DecodeCopy(std::string_view bytes) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  FLUORO_TRY(const std::uint16_t major, in.TakeFixed16());
  FLUORO_CHECK_OK(in.Take(6));
  const std::uint64_t wanted = XXH3_64bits(bytes.data(), kRecordBytes - 8);
  std::uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + kRecordBytes - 8, 8);
  if (magic != kHeaderMagic || sum != wanted) {
    return Fail(ErrorCode::kCorruption, "WAL header: magic or sum is wrong");
  }
  if (major > kEncryptedMajor) {
    return Fail(ErrorCode::kUnsupported,
                "WAL header: version " + std::to_string(major) + " was written by a newer program");
  }
  WalHeader header;
  FLUORO_TRY(header.file_number, in.TakeFixed64());
  FLUORO_TRY(const std::string_view salt, in.Take(16));
  std::memcpy(header.salt.data(), salt.data(), 16);
  FLUORO_TRY(header.first_lsn, in.TakeFixed64());
  FLUORO_TRY(header.last_good_lsn, in.TakeFixed64());
  FLUORO_TRY(const std::uint64_t created, in.TakeFixed64());
  header.created_ns = static_cast<std::int64_t>(created);
  if (major == kEncryptedMajor) {
    FLUORO_TRY(header.envelope,
               crypto::DecodeEnvelope(bytes.substr(kRecordBytes, crypto::kEnvelopeBytes)));
  }
  return header;
}

FrameHeader LoadFrameHeader(std::string_view frame) {
  FLUORO_ASSERT(frame.size() >= kFrameHeaderBytes);
  FrameHeader header;
  std::memcpy(&header.type, frame.data() + 12, 1);
  std::memcpy(&header.codec, frame.data() + 13, 1);
  std::memcpy(&header.flags, frame.data() + 14, 2);
  std::memcpy(&header.stored, frame.data() + 16, 4);
  std::memcpy(&header.raw, frame.data() + 20, 4);
  std::memcpy(&header.lsn, frame.data() + 24, 8);
  std::memcpy(&header.synced_lsn, frame.data() + 32, 8);
  return header;
}

// The frame at `offset` with its padding, if its bytes verify; else empty.
Result<std::string_view> VerifyFrame(WalWindow& file, std::uint64_t offset, std::uint64_t seed,
                                     FrameHeader& header) {
  constexpr std::string_view kNone;
  const std::uint64_t left = file.size() - offset;
  if (left < kFrameHeaderBytes) return kNone;
  FLUORO_TRY(std::string_view at, file.At(offset, kFrameHeaderBytes));
  if (at.size() < kFrameHeaderBytes) return kNone;
  std::uint32_t magic = 0;
  std::memcpy(&magic, at.data() + 8, 4);
  if (magic != kFrameMagic) return kNone;
  header = LoadFrameHeader(at);
  if (header.stored > left - kFrameHeaderBytes || header.stored > kFrameBodyBytesMax) return kNone;
  const std::size_t frame_bytes = kFrameHeaderBytes + header.stored;
  const std::size_t padded = std::min<std::size_t>(left, Padded(frame_bytes));
  FLUORO_TRY(at, file.At(offset, padded));
  if (at.size() < padded) return kNone;
  std::uint64_t sum = 0;
  std::memcpy(&sum, at.data(), 8);
  const bool good = sum == XXH3_64bits_withSeed(at.data() + 8, frame_bytes - 8, seed);
  return good ? at.substr(0, padded) : kNone;
}

// Adds what a frame holds to the record's body. False: it does not decrypt.
bool AppendBody(const FileCipher* cipher, std::uint64_t place, std::string_view frame,
                std::string_view body, std::string& to) {
  if (cipher == nullptr) {
    to.append(body);
    return true;
  }
  std::string piece(body);
  if (!cipher->Open(place, frame.substr(kBoundAt, kFrameHeaderBytes - kBoundAt), piece))
    return false;
  to.append(piece);
  return true;
}

Result<std::string> Decompress(const FrameHeader& header, std::string body) {
  if (header.codec == FrameCodec::kNone) {
    if (body.size() != header.raw) return Fail(ErrorCode::kCorruption, "WAL frame: length differs");
    return body;
  }
  if (header.codec != FrameCodec::kLz4) {
    return Fail(ErrorCode::kUnsupported, "WAL frame: unknown codec");
  }
  // LZ4 expands at most 255 times: a larger promise is a lie, refused before memory is taken.
  if (header.raw > kRecordRawBytesMax || header.raw / 255 > body.size()) {
    return Fail(ErrorCode::kCorruption, "WAL frame: raw length is impossible");
  }
  std::string raw(header.raw, '\0');
  const int got = LZ4_decompress_safe(body.data(), raw.data(), static_cast<int>(body.size()),
                                      static_cast<int>(raw.size()));
  if (got < 0 || static_cast<std::uint32_t>(got) != header.raw) {
    return Fail(ErrorCode::kCorruption, "WAL frame: LZ4 data is broken");
  }
  return raw;
}

}  // namespace

std::string EncodeWalHeader(const WalHeader& header) {
  std::string record;
  ByteWriter out(record);
  out.PutFixed64(kHeaderMagic);
  out.PutFixed16(header.envelope ? kEncryptedMajor : kMajor);
  out.PutFixed16(kMinor);
  out.PutFixed32(0);
  out.PutFixed64(header.file_number);
  out.PutRaw(header.salt.data(), header.salt.size());
  out.PutFixed64(header.first_lsn);
  out.PutFixed64(header.last_good_lsn);
  out.PutFixed64(static_cast<std::uint64_t>(header.created_ns));
  record.resize(kRecordBytes - 8, '\0');
  out.PutFixed64(XXH3_64bits(record.data(), record.size()));
  FLUORO_ASSERT(record.size() == kRecordBytes);
  if (header.envelope) record += crypto::EncodeEnvelope(*header.envelope);
  std::string bytes(kWalHeaderBytes, '\0');
  record.copy(bytes.data(), record.size());
  record.copy(bytes.data() + kSecondCopy, record.size());
  return bytes;
}

Result<WalHeader> DecodeWalHeader(std::string_view bytes) {
  if (bytes.size() < kWalHeaderBytes) {
    return Fail(ErrorCode::kCorruption,
                "WAL header: 4096 bytes wanted, " + std::to_string(bytes.size()) + " there");
  }
  auto first = DecodeCopy(bytes.substr(0, kCopyBytes));
  if (first || first.error().code == ErrorCode::kUnsupported) return first;
  return DecodeCopy(bytes.substr(kSecondCopy, kCopyBytes));
}

std::uint64_t FrameSeed(const WalHeader& header) {
  char bytes[24];
  std::memcpy(bytes, header.salt.data(), 16);
  std::memcpy(bytes + 16, &header.file_number, 8);
  return XXH3_64bits(bytes, sizeof(bytes));
}

Result<EncodedRecord> EncodeRecord(FrameType type, std::string raw, FrameCodec codec) {
  if (raw.size() > kRecordRawBytesMax) {
    return Fail(ErrorCode::kTooLarge, "a batch of " + std::to_string(raw.size()) +
                                          " bytes is above the log's limit of " +
                                          std::to_string(kRecordRawBytesMax));
  }
  EncodedRecord record;
  record.type = type;
  record.raw = static_cast<std::uint32_t>(raw.size());
  int stored = 0;
  if (codec == FrameCodec::kLz4) {
    record.body.resize_and_overwrite(
        static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(raw.size()))),
        [&](char* to, std::size_t bytes) {
          stored = LZ4_compress_fast(raw.data(), to, static_cast<int>(raw.size()),
                                     static_cast<int>(bytes), kLz4Acceleration);
          return static_cast<std::size_t>(std::max(stored, 0));
        });
  }
  if (stored > 0 && static_cast<std::size_t>(stored) < raw.size()) {
    record.codec = FrameCodec::kLz4;
  } else {
    record.body = std::move(raw);
  }
  return record;
}

std::size_t FramesBytes(const EncodedRecord& record) {
  const std::size_t whole = record.body.size() / kFrameBodyBytesMax;
  const std::size_t rest = record.body.size() % kFrameBodyBytesMax;
  std::size_t bytes = whole * Padded(kFrameHeaderBytes + kFrameBodyBytesMax);
  if (rest > 0 || whole == 0) bytes += Padded(kFrameHeaderBytes + rest);
  return bytes;
}

void Frames::Put(std::string_view piece) {
  pieces_.push_back(piece);
  bytes_ += piece.size();
}

void Frames::Add(const EncodedRecord& record, std::uint64_t lsn, std::uint64_t synced_lsn,
                 std::uint16_t flags, std::uint64_t seed, const FileCipher* cipher,
                 std::uint64_t place) {
  static constexpr std::string_view kZeros("\0\0\0\0\0\0\0", 7);
  const auto free_state = [](XXH3_state_t* state) { XXH3_freeState(state); };
  const std::unique_ptr<XXH3_state_t, decltype(free_state)> summed(XXH3_createState());
  std::string_view left = record.body;
  const std::size_t tag_bytes = cipher == nullptr ? 0 : crypto::kTagBytes;
  do {
    std::string_view body = left.substr(0, kFrameBodyBytesMax - tag_bytes);
    left.remove_prefix(body.size());
    const auto part_flags =
        static_cast<std::uint16_t>(flags | (left.empty() ? 0U : unsigned{kFrameContinued}) |
                                   (body.data() == record.body.data() ? 0U : unsigned{kFrameTail}));
    std::string& head = held_.emplace_back();
    head.reserve(kFrameHeaderBytes);
    ByteWriter writer(head);
    writer.PutFixed64(0);
    writer.PutFixed32(kFrameMagic);
    writer.PutU8(static_cast<std::uint8_t>(record.type));
    writer.PutU8(static_cast<std::uint8_t>(record.codec));
    writer.PutFixed16(part_flags);
    writer.PutFixed32(static_cast<std::uint32_t>(body.size() + tag_bytes));
    writer.PutFixed32(record.raw);
    writer.PutFixed64(lsn);
    writer.PutFixed64(synced_lsn);
    if (cipher != nullptr) {
      std::string& sealed = held_.emplace_back();
      cipher->Seal(place, std::string_view(head).substr(kBoundAt), body, sealed);
      body = sealed;
    }
    XXH3_64bits_reset_withSeed(summed.get(), seed);
    XXH3_64bits_update(summed.get(), head.data() + kBoundAt, head.size() - kBoundAt);
    XXH3_64bits_update(summed.get(), body.data(), body.size());
    const std::uint64_t sum = XXH3_64bits_digest(summed.get());
    std::memcpy(head.data(), &sum, 8);
    const std::size_t bytes = head.size() + body.size();
    Put(head);
    Put(body);
    if (const std::size_t padding = Padded(bytes) - bytes; padding > 0)
      Put(kZeros.substr(0, padding));
    place += Padded(bytes);
  } while (!left.empty());
}

void Frames::Clear() {
  held_.clear();
  pieces_.clear();
  bytes_ = 0;
}

Result<std::string_view> WalWindow::At(std::uint64_t offset, std::size_t bytes) {
  bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - std::min(size_, offset)));
  const bool held = offset >= begin_ && offset - begin_ <= view_.size() &&
                    view_.size() - (offset - begin_) >= bytes;
  if (!held) {
    view_ = {};
    buffer_ = {};
    begin_ = offset;
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(bytes, kWindowBytes), size_ - offset));
    FLUORO_TRY(buffer_, ReadAgain([&] { return file_->ReadAt(offset, wanted); }));
    view_ = buffer_;
  }
  return view_.substr(static_cast<std::size_t>(offset - begin_));
}

Result<WalWalk> WalkFrames(std::string_view file, const FrameReading& how,
                           const std::function<Result<void>(WalRecord&)>& visit) {
  WalWindow window(file);
  return WalkFrames(window, how, visit);
}

Result<WalWalk> WalkFrames(WalWindow& file, const FrameReading& how,
                           const std::function<Result<void>(WalRecord&)>& visit,
                           std::optional<FrameType> only) {
  WalWalk walk;
  WalRecord open;  // a record whose last frame has not come yet
  bool is_open = false;
  std::uint64_t offset = kWalHeaderBytes;
  while (offset < file.size()) {
    FrameHeader header;
    FLUORO_TRY(const std::string_view frame, VerifyFrame(file, offset, how.seed, header));
    if (frame.empty()) {
      // Frames begin at multiples of 8: look at each for the next that verifies.
      const std::size_t word = std::min<std::size_t>(8, file.size() - offset);
      FLUORO_TRY(std::string_view bytes, file.At(offset, word));
      bytes = bytes.substr(0, word);
      if (bytes.find_first_not_of('\0') != std::string_view::npos) walk.garbage_bytes += word;
      offset += word;
      continue;
    }
    const std::string_view body = frame.substr(kFrameHeaderBytes, header.stored);
    walk.max_synced_lsn = std::max(walk.max_synced_lsn, header.synced_lsn);
    walk.has_rewritten = walk.has_rewritten || (header.flags & kFrameRewritten) != 0;
    const std::size_t frame_bytes = kFrameHeaderBytes + header.stored;
    for (const char c : frame.substr(frame_bytes)) {
      if (c != '\0') ++walk.garbage_bytes;
    }
    if ((header.flags & kFrameTail) != 0 && (!is_open || open.header.lsn != header.lsn)) {
      walk.garbage_bytes += header.stored;  // its beginning is lost
      is_open = false;
      offset += Padded(frame_bytes);
      continue;
    }
    if ((header.flags & kFrameTail) == 0) {
      open.header = header;
      open.offset = offset;
      open.body.clear();
      is_open = true;
    }
    const bool wanted = !only || header.type == *only;
    if (wanted && !how.is_locked && !AppendBody(how.cipher, offset, frame, body, open.body)) {
      walk.garbage_bytes += header.stored;
      is_open = false;
      offset += Padded(frame_bytes);
      continue;
    }
    offset += Padded(frame_bytes);
    if ((header.flags & kFrameContinued) != 0) continue;
    is_open = false;
    if (!wanted) continue;
    if (!how.is_locked) {
      auto raw = Decompress(open.header, std::move(open.body));
      open.body.clear();
      if (!raw) {
        walk.garbage_bytes += header.stored;
        continue;
      }
      open.body = *std::move(raw);
    }
    walk.end_offset = std::min(offset, file.size());
    walk.min_lsn = std::min(walk.min_lsn, header.lsn);
    walk.max_lsn = std::max(walk.max_lsn, header.lsn);
    FLUORO_CHECK_OK(visit(open));
  }
  return walk;
}

std::string EncodeTombstone(const Tombstone& tombstone) {
  std::string body;
  ByteWriter out(body);
  out.PutU8(kTombstoneVersion);
  out.PutU8(tombstone.head_only ? 1 : 0);
  out.PutFixed64(tombstone.upto_lsn);
  out.PutVarint(tombstone.ids.size());
  for (const model::TraceId& id : tombstone.ids) out.PutRaw(id.bytes.data(), id.bytes.size());
  return body;
}

Result<Tombstone> DecodeTombstone(std::string_view body) {
  ByteReader in(body);
  Tombstone tombstone;
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version != kTombstoneVersion) {
    return Fail(ErrorCode::kUnsupported, "tombstone: unknown version");
  }
  FLUORO_TRY(const std::uint8_t head_only, in.TakeU8());
  tombstone.head_only = head_only != 0;
  FLUORO_TRY(tombstone.upto_lsn, in.TakeFixed64());
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left() / 16));
  tombstone.ids.resize(count);
  for (model::TraceId& id : tombstone.ids) {
    FLUORO_TRY(const std::string_view bytes, in.Take(16));
    std::memcpy(id.bytes.data(), bytes.data(), 16);
  }
  return tombstone;
}

std::string WalFileName(std::uint64_t file_number) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(file_number));
  return std::string(digits) + ".wal";
}

std::uint64_t ParseWalFileName(std::string_view name) {
  if (name.size() != 20 || !name.ends_with(".wal")) return 0;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, number, 16);
  return error == std::errc() && end == name.data() + 16 ? number : 0;
}

}  // namespace fluoro::store
