// The trace table of a block in pages, so that one trace is found without reading the others: pages
// of entries in order of (start, id), and pages of ids in order that say which entry is whose. The
// first id of each of the latter stands in the footer. docs/formats/block.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/embedded/block_format.h"

namespace fluoro::store {

/// Entries or ids of a page; the last one holds the rest. Some ten kilobytes.
inline constexpr std::uint32_t kTracesPerPage = 512;

/// Entries that follow each other in the table, without their ids.
/// @param block_lsn  the block's sealed_lsn, which none of the entries' exceeds.
std::string EncodeTracePage(std::span<const TraceEntry> traces, std::uint64_t block_lsn);

/// What is known of the block around a page.
struct TracePageBounds {
  std::uint64_t rows = 0;  ///< of the block, whether they belong to a trace or not
  std::uint64_t block_lsn = 0;
  std::size_t reasons = 0;  ///< for which its traces were kept
};
/// Fills in all but the ids. Errors: kCorruption, kUnsupported: also where an entry's rows lie
/// outside the block, starts are not in order, or a reason is not there.
Result<void> DecodeTracePage(std::string_view bytes, const TracePageBounds& bounds,
                             std::span<TraceEntry> traces);

/// Ids in order, equal ones (parts of one trace) in order of place.
struct IdPage {
  std::vector<model::TraceId> ids;
  std::vector<std::uint32_t> places;  ///< in the table, of each
};
std::string EncodeIdPage(const IdPage& page);
/// @param count  of ids. `traces`: entries of the table, below which every place is.
/// Errors: kCorruption, kUnsupported: also where they are not in order.
Result<IdPage> DecodeIdPage(std::string_view bytes, std::size_t count, std::uint64_t traces);

/// Pages of ids that can hold an id: [first, second). Parts of one trace may stand in several.
/// @param first_ids  of each page, in order.
std::pair<std::size_t, std::size_t> PagesOf(std::span<const model::TraceId> first_ids,
                                            const model::TraceId& id);

}  // namespace fluoro::store
