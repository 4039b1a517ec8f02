// The one seam between questions and storage. Its contract suite (trace_store_contract.h) runs on
// every implementation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/assembly.h"
#include "model/span_batch.h"
#include "query/plan.h"
#include "query/root_request.h"
#include "rollup/call_sums.h"
#include "rollup/rollup.h"
#include "store/outline.h"

namespace fluoro::store {

/// When Append returns.
enum class Durability : std::uint8_t {
  kSynced,   ///< after fdatasync: acknowledged means durable
  kWritten,  ///< after write; synced within 100 ms (UDP, which has no acknowledgement)
};

/// One match of a search: all fragments, assembled. Of a trace that is too large to be held whole
/// the first part (model::Trace::IsPart), by which alone it was judged.
struct Match {
  const model::AssembledTrace& trace;
  const query::TraceView& view;
};

/// Return false to stop the search.
using Visitor = std::function<bool(const Match&)>;

struct SearchResult {
  std::uint64_t scanned_traces = 0;     ///< examined, matching or not
  std::uint64_t passed_over = 0;        ///< of them, those that were seen not to match unread
  std::uint64_t by_summaries = 0;       ///< of scanned_traces, those that summaries decided alone
  std::uint64_t row_groups = 0;         ///< of which columns were read for that
  std::uint64_t column_bytes = 0;       ///< of these columns, before compression
  std::uint64_t pruned_by_zones = 0;    ///< row groups left out by what they hold at all
  std::uint64_t pruned_by_filters = 0;  ///< and by filters over their texts
  std::uint64_t index_bytes = 0;        ///< read for both, before compression
  std::uint64_t spans_read = 0;         ///< of traces that were read whole
  std::uint64_t cut_traces = 0;       ///< of scanned_traces, those judged by their first part only
  double scanned_share = 1;           ///< examined / candidates in the window
  bool complete = true;               ///< false: stopped by visitor, scan_max, deadline or client
  std::optional<query::Cursor> last;  ///< position of the last trace examined: continue after it
  std::vector<std::string>
      damaged;  ///< blocks that could not be read, with why: the answer is partial
};

/// As Visitor.
using OutlineVisitor = std::function<bool(const Outline&)>;

/// What a service graph or a time series asks of the store.
struct GraphPlan {
  std::int64_t from_ns = INT64_MIN;  ///< segments and calls that end in [from_ns, until_ns)
  std::int64_t until_ns = INT64_MAX;
  /// 0: one sum over the window; else a multiple of a minute.
  std::int64_t period_ns = 0;
  bool from_spans = false;               ///< by every span, not by what was summed before
  std::int64_t deadline_ns = INT64_MAX;  ///< Clock::MonotonicNs
  std::stop_token stop = {};             ///< the client left
};

struct GraphResult {
  rollup::Rollup rollup{0};
  std::uint64_t summed_blocks = 0;     ///< answered by what was summed when they were sealed
  std::uint64_t spans_read = 0;        ///< of traces in blocks
  std::uint64_t assembled_traces = 0;  ///< of them, those that columns could not tell
  std::uint64_t column_bytes = 0;      ///< read for that, before compression
  bool complete = true;                ///< false: stopped by deadline or client
  double scanned_share = 1;            ///< then: of the blocks
  std::vector<std::string>
      damaged;  ///< blocks that could not be read, with why: the answer is partial
};

/// What is asked of the calls of models and tools.
struct CallsPlan {
  std::int64_t from_ns = INT64_MIN;  ///< calls that end in [from_ns, until_ns)
  std::int64_t until_ns = INT64_MAX;
  /// 0: one sum over the window; else a multiple of a minute.
  std::int64_t period_ns = 0;
  std::uint16_t dimensions = rollup::kByAllDimensions;  ///< rollup::CallDimension bits
  std::int64_t deadline_ns = INT64_MAX;                 ///< Clock::MonotonicNs
  std::stop_token stop = {};                            ///< the client left
};

struct CallsResult {
  rollup::CallSums sums{0};
  std::uint64_t summed_blocks = 0;  ///< answered by what was summed when they were sealed
  std::uint64_t traces_read = 0;    ///< of which the spans were asked
  bool complete = true;             ///< false: stopped by deadline or client
  std::vector<std::string>
      damaged;  ///< blocks that could not be read, with why: the answer is partial
};

struct Usage {
  std::uint64_t traces = 0;  ///< by fragments: a trace in two blocks counts twice
  std::uint64_t spans = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t head_bytes = 0;
  std::uint64_t index_bytes = 0;  ///< of disk_bytes, what is not rows: filters, tables, sums
  std::int64_t oldest_ns = 0;     ///< earliest span start kept; 0 if empty
};

/// What is still known of a trace that a tail policy dropped.
struct DroppedTrace {
  model::TraceId id;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t arrival_ns = 0;  ///< to the second
  std::uint64_t shape = 0;      ///< sampling::TailFacts::shape
  std::string_view route;       ///< query::TailTrace::route
  std::string_view reason;      ///< of the policy by whose fraction it was dropped
  std::uint32_t spans = 0;
  std::uint32_t bytes = 0;    ///< on disk, about
  std::uint8_t outcomes = 0;  ///< sampling::TailOutcome bits
  /// Nullopt: it was dropped by a program that did not keep this, or there was no room.
  std::optional<query::RootRequestView> root = {};
};

/// Thread-safe.
class TraceStore {
 public:
  virtual ~TraceStore() = default;

