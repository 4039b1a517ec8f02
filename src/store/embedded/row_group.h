// A row group: up to 64 Ki spans of whole traces as columns. docs/formats/block.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "model/assembly.h"
#include "model/span_batch.h"
#include "store/embedded/attribute_watch.h"
#include "store/embedded/columns.h"
#include "store/embedded/head.h"
#include "store/trace_store.h"

namespace fluoro::store {

/// Bounds of one row group; the reader refuses more.
inline constexpr std::size_t kRowGroupSpansMax = 65'536;
inline constexpr std::size_t kRowGroupRowsMax = std::size_t{16}
                                                << 20;  ///< events, links, attributes

/// Ids of a row group's columns. Stored: never renumber.
enum class RowColumn : std::uint32_t {
  kCounts = 1,
  kSpanIds = 2,
  kParents = 3,
  kParentIds = 4,
  kStarts = 5,
  kDurations = 6,
  kNames = 7,
  kResources = 8,
  kScopes = 9,
  kKinds = 10,
  kStatuses = 11,
  kSources = 12,
  kFlags = 13,
  kOtelFlags = 14,
  kTraceStates = 15,
  kStatusMessages = 16,
  kDroppedAttributes = 17,
  kDroppedEvents = 18,
  kDroppedLinks = 19,
  kDocuments = 20,
  kResourceRows = 21,
  kScopeRows = 22,
  kEventCounts = 23,
  kEventTimes = 24,
  kEventNames = 25,
  kEventDropped = 26,
  kLinkCounts = 27,
  kLinkIds = 28,
  kLinkRows = 29,
  kAttributeKeys = 30,
  kShapes = 32,      ///< + owner kind
  kOverflow = 40,    ///< + owner kind
  kAttributes = 64,  ///< + index in kAttributeKeys
  // Beside the columns: sections of their own (row_group_index.h).
  kZones = 0x10000,
  kFilters = 0x10001,  ///< + place among the zones' columns
};

/// A column's bytes before compression.
struct EncodedColumn {
  std::uint32_t id = 0;
  std::string bytes;
};

/// Collects traces and encodes them. Not thread-safe.
class RowGroupBuilder {
 public:
  RowGroupBuilder();
  ~RowGroupBuilder();
  /// Before any trace.
  void SetWatch(const AttributeWatch& watch);
  /// Appends spans of one trace; `start_ns` is the trace's earliest start. The batches must live
  /// until Finish.
  void AddTrace(std::int64_t start_ns, std::span<const RowRef> rows);
  [[nodiscard]] std::size_t spans() const;
  /// Sum of RowBytes so far, to cut by.
  [[nodiscard]] std::size_t bytes() const;
  /// What a row adds to its row group, roughly and rather too much.
  [[nodiscard]] static std::size_t RowBytes(const RowRef& row);
  /// Services with the span names seen under them.
  using Operations = std::map<std::string, std::set<TraceStore::Operation>, std::less<>>;
  /// Takes one column; its bytes may be moved from.
  using Sink = std::function<Result<void>(EncodedColumn&)>;
  /// Encodes the columns in order of id, leaving out empty ones, and adds to `operations` what was
  /// seen. The builder is empty afterwards, unless the sink failed: then it is of no more use.
  Result<void> Finish(Operations& operations, const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Rows of one trace inside a row group, or of none.
struct TraceRun {
  model::TraceId id;
  std::int64_t start_ns = 0;
  std::uint32_t rows = 0;
  std::int64_t end_ns = 0;  ///< latest end of the trace's spans
  bool is_gap = false;      ///< what a merge left behind: these rows belong to no trace
};

/// Bytes of a column by its id, empty if the row group has none; borrowed until the call that got
/// this function ends.
using ColumnReader = std::function<Result<std::string_view>(std::uint32_t column)>;

/// Decodes columns into a batch that is safe to read whatever the bytes were.
/// @param columns  by id; borrowed for the call.
/// Errors: kCorruption, kUnsupported (an encoding of a newer version). Pure.
Result<model::SpanBatch> DecodeRowGroup(const std::map<std::uint32_t, std::string_view>& columns,
                                        std::span<const TraceRun> traces);
/// As DecodeRowGroup, but the spans of these rows alone: whole runs, in order; and of resources and
/// scopes those that they have.
/// @param attributes  gives columns of attributes, of which only those are asked for that the rows
///                    have; empty: they are among `columns`.
Result<model::SpanBatch> DecodeRows(const std::map<std::uint32_t, std::string_view>& columns,
                                    std::span<const TraceRun> traces,
                                    std::span<const model::Range> rows,
                                    const ColumnReader& attributes = {});

/// What DecodeSpanKeys reads.
inline constexpr std::array kSpanKeyColumns = {RowColumn::kCounts, RowColumn::kSpanIds,
                                               RowColumn::kParents, RowColumn::kParentIds,
                                               RowColumn::kFlags};
/// The keys alone, in order of rows. As DecodeRowGroup.
Result<std::vector<model::SpanKey>> DecodeSpanKeys(
    const std::map<std::uint32_t, std::string_view>& columns, std::span<const TraceRun> traces);

}  // namespace fluoro::store
