#include "store/embedded/held_deletions.h"

#include <xxhash.h>

#include "store/embedded/bytes.h"

namespace fluoro::store {
namespace {

constexpr std::uint64_t kMagic = 0x31444c48'524f4c46ULL;  // "FLORHLD1"
constexpr std::uint16_t kMajor = 1;

}  // namespace

std::string EncodeHeldDeletions(const HeldDeletions& held) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(kMagic);
  out.PutFixed16(kMajor);
  out.PutFixed16(0);
  out.PutFixed32(static_cast<std::uint32_t>(held.size()));
  for (const auto& [id, lsn] : held) {
    out.PutFixed64(lsn);
    out.PutRaw(id.bytes.data(), id.bytes.size());
  }
  out.PutFixed64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

Result<HeldDeletions> DecodeHeldDeletions(std::string_view bytes) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  FLUORO_TRY(const std::uint16_t major, in.TakeFixed16());
  FLUORO_CHECK_OK(in.TakeFixed16());
  FLUORO_TRY(const std::uint32_t count, in.TakeFixed32());
  if (magic != kMagic) return Fail(ErrorCode::kCorruption, "held deletions: wrong magic");
  if (major > kMajor)
    return Fail(ErrorCode::kUnsupported, "held deletions: written by a newer program");
  HeldDeletions held;
  for (std::uint32_t i = 0; i < count; ++i) {
    FLUORO_TRY(const std::uint64_t lsn, in.TakeFixed64());
    FLUORO_TRY(const std::string_view raw, in.Take(16));
    model::TraceId id;
    std::memcpy(id.bytes.data(), raw.data(), raw.size());
    held[id] = lsn;
  }
  FLUORO_TRY(const std::uint64_t sum, in.TakeFixed64());
  if (!in.done() || sum != XXH3_64bits(bytes.data(), bytes.size() - 8))
    return Fail(ErrorCode::kCorruption, "held deletions: wrong sum");
  return held;
}

}  // namespace fluoro::store
