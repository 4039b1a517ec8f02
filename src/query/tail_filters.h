// What tail policies (sampling/tail_policy.h) look at in a trace: filters and outcomes evaluated,
// entry route and shape as hashes. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/assembly.h"
#include "model/span_batch.h"
#include "query/filter.h"
#include "query/root_request.h"
#include "query/sieve.h"
#include "sampling/tail_judge.h"
#include "sampling/tail_policy.h"

namespace fluoro::query {

/// Tail policies with their filters parsed. Immutable, thread-safe.
class TailFilters {
 public:
  /// Errors: kInvalidArgument, "TailPolicies[2].Filter: ..."; those of the filter.
  static Result<TailFilters> Compile(sampling::TailPolicies policies,
                                     const Filter::Options& options = {});
  [[nodiscard]] const sampling::TailPolicies& policies() const { return policies_; }
  /// Bit i: the filter of policy i holds. Evaluates all of them.
  [[nodiscard]] std::uint64_t Matching(const TraceView& view) const;

 private:
  friend class TailScan;
  struct Asked {
    std::size_t policy = 0;
    Filter filter;
    Sieve sieve;
  };
  sampling::TailPolicies policies_;
  std::vector<Asked> asked_;  ///< policies that have a filter
  Sieve failure_;             ///< of `error OR fault OR throttle`
};

/// One trace as policies see it.
struct TailTrace {
  sampling::TailFacts facts;  ///< without arrival_ns
  std::string route;          ///< entry service, a blank, templated route; cut to kRouteBytesMax
  RootRequest root{};         ///< of the entry span
};
inline constexpr std::size_t kRouteBytesMax = 256;

/// The span by which the trace was entered: without parent, else the earliest. Null: it has none.
const model::Span* EntryOf(const model::Trace& trace);

/// Of a trace that is held whole; of a part what the part shows.
TailTrace TailTraceOf(const TailFilters& filters, const TraceView& view);

/// Of a trace of which only this is known any more.
sampling::TailFacts FactsOfDropped(std::string_view route, std::uint64_t shape,
                                   std::int64_t duration_ns, std::int64_t arrival_ns);

/// Bits of sampling::TailOutcome: some segment, subsegment or inferred segment is a fault, an error
/// or throttled; some span tells of a timeout (genai field `timeout`).
std::uint8_t TailOutcomesOf(const model::AssembledTrace& trace);

/// The same by rows, without making objects of them, for traces of which nothing went wrong and
/// which no filter can match; that is, for most. Not thread-safe. The filters must outlive it.
class TailScan {
 public:
  explicit TailScan(const TailFilters& filters) : filters_(filters) {}
  void Begin();
  /// One standing span of the trace. The batch is held until another few were given.
  void Add(const std::shared_ptr<const model::SpanBatch>& batch, std::uint32_t row);
  /// Some filter or outcome may hold: only the whole trace can tell.
  [[nodiscard]] bool MayHold() const;
  /// Filters and outcomes as if none held. At least one row was given.
  [[nodiscard]] TailTrace Finish() const;

 private:
  struct Batch {
    std::shared_ptr<const model::SpanBatch> batch;
    std::vector<BatchSieve> sieves;       ///< by filters_.asked_, then failure_
    std::vector<std::uint8_t> keys;       ///< KeyUse of each key
    std::vector<std::uint64_t> services;  ///< hashes, by resource
  };
  Batch& BatchOf(const std::shared_ptr<const model::SpanBatch>& batch);
  [[nodiscard]] static bool MayTellTimeout(const Batch& of, std::uint32_t row);

  const TailFilters& filters_;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<std::vector<bool>> holds_;  ///< by sieve, by probe
  bool may_time_out_ = false;
  std::vector<std::uint64_t> operations_;  ///< hashes, some of them repeated
  std::int64_t start_ns_ = INT64_MAX;
  std::int64_t end_ns_ = INT64_MIN;
  bool entry_has_parent_ = true;
  std::int64_t entry_start_ns_ = INT64_MAX;
  std::shared_ptr<const model::SpanBatch> entry_batch_;
  std::uint32_t entry_row_ = 0;
};

}  // namespace fluoro::query
