#include "store/embedded/block_format.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <numeric>

namespace fluoro::store {
namespace {

constexpr std::uint64_t kHeaderMagic = 0x314b4c42'524f4c46ULL;    // "FLORBLK1"
constexpr std::uint64_t kTrailerMagic = 0x31444e45'524f4c46ULL;   // "FLOREND1"
constexpr std::uint64_t kDeletionMagic = 0x314c4544'524f4c46ULL;  // "FLORDEL1"
constexpr std::uint64_t kRewrapMagic = 0x3159454b'524f4c46ULL;    // "FLORKEY1"
constexpr std::size_t kRewrapBytes = 8 + crypto::kNonceBytes + 4 + crypto::kEnvelopeBytes + 8;

enum Field : std::uint64_t {
  kIdField = 1,
  kLevelField = 2,
  kCreatedField = 3,
  kSealedLsnField = 4,
  kSpansField = 5,
  kTracesField = 6,
  kStartMinField = 7,
  kStartMaxField = 8,
  kEndMaxField = 9,
  kArrivalMinField = 10,
  kArrivalMaxField = 11,
  kIdMinField = 12,
  kIdMaxField = 13,
  kReplacesField = 14,
  kRowGroupsField = 15,
  kSectionsField = 16,
  kOrderField = 17,
  kJudgedField = 18,
  kSkeletonsField = 19,
  kPagesField = 20,
  kCallsSummedField = 21,
  kLeftOutField = 24,
};

std::unexpected<Error> Bad(std::string what) {
  return Fail(ErrorCode::kCorruption, "block: " + std::move(what));
}

Result<std::vector<std::uint64_t>> TakeNumbers(std::string_view bytes) {
  ByteReader in(bytes);
  std::vector<std::uint64_t> numbers;
  while (!in.done()) {
    FLUORO_TRY(const std::uint64_t number, in.TakeVarint());
    numbers.push_back(number);
  }
  return numbers;
}

Result<std::vector<Section>> TakeSections(std::string_view bytes, std::uint64_t end) {
  ByteReader in(bytes);
  std::vector<Section> sections;
  while (!in.done()) {
    Section section;
    FLUORO_TRY(const std::uint8_t type, in.TakeU8());
    FLUORO_TRY(const std::uint8_t codec, in.TakeU8());
    section.type = static_cast<SectionType>(type);
    section.codec = static_cast<SectionCodec>(codec);
    FLUORO_TRY(const std::uint64_t group, in.TakeCount(UINT32_MAX));
    section.row_group = static_cast<std::uint32_t>(group);
    FLUORO_TRY(const std::uint64_t column, in.TakeCount(UINT32_MAX));
    section.column = static_cast<std::uint32_t>(column);
    FLUORO_TRY(section.offset, in.TakeVarint());
    FLUORO_TRY(section.stored, in.TakeVarint());
    FLUORO_TRY(section.raw, in.TakeCount(kSectionRawBytesMax));
    FLUORO_TRY(section.sum, in.TakeFixed64());
    if (section.offset < kBlockHeaderBytes || section.offset > end ||
        section.stored > end - section.offset) {
      return Bad("a section lies outside the file");
    }
    sections.push_back(section);
  }
  return sections;
}

Result<void> TakeField(std::uint64_t tag, std::string_view bytes, std::uint64_t footer_offset,
                       BlockMeta& meta) {
  ByteReader in(bytes);
  const auto take_id = [&](model::TraceId& id) -> Result<void> {
    FLUORO_TRY(const std::string_view raw, in.Take(16));
    std::memcpy(id.bytes.data(), raw.data(), 16);
    return {};
  };
  switch (tag) {
    case kIdField: {
      FLUORO_TRY(meta.id, in.TakeVarint());
      break;
    }
    case kLevelField: {
      FLUORO_TRY(const std::uint64_t level, in.TakeCount(UINT32_MAX));
      meta.level = static_cast<std::uint32_t>(level);
      break;
    }
    case kCreatedField: {
      FLUORO_TRY(meta.created_ns, in.TakeSigned());
      break;
    }
    case kSealedLsnField: {
      FLUORO_TRY(meta.sealed_lsn, in.TakeVarint());
      break;
    }
    case kSpansField: {
      FLUORO_TRY(meta.spans, in.TakeCount(UINT32_MAX));
      break;
    }
    case kTracesField: {
      FLUORO_TRY(meta.traces, in.TakeCount(UINT32_MAX));
      break;
    }
    case kStartMinField: {
      FLUORO_TRY(meta.start_ns_min, in.TakeSigned());
      break;
    }
    case kStartMaxField: {
      FLUORO_TRY(meta.start_ns_max, in.TakeSigned());
      break;
    }
    case kEndMaxField: {
      FLUORO_TRY(meta.end_ns_max, in.TakeSigned());
      break;
    }
    case kArrivalMinField: {
      FLUORO_TRY(meta.arrival_ns_min, in.TakeSigned());
      break;
    }
    case kArrivalMaxField: {
      FLUORO_TRY(meta.arrival_ns_max, in.TakeSigned());
      break;
    }
    case kIdMinField:
      return take_id(meta.id_min);
    case kIdMaxField:
      return take_id(meta.id_max);
    case kReplacesField: {
      FLUORO_TRY(meta.replaces, TakeNumbers(bytes));
      break;
    }
    case kRowGroupsField: {
      FLUORO_TRY(meta.row_groups, TakeNumbers(bytes));
      break;
    }
    case kSectionsField: {
      FLUORO_TRY(meta.sections, TakeSections(bytes, footer_offset));
      break;
    }
    case kOrderField: {
      FLUORO_TRY(meta.order, in.TakeVarint());
      break;
    }
    case kJudgedField: {
      FLUORO_TRY(meta.judged_ns, in.TakeSigned());
      break;
    }
    case kSkeletonsField: {
      FLUORO_TRY(meta.skeletons, in.TakeVarint());
      break;
    }
    case kPagesField: {
      FLUORO_TRY(const std::uint64_t traces, in.TakeCount(kPageTracesMax));
      meta.page_traces = static_cast<std::uint32_t>(traces);
      meta.page_ids.resize(in.left() / 16);
      for (model::TraceId& first : meta.page_ids) FLUORO_CHECK_OK(take_id(first));
      break;
    }
    case kCallsSummedField:
      meta.calls_summed = true;
      break;
    case kLeftOutField: {
      FLUORO_TRY(const auto bounds, TakeNumbers(bytes));
      FLUORO_TRY(meta.left_out, LsnRanges::FromBounds(bounds));
      break;
    }
    default:
      break;  // of a later version
  }
  return {};
}

}  // namespace

std::string EncodeBlockHeader(std::uint64_t id, std::uint16_t minor) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(kHeaderMagic);
  out.PutFixed16(kBlockMajor);
  out.PutFixed16(minor);
  out.PutFixed32(0);
  out.PutFixed64(id);
  bytes.resize(kBlockHeaderBytes, '\0');
  return bytes;
}

