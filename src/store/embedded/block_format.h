// Bytes of a block file. docs/formats/block.md.
//
// block   := header (64 bytes) section* footer trailer (40 bytes)
// header  := magic:8 major:2 minor:2 zero:4 id:8 zero:40
// footer  := field*            field := tag:varint length:varint bytes
// trailer := offset:8 length:8 footer_sum:8 major:2 minor:2 zero:4 magic:8
// An encrypted block has major 2, in its header sealed_lsn:8 behind the id, and behind that an
// envelope.
// Sections and fields of unknown type are skipped, so that later versions add without breaking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/ids.h"
#include "model/span.h"
#include "store/embedded/file_cipher.h"
#include "store/embedded/lsn_ranges.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

inline constexpr std::size_t kBlockHeaderBytes = 64;
inline constexpr std::size_t kBlockTrailerBytes = 40;
inline constexpr std::uint16_t kBlockMajor = 1;
/// 0: the trace table in sections 3, 4, 7, 8 and 10. 1: in pages; texts of kind 2. 2: with
/// summaries of traces.
inline constexpr std::uint16_t kBlockMinor = 2;
inline constexpr std::uint16_t kEncryptedBlockMajor = 2;
inline constexpr std::size_t kEncryptedBlockHeaderBytes =
    kBlockHeaderBytes + crypto::kEnvelopeBytes;
/// A page of a trace table.
inline constexpr std::uint64_t kPageTracesMax = 65'536;
/// A section after decompression.
inline constexpr std::uint64_t kSectionRawBytesMax = std::uint64_t{2} << 30;

/// Stored: never renumber.
enum class SectionType : std::uint8_t {
  kColumn = 1,        ///< one column of a row group
  kPack = 2,          ///< several small columns: (id:varint length:varint bytes)*
  kTraces = 3,        ///< trace table in order of start; minor 0, as 4, 7 and 8
  kTraceIndex = 4,    ///< places in the trace table in order of id
  kTraceFilter = 5,   ///< which ids may be here
  kServices = 6,      ///< services and their span names
  kSealedLsns = 7,    ///< ints: the block's sealed_lsn less the trace's; absent: all 0
  kPlacedTraces = 8,  ///< instead of kTraces where rows do not stand in the table's order
  kRollup = 9,        ///< sums by minute: column 0 the header, the others chunks (rollup_section.h)
  kKept = 10,         ///< why traces were kept, and with what probability; minor 0: also which
  kSkeletons = 11,    ///< what stays of traces that were dropped: a column a chunk (skeleton.h)
  kTracePage = 12,    ///< entries of the trace table: a column a page (trace_pages.h)
  kIdPage = 13,       ///< ids of the trace table in order: likewise
  kZones = 14,        ///< what a row group holds at all (row_group_index.h)
  kFilter = 15,       ///< of one of its columns: which texts; column: place among the zones'
  kCalls =
      16,  ///< sums of calls by minute: column 0 the header, the others chunks (call_section.h)
  kCallHours = 18,  ///< the same by hour, by each of rollup::kCallFacets (CallPart)
  kSummaries = 17,  ///< of traces: column 0 the header, the others pages (summary_pages.h)
};
enum class SectionCodec : std::uint8_t { kNone = 0, kZstd = 1 };

struct Section {
  SectionType type = SectionType::kColumn;
  SectionCodec codec = SectionCodec::kNone;
  std::uint32_t row_group = 0;
  std::uint32_t column = 0;
  std::uint64_t offset = 0;
  std::uint64_t stored = 0;
  std::uint64_t raw = 0;
  std::uint64_t sum = 0;  ///< XXH3-64 of the stored bytes, seeded with the offset
};

/// XXH3-64 of the stored bytes, seeded so that sections cannot change places or files.
std::uint64_t SectionSum(std::string_view stored, std::uint64_t block_id, std::uint64_t offset);

