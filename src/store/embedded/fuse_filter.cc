#include "store/embedded/fuse_filter.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "base/assert.h"
#include "store/embedded/bytes.h"

namespace fluoro::store {
namespace {

constexpr unsigned kSegmentBitsMax = 18;
constexpr std::uint64_t kSegmentsMax = std::uint64_t{1} << 32;
constexpr std::uint64_t kFirstSeed = 0x726b2b9d438b9d4dULL;
// Of a hundred tries with so many slots more than half succeed each.
constexpr int kTriesMax = 100;

// The finisher of MurmurHash3.
std::uint64_t Mix(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

// The upper half of a product.
std::uint64_t UpperProduct(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{a} * b) >> 64);
}

// A slot in each of three segments that follow each other.
std::array<std::size_t, 3> SlotsOf(std::uint64_t hash, unsigned segment_bits,
                                   std::uint64_t segments) {
  const std::uint64_t length = std::uint64_t{1} << segment_bits;
  const std::uint64_t first = UpperProduct(hash, segments << segment_bits);
  return {first, (first + length) ^ ((hash >> 18) & (length - 1)),
          (first + 2 * length) ^ (hash & (length - 1))};
}

std::uint8_t FingerprintOf(std::uint64_t hash) {
  return static_cast<std::uint8_t>(hash ^ (hash >> 32));
}

}  // namespace

struct FuseFilter::Shape {
  unsigned segment_bits = 2;
  std::uint64_t segments = 1;
  [[nodiscard]] std::size_t slots() const { return (segments + 2) << segment_bits; }

  // As the paper chooses them.
  static Shape Of(std::size_t keys) {
    Shape shape;
    if (keys < 2) return shape;
    const double size = static_cast<double>(keys);
    shape.segment_bits = std::min(
        kSegmentBitsMax, static_cast<unsigned>(std::floor(std::log(size) / std::log(3.33) + 2.25)));
    const double factor = std::max(1.125, 0.875 + 0.25 * std::log(1e6) / std::log(size));
    const auto capacity = static_cast<std::uint64_t>(std::round(size * factor));
    const std::uint64_t in_all =
        (capacity + (std::uint64_t{1} << shape.segment_bits) - 1) >> shape.segment_bits;
    shape.segments = in_all > 3 ? in_all - 2 : 1;
    return shape;
  }
};

namespace {

// Keys are hashes: a table takes fewer steps than sorting them.
void RemoveRepeated(std::vector<std::uint64_t>& keys) {
  std::vector<std::uint64_t> table(std::bit_ceil(2 * keys.size()));  // 0: free
  const std::size_t mask = table.size() - 1;
  bool has_zero = false;
  std::erase_if(keys, [&](std::uint64_t key) {
    if (key == 0) return std::exchange(has_zero, true);
    std::size_t at = key & mask;
    while (table[at] != 0 && table[at] != key) at = (at + 1) & mask;
    return std::exchange(table[at], key) == key;
  });
}

}  // namespace

std::uint64_t FuseFilter::KeyOf(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::size_t FuseFilter::BytesOf(std::size_t keys) { return 16 + Shape::Of(keys).slots(); }

// Slots that one key alone has are taken off until no key is left; in the opposite order each key
// then finds a slot of its own that is still free.
std::string FuseFilter::Encode(std::vector<std::uint64_t> keys) {
  FLUORO_ASSERT(!keys.empty());
  RemoveRepeated(keys);
  const Shape shape = Shape::Of(keys.size());
  struct Slot {
    std::uint32_t keys = 0;
    std::uint64_t hashes = 0;  // of all its keys, by exclusive or
  };
  struct Taken {
    std::uint64_t hash;
    std::size_t slot;
  };
  std::vector<Slot> slots(shape.slots());
  std::vector<std::size_t> alone;
  std::vector<Taken> taken;
  std::uint64_t seed = kFirstSeed;
  for (int tries = 0; tries < kTriesMax; ++tries, seed = Mix(seed)) {
    std::ranges::fill(slots, Slot{});
    taken.clear();
    for (const std::uint64_t key : keys) {
      const std::uint64_t hash = Mix(key + seed);
      for (const std::size_t slot : SlotsOf(hash, shape.segment_bits, shape.segments)) {
        ++slots[slot].keys;
        slots[slot].hashes ^= hash;
      }
    }
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (slots[slot].keys == 1) alone.push_back(slot);
    }
    while (!alone.empty()) {
      const std::size_t slot = alone.back();
      alone.pop_back();
      if (slots[slot].keys != 1) continue;
      const std::uint64_t hash = slots[slot].hashes;
      taken.push_back({.hash = hash, .slot = slot});
      for (const std::size_t other : SlotsOf(hash, shape.segment_bits, shape.segments)) {
        slots[other].hashes ^= hash;
        if (--slots[other].keys == 1) alone.push_back(other);
      }
    }
    if (taken.size() == keys.size()) break;
  }
  if (taken.size() != keys.size()) return {};
  std::string fingerprints(shape.slots(), '\0');
  for (auto key = taken.rbegin(); key != taken.rend(); ++key) {
    std::uint8_t rest = FingerprintOf(key->hash);
    for (const std::size_t slot : SlotsOf(key->hash, shape.segment_bits, shape.segments))
      rest ^= static_cast<std::uint8_t>(fingerprints[slot]);  // its own is still 0
    fingerprints[key->slot] = static_cast<char>(rest);
  }
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(seed);
  out.PutU8(static_cast<std::uint8_t>(shape.segment_bits));
  out.PutVarint(shape.segments);
  out.PutBytes(fingerprints);
  return bytes;
}

Result<FuseFilter> FuseFilter::Decode(std::string_view bytes) {
  ByteReader in(bytes);
  FuseFilter filter;
  FLUORO_TRY(filter.seed_, in.TakeFixed64());
  FLUORO_TRY(filter.segment_bits_, in.TakeU8());
  FLUORO_TRY(filter.segments_, in.TakeCount(kSegmentsMax));
  if (filter.segment_bits_ > kSegmentBitsMax || filter.segments_ == 0 ||
      in.left() != (filter.segments_ + 2) << filter.segment_bits_)
    return Fail(ErrorCode::kCorruption, "filter: its length is wrong");
  FLUORO_TRY(filter.fingerprints_, in.Take(in.left()));
  return filter;
}

bool FuseFilter::MayContain(std::uint64_t key) const {
  const std::uint64_t hash = Mix(key + seed_);
  std::uint8_t found = FingerprintOf(hash);
  for (const std::size_t slot : SlotsOf(hash, segment_bits_, segments_))
    found ^= static_cast<std::uint8_t>(fingerprints_[slot]);
  return found == 0;
}

}  // namespace fluoro::store