Result<void> CheckBlockHeader(std::string_view bytes, std::uint64_t id, std::uint16_t minor) {
  // The header carries nothing the footer lacks; every byte of it is known.
  if (bytes != EncodeBlockHeader(id, minor)) return Bad("its header is damaged");
  return {};
}

std::string EncodeBlockHeader(const EncryptedBlockHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(kHeaderMagic);
  out.PutFixed16(kEncryptedBlockMajor);
  out.PutFixed16(kBlockMinor);
  out.PutFixed32(0);
  out.PutFixed64(header.id);
  out.PutFixed64(header.sealed_lsn);
  bytes.resize(kBlockHeaderBytes, '\0');
  return bytes + crypto::EncodeEnvelope(header.envelope);
}

Result<EncryptedBlockHeader> DecodeBlockHeader(std::string_view bytes) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  FLUORO_TRY(const std::uint16_t major, in.TakeFixed16());
  FLUORO_CHECK_OK(in.Take(6));
  if (magic != kHeaderMagic || major != kEncryptedBlockMajor) return Bad("its header is damaged");
  EncryptedBlockHeader header;
  FLUORO_TRY(header.id, in.TakeFixed64());
  FLUORO_TRY(header.sealed_lsn, in.TakeFixed64());
  FLUORO_CHECK_OK(in.Take(kBlockHeaderBytes - in.position()));
  FLUORO_TRY(const std::string_view envelope, in.Take(crypto::kEnvelopeBytes));
  FLUORO_TRY(header.envelope, crypto::DecodeEnvelope(envelope));
  return header;
}