/// What a footer says.
struct BlockMeta {
  std::uint64_t id = 0;
  std::uint32_t level = 0;  ///< 0: sealed from the head; 1, 2: merged
  /// Place among the blocks in order of arrival: the lowest of the blocks merged into it, its own
  /// id if sealed from the head.
  std::uint64_t order = 0;
  std::int64_t created_ns = 0;
  /// The highest of its traces; in a block sealed from the head that of all of them.
  std::uint64_t sealed_lsn = 0;
  std::uint64_t spans = 0;        ///< rows that belong to a trace of the table
  std::uint64_t traces = 0;       ///< entries of the table
  std::int64_t start_ns_min = 0;  ///< of traces
  std::int64_t start_ns_max = 0;
  std::int64_t end_ns_max = 0;
  std::int64_t arrival_ns_min = 0;
  std::int64_t arrival_ns_max = 0;
  model::TraceId id_min;
  model::TraceId id_max;
  /// When tail policies judged its traces, but for those that wait for younger pieces; 0: never.
  std::int64_t judged_ns = 0;
  std::uint64_t skeletons = 0;  ///< in all its sections of that type
  /// The calls of its traces are in its sections of type kCalls; if it has none there are none.
  bool calls_summed = false;
  std::vector<std::uint64_t> replaces;    ///< blocks merged into this one, and into those
  std::vector<std::uint64_t> row_groups;  ///< rows of each
  std::vector<Section> sections;
  /// Entries a page of the trace table; 0: it is not in pages.
  std::uint32_t page_traces = 0;
  std::vector<model::TraceId> page_ids;  ///< the first of each page of ids
  /// LSNs up to sealed_lsn of which it holds nothing: of log files without a key when it was
  /// sealed.
  LsnRanges left_out;
};

std::string EncodeBlockHeader(std::uint64_t id, std::uint16_t minor = kBlockMinor);
/// @param minor  that of the trailer.
Result<void> CheckBlockHeader(std::string_view bytes, std::uint64_t id, std::uint16_t minor);

/// What an encrypted block begins with, readable without a key.
struct EncryptedBlockHeader {
  std::uint64_t id = 0;
  std::uint64_t sealed_lsn = 0;
  crypto::Envelope envelope;
};
/// kEncryptedBlockHeaderBytes long.
std::string EncodeBlockHeader(const EncryptedBlockHeader& header);
/// Errors: kCorruption, kUnsupported.
Result<EncryptedBlockHeader> DecodeBlockHeader(std::string_view bytes);
std::string EncodeFooter(const BlockMeta& meta);
/// Checks counts and that every section lies between header and footer. Errors: kCorruption.
Result<BlockMeta> DecodeFooter(std::string_view bytes, std::uint64_t footer_offset);

struct Trailer {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sum = 0;
  std::uint16_t minor = kBlockMinor;
  std::uint16_t major = kBlockMajor;  ///< kEncryptedBlockMajor: the footer is sealed
};
std::string EncodeTrailer(const Trailer& trailer);
/// Sum of a footer: covers the trailer's own numbers too.
std::uint64_t FooterSum(std::string_view footer, const Trailer& trailer);
/// Errors: kCorruption; kUnsupported for a newer major version.
Result<Trailer> DecodeTrailer(std::string_view bytes, std::uint64_t file_bytes);

/// What a section and the footer of an encrypted block are bound to. The header's first
/// kBlockHeaderBytes.
std::string WhatSectionIs(const Section& section);
std::string WhatFooterIs(std::string_view header, const Trailer& trailer);

/// A block's data key wrapped anew: <id>.key beside it, instead of the envelope inside.
/// key := magic:8 first_nonce:12 zero:4 envelope:208 sum:8
struct Rewrap {
  crypto::Nonce first_nonce{};  ///< of the envelope inside the block that it stands for
  crypto::Envelope envelope;
};
std::string EncodeRewrap(const Rewrap& rewrap);
/// Errors: kCorruption, kUnsupported.
Result<Rewrap> DecodeRewrap(std::string_view bytes);

