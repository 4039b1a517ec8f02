#include "store/embedded/attribute_file.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "store/embedded/bytes.h"
#include "store/embedded/file_cipher.h"

namespace fluoro::store {
namespace {

using cardinality::FirstValues;
using cardinality::HeavyHitters;
using cardinality::Hour;
using cardinality::HourCount;
using cardinality::HyperLogLog;
using cardinality::KeyState;
using cardinality::Pattern;
using cardinality::Reading;

constexpr std::string_view kMagic = "FLORATT1";
constexpr std::uint16_t kMajor = 1;
constexpr std::string_view kWhat = "attributes";
constexpr std::size_t kKeysMax = 100'000;
constexpr std::size_t kKeyBytesMax = std::size_t{1} << 20;

std::uint64_t SumOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void PutHashes(ByteWriter& out, std::span<const std::uint32_t> hashes) {
  out.PutVarint(hashes.size());
  std::uint32_t before = 0;
  for (const std::uint32_t hash : hashes) {
    out.PutVarint(hash - before);
    before = hash;
  }
}

Result<std::vector<std::uint32_t>> TakeHashes(ByteReader& in, std::size_t max) {
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(std::min(max, in.left())));
  std::vector<std::uint32_t> hashes(count);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    FLUORO_TRY(const std::uint64_t more, in.TakeVarint());
    if ((more == 0 && i > 0) || more > UINT32_MAX || hash + more > UINT32_MAX)
      return Fail(ErrorCode::kCorruption, "attributes: hashes are not in order");
    hash += more;
    hashes[i] = static_cast<std::uint32_t>(hash);
  }
  return hashes;
}

void PutSet(ByteWriter& out, const HyperLogLog& set) {
  if (set.is_counted()) {
    const auto hashes = set.hashes();
    // Putting them in order may have turned them into registers.
    if (set.is_counted()) {
      out.PutU8(0);
      return PutHashes(out, hashes);
    }
  }
  out.PutU8(static_cast<std::uint8_t>(std::countr_zero(set.registers().size())));
  out.PutRaw(set.registers().data(), set.registers().size());
}

Result<HyperLogLog> TakeSet(ByteReader& in) {
  FLUORO_TRY(const std::uint8_t precision, in.TakeU8());
  if (precision == 0) {
    FLUORO_TRY(auto hashes, TakeHashes(in, HyperLogLog::kCountedMax));
    return HyperLogLog::OfHashes(std::move(hashes));
  }
  if (precision > HyperLogLog::kPrecisionMax)
    return Fail(ErrorCode::kCorruption, "attributes: unknown precision");
  FLUORO_TRY(const std::string_view bytes, in.Take(std::uint64_t{1} << precision));
  std::vector<std::uint8_t> registers(bytes.begin(), bytes.end());
  if (!HyperLogLog::IsRegisters(registers))
    return Fail(ErrorCode::kCorruption, "attributes: registers that cannot be");
  return HyperLogLog::OfRegisters(std::move(registers));
}

void PutKey(ByteWriter& out, const KeyState& key) {
  out.PutU8(key.carriers);
  out.PutU8(key.has_texts ? 1 : 0);
  out.PutU8(static_cast<std::uint8_t>(key.state));
  out.PutU8(static_cast<std::uint8_t>(key.why));
  for (const std::int64_t time : {key.since_ns, key.first_seen_ns, key.last_seen_ns})
    out.PutSigned(time);
  for (const std::uint64_t count : {key.spans, key.bytes, key.index_bytes}) out.PutVarint(count);
  out.PutVarint(key.first.ones().size());
  for (const std::uint32_t hash : key.first.ones()) out.PutFixed32(hash);
  out.PutVarint(key.first.different().size());
  for (const FirstValues::Value& value : key.first.different()) {
    out.PutFixed32(value.hash);
    out.PutU8(static_cast<std::uint8_t>(value.pattern));
  }
  out.PutVarint(key.hours.size());
  for (const Hour& hour : key.hours) {
    out.PutSigned(hour.hour);
    for (const std::uint64_t count : {hour.spans, hour.bytes, hour.index_bytes})
      out.PutVarint(count);
    PutSet(out, hour.distinct);
  }
  out.PutVarint(key.curve.size());
  for (const HourCount& count : key.curve) {
    out.PutSigned(count.hour);
    for (const std::uint64_t number : {count.spans, count.distinct, count.distinct_day})
      out.PutVarint(number);
  }
  out.PutVarint(key.readings.size());
  for (const Reading& reading : key.readings) {
    out.PutSigned(reading.at_ns);
    out.PutVarint(reading.distinct_day);
  }
  out.PutSigned(key.known.since_hour);
  PutHashes(out, key.known.today);
  PutHashes(out, key.known.yesterday);
  out.PutVarint(key.hitters.entries().size());
  for (const HeavyHitters::Entry& entry : key.hitters.entries()) {
    out.PutText(entry.text);
    out.PutVarint(entry.count);
    out.PutVarint(entry.over);
  }
  out.PutVarint(key.examples.size());
  for (const std::string& example : key.examples) out.PutText(example);
}