std::string WhatSectionIs(const Section& section) {
  std::string what;
  ByteWriter out(what);
  out.PutU8(static_cast<std::uint8_t>(section.type));
  out.PutU8(static_cast<std::uint8_t>(section.codec));
  out.PutFixed32(section.row_group);
  out.PutFixed32(section.column);
  out.PutFixed64(section.raw);
  return what;
}

std::string WhatFooterIs(std::string_view header, const Trailer& trailer) {
  std::string what(header.substr(0, kBlockHeaderBytes));
  ByteWriter out(what);
  out.PutFixed64(trailer.offset);
  out.PutFixed64(trailer.bytes);
  out.PutFixed16(trailer.major);
  out.PutFixed16(trailer.minor);
  return what;
}

std::string EncodeRewrap(const Rewrap& rewrap) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(kRewrapMagic);
  out.PutRaw(rewrap.first_nonce.data(), rewrap.first_nonce.size());
  out.PutFixed32(0);
  out.PutBytes(crypto::EncodeEnvelope(rewrap.envelope));
  out.PutFixed64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

Result<Rewrap> DecodeRewrap(std::string_view bytes) {
  const auto damaged = [] {
    return Fail(ErrorCode::kCorruption, "a wrapped key: magic, length or sum is wrong");
  };
  if (bytes.size() != kRewrapBytes) return damaged();
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  FLUORO_TRY(const std::string_view nonce, in.Take(crypto::kNonceBytes));
  FLUORO_CHECK_OK(in.TakeFixed32());
  FLUORO_TRY(const std::string_view envelope, in.Take(crypto::kEnvelopeBytes));
  FLUORO_TRY(const std::uint64_t sum, in.TakeFixed64());
  if (magic != kRewrapMagic || sum != XXH3_64bits(bytes.data(), bytes.size() - 8)) return damaged();
  Rewrap rewrap;
  std::memcpy(rewrap.first_nonce.data(), nonce.data(), nonce.size());
  FLUORO_TRY(rewrap.envelope, crypto::DecodeEnvelope(envelope));
  return rewrap;
}

std::string EncodeFooter(const BlockMeta& meta) {
  std::string footer;
  ByteWriter out(footer);
  std::string value;
  ByteWriter in(value);
  const auto put = [&](Field tag) {
    out.PutVarint(tag);
    out.PutText(value);
    value.clear();
  };
  const auto put_number = [&](Field tag, std::uint64_t number) {
    in.PutVarint(number);
    put(tag);
  };
  put_number(kIdField, meta.id);
  put_number(kLevelField, meta.level);
  put_number(kCreatedField, ZigZag(meta.created_ns));
  put_number(kSealedLsnField, meta.sealed_lsn);
  put_number(kSpansField, meta.spans);
  put_number(kTracesField, meta.traces);
  put_number(kStartMinField, ZigZag(meta.start_ns_min));
  put_number(kStartMaxField, ZigZag(meta.start_ns_max));
  put_number(kEndMaxField, ZigZag(meta.end_ns_max));
  put_number(kArrivalMinField, ZigZag(meta.arrival_ns_min));
  put_number(kArrivalMaxField, ZigZag(meta.arrival_ns_max));
  in.PutRaw(meta.id_min.bytes.data(), 16);
  put(kIdMinField);
  in.PutRaw(meta.id_max.bytes.data(), 16);
  put(kIdMaxField);
  for (const std::uint64_t block : meta.replaces) in.PutVarint(block);
  put(kReplacesField);
  for (const std::uint64_t spans : meta.row_groups) in.PutVarint(spans);
  put(kRowGroupsField);
  for (const Section& section : meta.sections) {
    in.PutU8(static_cast<std::uint8_t>(section.type));
    in.PutU8(static_cast<std::uint8_t>(section.codec));
    in.PutVarint(section.row_group);
    in.PutVarint(section.column);
    in.PutVarint(section.offset);
    in.PutVarint(section.stored);
    in.PutVarint(section.raw);
    in.PutFixed64(section.sum);
  }
  put(kSectionsField);
  if (meta.order != meta.id) put_number(kOrderField, meta.order);
  if (meta.judged_ns != 0) put_number(kJudgedField, ZigZag(meta.judged_ns));
  if (meta.skeletons != 0) put_number(kSkeletonsField, meta.skeletons);
  if (meta.page_traces != 0) {
    in.PutVarint(meta.page_traces);
    for (const model::TraceId& first : meta.page_ids) in.PutRaw(first.bytes.data(), 16);
    put(kPagesField);
  }
  if (meta.calls_summed) put(kCallsSummedField);
  if (!meta.left_out.empty()) {
    for (const std::uint64_t bound : meta.left_out.Bounds()) in.PutVarint(bound);
    put(kLeftOutField);
  }
  return footer;
}