/// One trace (or its part in this block).
struct TraceEntry {
  model::TraceId id;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t first_arrival_ns = 0;
  std::int64_t last_arrival_ns = 0;
  std::uint64_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t appends = 0;
  std::uint32_t flags = 0;  ///< TraceFlag
  /// Rows of the trace with LSN up to this are in blocks: replay skips them.
  std::uint64_t sealed_lsn = 0;
  /// 0: no tail policy judged it yet; else 1 + place among the reasons of its block's table.
  std::uint32_t kept = 0;
};
enum TraceFlag : std::uint32_t { kTraceLimitExceeded = 1U << 0 };

// The trace table as minor version 0 has it; what is written now is trace_pages.h.

/// Entries in order of (start, id), whose rows follow each other. Errors: kCorruption, also when
/// the rows do not add up to `rows`.
Result<std::vector<TraceEntry>> DecodeTraces(std::string_view bytes, std::uint64_t count,
                                             std::uint64_t rows);
/// Entries in order of (start, id), whose rows stand anywhere. Rows between them belong to nothing.
/// Errors: kCorruption, also when rows lie beyond `rows`. Whether they overlap the caller must see.
Result<std::vector<TraceEntry>> DecodePlacedTraces(std::string_view bytes, std::uint64_t count,
                                                   std::uint64_t rows);
/// Errors: kCorruption, also when the ids are not in order. Parts of one trace stand together.
Result<std::vector<std::uint32_t>> DecodeTraceIndex(std::string_view bytes,
                                                    const std::vector<TraceEntry>& traces);
/// Fills in the traces' sealed_lsn, which is given against the block's. Errors: kCorruption.
Result<void> DecodeSealedLsns(std::string_view bytes, std::uint64_t block_lsn,
                              std::vector<TraceEntry>& traces);
/// Fills in TraceEntry::kept and returns the reasons. Errors: kCorruption.
Result<std::vector<model::Kept>> DecodeKept(std::string_view bytes,
                                            std::vector<TraceEntry>& traces);

/// Why traces of a block were kept; TraceEntry::kept says which for what.
std::string EncodeReasons(const std::vector<model::Kept>& reasons);
/// Errors: kCorruption.
Result<std::vector<model::Kept>> DecodeReasons(std::string_view bytes);

/// A split-block Bloom filter: 12 bits an id, about 0.5 % false hits, one cache line a probe.
class TraceFilter {
 public:
  static std::string Encode(const std::vector<TraceEntry>& traces);
  /// Errors: kCorruption.
  static Result<TraceFilter> Decode(std::string bytes);
  /// Of an id, for every filter.
  static std::uint64_t Hash(const model::TraceId& id);
  [[nodiscard]] bool MayContain(std::uint64_t hash) const;
  [[nodiscard]] bool MayContain(const model::TraceId& id) const { return MayContain(Hash(id)); }
  [[nodiscard]] std::size_t bytes() const { return words_.size(); }

 private:
  std::string words_;
};

std::string EncodeServices(const RowGroupBuilder::Operations& operations);
Result<RowGroupBuilder::Operations> DecodeServices(std::string_view bytes);

std::string BlockFileName(std::uint64_t id);
std::string DeletionFileName(std::uint64_t id);
std::string RewrapFileName(std::uint64_t id);
/// False: not the name of a block.
bool ParseBlockFileName(std::string_view name, std::uint64_t& id);

/// The deleted traces of one block: <id>.del beside it.
/// del := magic:8 major:2 minor:2 count:4 id:16* sum:8
std::string EncodeDeletions(const std::vector<model::TraceId>& sorted_ids);
Result<std::vector<model::TraceId>> DecodeDeletions(std::string_view bytes);

}  // namespace fluoro::store