  /// Takes one batch, whole or not at all. Visible to readers when it returns.
  /// Errors: kUnavailable (overload, read-only, shutting down: retry later), kNoSpace, kTooLarge,
  /// kIo.
  virtual Result<void> Append(model::SpanBatch batch, Durability durability) = 0;

  /// The trace's spans from number `first_span` on: to the end, or as many as one question may hold
  /// in memory; spans_before and spans_after of the answer tell. A part begins and ends where an
  /// X-Ray document does. Null: no such trace. The answer occupies memory that questions share: let
  /// it go before the next is read. Errors: kIo, kCorruption, kUnavailable (other questions hold
  /// the memory).
  virtual Result<std::shared_ptr<const model::Trace>> ReadTrace(const model::TraceId& id,
                                                                std::uint64_t first_span = 0) = 0;

  /// Which of these traces exist, in the order asked. Errors: kIo, kCorruption.
  virtual Result<std::vector<bool>> Exist(std::span<const model::TraceId> ids) = 0;

  /// Visits matching traces, newest start first (ties: larger id first).
  virtual Result<SearchResult> Search(const query::Plan& plan, const Visitor& visitor) = 0;

  /// As Search, for who needs no more of each trace than an outline: a store that keeps summaries
  /// beside the spans does not read these. Unless it does, Search answers.
  virtual Result<SearchResult> List(const query::Plan& plan, const OutlineVisitor& visitor);

  /// Sums of everything ever stored that ended in the window, as X-Ray's service graph counts it
  /// (rollup::SampleTrace of each whole trace). What was deleted by id may still be counted; traces
  /// that were dropped for their age are, minute by minute. Errors: kInvalidArgument (period).
  virtual Result<GraphResult> Graph(const GraphPlan& plan) = 0;

  /// Sums of all calls of models and tools ever stored that ended in the window
  /// (genai::CallFinder of each whole trace). What was deleted or dropped counts as in Graph.
  /// Errors: kInvalidArgument (period).
  virtual Result<CallsResult> Calls(const CallsPlan& plan) = 0;

  /// Visits what is known of traces that started in [from_ns, until_ns) and were dropped by tail
  /// policies, in no order; texts live as long as the call. Return false to stop. Errors: kIo,
  /// kCorruption.
  virtual Result<void> VisitDropped(std::int64_t from_ns, std::int64_t until_ns,
                                    const std::function<bool(const DroppedTrace&)>& visit) = 0;

  /// Distinct service names, sorted; at most `limit`.
  virtual Result<std::vector<std::string>> Services(std::size_t limit) = 0;
  struct Operation {
    std::string name;
    model::SpanKind kind;
    auto operator<=>(const Operation&) const = default;
  };
  /// Distinct span names of a service, sorted; at most `limit`.
  virtual Result<std::vector<Operation>> Operations(std::string_view service,
                                                    std::size_t limit) = 0;

  /// Deletes whole traces; returns how many were found.
  virtual Result<std::uint64_t> Delete(std::span<const model::TraceId> ids) = 0;

  /// Drops data that arrived before this time, at block grain.
  virtual Result<void> DropBefore(std::int64_t arrival_ns) = 0;

  virtual Usage GetUsage() = 0;

  /// Called after each commit, on a store thread, with the batch just made visible. Must return at
  /// once.
  using CommitListener = std::function<void(const std::shared_ptr<const model::SpanBatch>&)>;
  virtual void SetCommitListener(CommitListener listener) = 0;

  /// Seals what is in memory and syncs; later Appends fail with kUnavailable.
  virtual Result<void> Close() = 0;
};

}  // namespace fluoro::store