Result<BlockMeta> DecodeFooter(std::string_view bytes, std::uint64_t footer_offset) {
  ByteReader in(bytes);
  BlockMeta meta;
  while (!in.done()) {
    FLUORO_TRY(const std::uint64_t tag, in.TakeVarint());
    FLUORO_TRY(const std::string_view value, in.TakeText());
    FLUORO_CHECK_OK(TakeField(tag, value, footer_offset, meta));
  }
  if (meta.order == 0) meta.order = meta.id;
  std::uint64_t spans = 0;
  for (const std::uint64_t rows : meta.row_groups) {
    if (rows > kRowGroupSpansMax) return Bad("a row group is too large");
    spans += rows;
  }
  if (spans < meta.spans || meta.traces > meta.spans) return Bad("its counts do not add up");
  if (meta.page_traces != 0 &&
      meta.page_ids.size() != (meta.traces + meta.page_traces - 1) / meta.page_traces)
    return Bad("its trace table has not as many pages as it should");
  if (!std::ranges::is_sorted(meta.page_ids)) return Bad("its pages of ids are not in order");
  return meta;
}

std::string EncodeTrailer(const Trailer& trailer) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(trailer.offset);
  out.PutFixed64(trailer.bytes);
  out.PutFixed64(trailer.sum);
  out.PutFixed16(trailer.major);
  out.PutFixed16(trailer.minor);
  out.PutFixed32(0);
  out.PutFixed64(kTrailerMagic);
  return bytes;
}

std::uint64_t SectionSum(std::string_view stored, std::uint64_t block_id, std::uint64_t offset) {
  return XXH3_64bits_withSeed(stored.data(), stored.size(),
                              block_id * 0x9e3779b97f4a7c15ULL ^ offset);
}

std::uint64_t FooterSum(std::string_view footer, const Trailer& trailer) {
  const std::array<std::uint64_t, 3> fields{trailer.offset, trailer.bytes, trailer.minor};
  return XXH3_64bits_withSeed(footer.data(), footer.size(),
                              XXH3_64bits(fields.data(), sizeof(fields)));
}

Result<Trailer> DecodeTrailer(std::string_view bytes, std::uint64_t file_bytes) {
  ByteReader in(bytes);
  Trailer trailer;
  FLUORO_TRY(trailer.offset, in.TakeFixed64());
  FLUORO_TRY(trailer.bytes, in.TakeFixed64());
  FLUORO_TRY(trailer.sum, in.TakeFixed64());
  FLUORO_TRY(trailer.major, in.TakeFixed16());
  FLUORO_TRY(trailer.minor, in.TakeFixed16());
  FLUORO_TRY(const std::uint32_t zero, in.TakeFixed32());
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  if (magic != kTrailerMagic || zero != 0 || trailer.major == 0)
    return Bad("its trailer is damaged");
  if (trailer.major > kEncryptedBlockMajor) {
    return Fail(ErrorCode::kUnsupported, "block: version " + std::to_string(trailer.major) + "." +
                                             std::to_string(trailer.minor) +
                                             " was written by a newer program");
  }
  if (file_bytes < kBlockHeaderBytes + kBlockTrailerBytes || trailer.offset < kBlockHeaderBytes ||
      trailer.offset > file_bytes ||
      trailer.bytes != file_bytes - kBlockTrailerBytes - trailer.offset) {
    return Bad("its trailer points outside the file");
  }
  return trailer;
}