Result<std::string> TakeShown(ByteReader& in) {
  FLUORO_TRY(const std::uint64_t bytes, in.TakeCount(cardinality::kShownBytesMax));
  FLUORO_TRY(const std::string_view text, in.Take(bytes));
  return std::string(text);
}

Result<FirstValues> TakeFirst(ByteReader& in) {
  FLUORO_TRY(const std::uint64_t ones_count, in.TakeCount(FirstValues::kValuesMax));
  std::vector<std::uint32_t> ones(ones_count);
  for (std::uint32_t& hash : ones) {
    FLUORO_TRY(hash, in.TakeFixed32());
  }
  FLUORO_TRY(const std::uint64_t different_count, in.TakeCount(FirstValues::kValuesMax));
  std::vector<FirstValues::Value> different(different_count);
  for (std::size_t i = 0; i < different.size(); ++i) {
    FLUORO_TRY(different[i].hash, in.TakeFixed32());
    FLUORO_TRY(const std::uint8_t pattern, in.TakeU8());
    if (pattern >= cardinality::kPatterns || (i > 0 && different[i].hash <= different[i - 1].hash))
      return Fail(ErrorCode::kCorruption, "attributes: first values that cannot be");
    different[i].pattern = static_cast<Pattern>(pattern);
  }
  return FirstValues::Of(std::move(ones), std::move(different));
}

// Times and hours stand in order.
template <class Rows, class Of>
Result<void> CheckOrder(const Rows& rows, Of of) {
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (of(rows[i]) <= of(rows[i - 1]))
      return Fail(ErrorCode::kCorruption, "attributes: times are not in order");
  }
  return {};
}

Result<void> TakeHours(ByteReader& in, KeyState& key) {
  FLUORO_TRY(const std::uint64_t hours, in.TakeCount(cardinality::kHoursMax));
  key.hours.resize(hours);
  for (Hour& hour : key.hours) {
    FLUORO_TRY(hour.hour, in.TakeSigned());
    FLUORO_TRY(hour.spans, in.TakeVarint());
    FLUORO_TRY(hour.bytes, in.TakeVarint());
    FLUORO_TRY(hour.index_bytes, in.TakeVarint());
    FLUORO_TRY(hour.distinct, TakeSet(in));
  }
  FLUORO_CHECK_OK(CheckOrder(key.hours, [](const Hour& hour) { return hour.hour; }));
  FLUORO_TRY(const std::uint64_t curve, in.TakeCount(cardinality::kCurveHoursMax));
  key.curve.resize(curve);
  for (HourCount& count : key.curve) {
    FLUORO_TRY(count.hour, in.TakeSigned());
    FLUORO_TRY(count.spans, in.TakeVarint());
    FLUORO_TRY(count.distinct, in.TakeVarint());
    FLUORO_TRY(count.distinct_day, in.TakeVarint());
  }
  FLUORO_CHECK_OK(CheckOrder(key.curve, [](const HourCount& count) { return count.hour; }));
  FLUORO_TRY(const std::uint64_t readings, in.TakeCount(cardinality::kReadingsMax));
  key.readings.resize(readings);
  for (Reading& reading : key.readings) {
    FLUORO_TRY(reading.at_ns, in.TakeSigned());
    FLUORO_TRY(reading.distinct_day, in.TakeVarint());
  }
  return CheckOrder(key.readings, [](const Reading& reading) { return reading.at_ns; });
}

Result<KeyState> TakeKey(ByteReader& in) {
  KeyState key;
  FLUORO_TRY(key.carriers, in.TakeU8());
  FLUORO_TRY(const std::uint8_t has_texts, in.TakeU8());
  FLUORO_TRY(const std::uint8_t state, in.TakeU8());
  FLUORO_TRY(const std::uint8_t why, in.TakeU8());
  if (has_texts > 1 || state > static_cast<std::uint8_t>(cardinality::State::kGuarded) ||
      why > static_cast<std::uint8_t>(cardinality::Why::kIdLike))
    return Fail(ErrorCode::kCorruption, "attributes: a state that cannot be");
  key.has_texts = has_texts == 1;
  key.state = static_cast<cardinality::State>(state);
  key.why = static_cast<cardinality::Why>(why);
  FLUORO_TRY(key.since_ns, in.TakeSigned());
  FLUORO_TRY(key.first_seen_ns, in.TakeSigned());
  FLUORO_TRY(key.last_seen_ns, in.TakeSigned());
  FLUORO_TRY(key.spans, in.TakeVarint());
  FLUORO_TRY(key.bytes, in.TakeVarint());
  FLUORO_TRY(key.index_bytes, in.TakeVarint());
  FLUORO_TRY(key.first, TakeFirst(in));
  FLUORO_CHECK_OK(TakeHours(in, key));
  FLUORO_TRY(key.known.since_hour, in.TakeSigned());
  FLUORO_TRY(key.known.today, TakeHashes(in, cardinality::kBudgetMax));
  FLUORO_TRY(key.known.yesterday, TakeHashes(in, cardinality::kBudgetMax));
  FLUORO_TRY(const std::uint64_t hitters, in.TakeCount(HeavyHitters::kEntriesMax));
  std::vector<HeavyHitters::Entry> entries(hitters);
  for (HeavyHitters::Entry& entry : entries) {
    FLUORO_TRY(entry.text, TakeShown(in));
    FLUORO_TRY(entry.count, in.TakeVarint());
    FLUORO_TRY(entry.over, in.TakeVarint());
  }
  key.hitters = HeavyHitters::Of(std::move(entries));
  FLUORO_TRY(const std::uint64_t examples, in.TakeCount(cardinality::KeyValues::kExamplesMax));
  for (std::uint64_t i = 0; i < examples; ++i) {
    FLUORO_TRY(std::string example, TakeShown(in));
    key.examples.push_back(std::move(example));
  }
  return key;
}