namespace {

Result<std::vector<TraceEntry>> TakeTraces(ByteReader& in, std::uint64_t count,
                                           std::uint64_t rows) {
  FLUORO_TRY(const std::string_view ids, in.Take(count * 16));
  std::vector<TraceEntry> traces(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(traces[i].id.bytes.data(), ids.data() + i * 16, 16);
  }
  std::vector<std::uint64_t> column(count);
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < count; ++i) {
    traces[i].start_ns =
        WrapAdd(i == 0 ? 0 : traces[i - 1].start_ns, static_cast<std::int64_t>(column[i]));
    if (i > 0 && traces[i].start_ns < traces[i - 1].start_ns)
      return Bad("its traces are not in order");
  }
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < count; ++i) {
    traces[i].end_ns = WrapAdd(traces[i].start_ns, static_cast<std::int64_t>(column[i]));
  }
  FLUORO_TRY(const std::int64_t arrival, in.TakeSigned());
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < count; ++i) {
    traces[i].first_arrival_ns = WrapAdd(arrival, UnZigZag(column[i]));
  }
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < count; ++i) {
    traces[i].last_arrival_ns =
        WrapAdd(traces[i].first_arrival_ns, static_cast<std::int64_t>(column[i]));
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, rows + 1, column));
  for (std::size_t i = 0; i < count; ++i) {
    if (column[i] == 0) return Bad("a trace has no rows");
    traces[i].rows = static_cast<std::uint32_t>(column[i]);
  }
  FLUORO_CHECK_OK(DecodeIntsBelow(in, std::uint64_t{1} << 32, column));
  for (std::size_t i = 0; i < count; ++i) traces[i].appends = static_cast<std::uint32_t>(column[i]);
  FLUORO_CHECK_OK(DecodeIntsBelow(in, std::uint64_t{1} << 32, column));
  for (std::size_t i = 0; i < count; ++i) traces[i].flags = static_cast<std::uint32_t>(column[i]);
  return traces;
}

}  // namespace

Result<std::vector<TraceEntry>> DecodeTraces(std::string_view bytes, std::uint64_t count,
                                             std::uint64_t rows) {
  ByteReader in(bytes);
  FLUORO_TRY(std::vector<TraceEntry> traces, TakeTraces(in, count, rows));
  std::uint64_t row = 0;
  for (TraceEntry& trace : traces) {
    trace.first_row = row;
    row += trace.rows;
    if (row > rows) return Bad("its traces do not fit its rows");
  }
  if (row != rows) return Bad("its traces do not fill its rows");
  return traces;
}

Result<std::vector<TraceEntry>> DecodePlacedTraces(std::string_view bytes, std::uint64_t count,
                                                   std::uint64_t rows) {
  ByteReader in(bytes);
  FLUORO_TRY(std::vector<TraceEntry> traces, TakeTraces(in, count, rows));
  std::vector<std::uint64_t> steps(traces.size());
  FLUORO_CHECK_OK(DecodeInts(in, steps));
  std::uint64_t row = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    TraceEntry& trace = traces[i];
    trace.first_row = row + static_cast<std::uint64_t>(UnZigZag(steps[i]));
    if (trace.first_row > rows || trace.rows > rows - trace.first_row)
      return Bad("its traces do not fit its rows");
    row = trace.first_row + trace.rows;
  }
  return traces;
}

Result<std::vector<std::uint32_t>> DecodeTraceIndex(std::string_view bytes,
                                                    const std::vector<TraceEntry>& traces) {
  ByteReader in(bytes);
  std::vector<std::uint64_t> order(traces.size());
  FLUORO_CHECK_OK(DecodeIntsBelow(in, std::max<std::size_t>(traces.size(), 1), order));
  for (std::size_t i = 1; i < order.size(); ++i) {
    const TraceEntry& before = traces[order[i - 1]];
    const TraceEntry& here = traces[order[i]];
    if (std::tie(here.id, order[i]) <= std::tie(before.id, order[i - 1]))
      return Bad("its ids are not in order");
  }
  return std::vector<std::uint32_t>(order.begin(), order.end());
}

Result<void> DecodeSealedLsns(std::string_view bytes, std::uint64_t block_lsn,
                              std::vector<TraceEntry>& traces) {
  ByteReader in(bytes);
  std::vector<std::uint64_t> behind(traces.size());
  FLUORO_CHECK_OK(DecodeInts(in, behind));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    if (behind[i] > block_lsn) return Bad("a trace's sealed LSN is below zero");
    traces[i].sealed_lsn = block_lsn - behind[i];
  }
  return {};
}

std::string EncodeReasons(const std::vector<model::Kept>& reasons) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutVarint(reasons.size());
  for (const model::Kept& kept : reasons) {
    out.PutText(kept.reason);
    out.PutFixed64(std::bit_cast<std::uint64_t>(kept.probability));
  }
  return bytes;
}

namespace {

Result<std::vector<model::Kept>> TakeReasons(ByteReader& in) {
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left() / 9));
  std::vector<model::Kept> reasons(count);
  for (model::Kept& kept : reasons) {
    FLUORO_TRY(const std::string_view reason, in.TakeText());
    FLUORO_TRY(const std::uint64_t probability, in.TakeFixed64());
    kept = {.reason = std::string(reason), .probability = std::bit_cast<double>(probability)};
    if (!(kept.probability > 0 && kept.probability <= 1))
      return Bad("a trace was kept with no probability");
  }
  return reasons;
}

}  // namespace

Result<std::vector<model::Kept>> DecodeReasons(std::string_view bytes) {
  ByteReader in(bytes);
  return TakeReasons(in);
}

Result<std::vector<model::Kept>> DecodeKept(std::string_view bytes,
                                            std::vector<TraceEntry>& traces) {
  ByteReader in(bytes);
  FLUORO_TRY(std::vector<model::Kept> reasons, TakeReasons(in));
  std::vector<std::uint64_t> codes(traces.size());
  FLUORO_CHECK_OK(DecodeIntsBelow(in, reasons.size() + 1, codes));
  for (std::size_t i = 0; i < traces.size(); ++i)
    traces[i].kept = static_cast<std::uint32_t>(codes[i]);
  return reasons;
}

namespace {

constexpr std::size_t kFilterBlockBytes = 32;
constexpr std::array<std::uint32_t, 8> kFilterSalts{0x47b6137bU, 0x44974d91U, 0x8824ad5bU,
                                                    0xa2b7289dU, 0x705495c7U, 0x2df1424bU,
                                                    0x9efc4947U, 0x5c6bfb31U};

std::size_t FilterBlock(std::uint64_t hash, std::size_t bytes) {
  return static_cast<std::size_t>(((hash >> 32) * (bytes / kFilterBlockBytes)) >> 32) *
         kFilterBlockBytes;
}

std::uint32_t FilterMask(std::uint64_t hash, std::size_t word) {
  return 1U << ((static_cast<std::uint32_t>(hash) * kFilterSalts[word]) >> 27);
}

}  // namespace

std::string TraceFilter::Encode(const std::vector<TraceEntry>& traces) {
  std::string bytes((traces.size() * 12 / 256 + 1) * kFilterBlockBytes, '\0');
  for (const TraceEntry& trace : traces) {
    const std::uint64_t hash = Hash(trace.id);
    char* block = bytes.data() + FilterBlock(hash, bytes.size());
    for (std::size_t word = 0; word < 8; ++word) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, block + word * 4, 4);
      bits |= FilterMask(hash, word);
      std::memcpy(block + word * 4, &bits, 4);
    }
  }
  return bytes;
}