std::string EncodeState(const AttributeState& state) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutSigned(state.as_of_ns);
  out.PutVarint(state.crowded_out);
  out.PutVarint(state.keys.size());
  for (const auto& [name, key] : state.keys) {
    out.PutText(name);
    PutKey(out, key);
  }
  return bytes;
}

}  // namespace

Result<AttributeState> DecodeAttributeState(std::string_view bytes) {
  ByteReader in(bytes);
  AttributeState state;
  FLUORO_TRY(state.as_of_ns, in.TakeSigned());
  FLUORO_TRY(state.crowded_out, in.TakeVarint());
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(kKeysMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    FLUORO_TRY(const std::uint64_t name_bytes, in.TakeCount(kKeyBytesMax));
    FLUORO_TRY(const std::string_view name, in.Take(name_bytes));
    FLUORO_TRY(KeyState key, TakeKey(in));
    if (!state.keys.empty() && name <= state.keys.rbegin()->first)
      return Fail(ErrorCode::kCorruption, "attributes: keys are not in order");
    state.keys.emplace_hint(state.keys.end(), name, std::move(key));
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "attributes: longer than its keys");
  return state;
}

std::string EncodeAttributeFile(const AttributeState& state, const crypto::Keyring* keys) {
  const std::string plain = EncodeState(state);
  const auto cipher = FileCipher::Make(keys, FileKind::kAttributes, 0);
  std::string file;
  ByteWriter out(file);
  out.PutBytes(kMagic);
  out.PutFixed16(kMajor);
  out.PutFixed16(0);
  out.PutU8(cipher == nullptr ? 0 : 1);
  out.PutBytes(std::string_view("\0\0\0", 3));
  std::string sealed;
  if (cipher != nullptr) {
    out.PutBytes(crypto::EncodeEnvelope(cipher->envelope()));
    cipher->Seal(0, kWhat, plain, sealed);
  }
  out.PutText(cipher == nullptr ? plain : sealed);
  out.PutFixed64(SumOf(file));
  return file;
}

Result<AttributeState> DecodeAttributeFile(std::string_view bytes, const crypto::Keyring* keys) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::string_view magic, in.Take(kMagic.size()));
  if (magic != kMagic) return Fail(ErrorCode::kCorruption, "attributes: not such a file");
  FLUORO_TRY(const std::uint16_t major, in.TakeFixed16());
  if (major > kMajor)
    return Fail(ErrorCode::kUnsupported, "attributes: version " + std::to_string(major));
  FLUORO_CHECK_OK(in.TakeFixed16());
  FLUORO_TRY(const std::uint8_t encrypted, in.TakeU8());
  FLUORO_CHECK_OK(in.Take(3));
  if (encrypted > 1) return Fail(ErrorCode::kCorruption, "attributes: encrypted or not");
  if (in.left() < sizeof(std::uint64_t)) return Fail(ErrorCode::kCorruption, "attributes: cut");
  const std::size_t sum_at = bytes.size() - sizeof(std::uint64_t);
  ByteReader sum(bytes.substr(sum_at));
  FLUORO_TRY(const std::uint64_t stated, sum.TakeFixed64());
  if (stated != SumOf(bytes.substr(0, sum_at)))
    return Fail(ErrorCode::kCorruption, "attributes: the sum is another");
  std::shared_ptr<const FileCipher> cipher;
  if (encrypted == 1) {
    FLUORO_TRY(const std::string_view stored, in.Take(crypto::kEnvelopeBytes));
    FLUORO_TRY(const crypto::Envelope envelope, crypto::DecodeEnvelope(stored));
    FLUORO_TRY(cipher, FileCipher::Of(keys, envelope, FileKind::kAttributes, 0));
  }
  FLUORO_TRY(const std::string_view state, in.TakeText());
  if (in.position() != sum_at) return Fail(ErrorCode::kCorruption, "attributes: of another length");
  if (cipher == nullptr) return DecodeAttributeState(state);
  std::string plain(state);
  FLUORO_CHECK_OK(cipher->Open(0, kWhat, plain));
  return DecodeAttributeState(plain);
}

}  // namespace fluoro::store