Result<TraceFilter> TraceFilter::Decode(std::string bytes) {
  if (bytes.empty() || bytes.size() % kFilterBlockBytes != 0)
    return Bad("its filter has a wrong size");
  TraceFilter filter;
  filter.words_ = std::move(bytes);
  return filter;
}

std::uint64_t TraceFilter::Hash(const model::TraceId& id) {
  return XXH3_64bits(id.bytes.data(), 16);
}

bool TraceFilter::MayContain(std::uint64_t hash) const {
  const char* block = words_.data() + FilterBlock(hash, words_.size());
  for (std::size_t word = 0; word < 8; ++word) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, block + word * 4, 4);
    if ((bits & FilterMask(hash, word)) == 0) return false;
  }
  return true;
}

std::string EncodeServices(const RowGroupBuilder::Operations& operations) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutVarint(operations.size());
  for (const auto& [service, names] : operations) {
    out.PutText(service);
    out.PutVarint(names.size());
    for (const TraceStore::Operation& operation : names) {
      out.PutText(operation.name);
      out.PutU8(static_cast<std::uint8_t>(operation.kind));
    }
  }
  return bytes;
}

Result<RowGroupBuilder::Operations> DecodeServices(std::string_view bytes) {
  ByteReader in(bytes);
  RowGroupBuilder::Operations operations;
  FLUORO_TRY(const std::uint64_t services, in.TakeCount(in.left()));
  for (std::uint64_t i = 0; i < services; ++i) {
    FLUORO_TRY(const std::string_view service, in.TakeText());
    auto& names = operations[std::string(service)];
    FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left()));
    for (std::uint64_t j = 0; j < count; ++j) {
      FLUORO_TRY(const std::string_view name, in.TakeText());
      FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
      names.insert({.name = std::string(name), .kind = static_cast<model::SpanKind>(kind)});
    }
  }
  return operations;
}

std::string BlockFileName(std::uint64_t id) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(id));
  return std::string(digits) + ".flb";
}

std::string DeletionFileName(std::uint64_t id) { return BlockFileName(id).substr(0, 16) + ".del"; }

std::string RewrapFileName(std::uint64_t id) { return BlockFileName(id).substr(0, 16) + ".key"; }

bool ParseBlockFileName(std::string_view name, std::uint64_t& id) {
  if (name.size() != 20 || !name.ends_with(".flb")) return false;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, id, 16);
  return error == std::errc() && end == name.data() + 16;
}

std::string EncodeDeletions(const std::vector<model::TraceId>& sorted_ids) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutFixed64(kDeletionMagic);
  out.PutFixed16(1);
  out.PutFixed16(0);
  out.PutFixed32(static_cast<std::uint32_t>(sorted_ids.size()));
  for (const model::TraceId& id : sorted_ids) out.PutRaw(id.bytes.data(), 16);
  out.PutFixed64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

Result<std::vector<model::TraceId>> DecodeDeletions(std::string_view bytes) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint64_t magic, in.TakeFixed64());
  FLUORO_TRY(const std::uint16_t major, in.TakeFixed16());
  FLUORO_CHECK_OK(in.TakeFixed16());
  FLUORO_TRY(const std::uint32_t count, in.TakeFixed32());
  if (magic != kDeletionMagic) return Fail(ErrorCode::kCorruption, "deletions: wrong magic");
  if (major > 1) return Fail(ErrorCode::kUnsupported, "deletions: written by a newer program");
  FLUORO_TRY(const std::string_view ids, in.Take(std::uint64_t{16} * count));
  FLUORO_TRY(const std::uint64_t sum, in.TakeFixed64());
  if (!in.done() || sum != XXH3_64bits(bytes.data(), bytes.size() - 8)) {
    return Fail(ErrorCode::kCorruption, "deletions: wrong sum");
  }
  std::vector<model::TraceId> out(count);
  for (std::size_t i = 0; i < out.size(); ++i)
    std::memcpy(out[i].bytes.data(), ids.data() + i * 16, 16);
  return out;
}

}  // namespace fluoro::store
