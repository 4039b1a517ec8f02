// What was sent to a store and how it answered; and whether what a store holds agrees with that.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/span.h"
#include "store/trace_store.h"

namespace fluoro::crash {

/// Of traces without a fault, those that tail policies keep.
inline constexpr double kThinnedFraction = 0.4;

class Ledger {
 public:
  enum class Fate : std::uint8_t { kDone, kUnknown };

  void Sent(std::vector<model::Span> spans, Fate fate);
  void Deleted(std::vector<model::TraceId> ids, Fate fate);
  /// Traces whose data may or may not have been dropped.
  void MaybeDropped(const std::vector<model::TraceId>& ids);

  /// One line for each disagreement; none is the law. An acknowledged span is there and equal, none
  /// is doubled or unknown, a batch without an answer is whole or absent, a deleted span is gone,
  /// search visits exactly the traces that have spans, and nothing is called damaged.
  [[nodiscard]] std::vector<std::string> Check(store::TraceStore& store) const;
  /// As Check, for a store that lost something and says so: what it still has is right.
  [[nodiscard]] std::vector<std::string> CheckRest(store::TraceStore& store,
                                                   std::uint64_t& missing) const;

  /// What a store that has been checked holds becomes what it must hold from now on: batches and
  /// deletions without an answer have got one by the restart. Errors: a trace cannot be read.
  Result<void> Settle(store::TraceStore& store);

  /// Traces of which no fault is known to be there, and which are not among the fraction that
  /// stays: tail policies as workload.h has them may drop these, and no others.
  [[nodiscard]] std::vector<model::TraceId> IdsThinningMayDrop() const;
  /// Of all traces that were ever sent.
  [[nodiscard]] std::vector<model::TraceId> Ids() const;
  /// Spans that must be there.
  [[nodiscard]] std::size_t wanted_spans() const;

 private:
  struct Batch {
    std::vector<model::Span> spans;
    Fate fate;
    std::size_t step;
  };
  struct Deletion {
    std::size_t step;
    Fate fate;
  };
  enum class Expected : std::uint8_t { kThere, kGone, kEither };
  [[nodiscard]] Expected ExpectedFate(const Batch& batch, const model::Span& span) const;
  std::vector<std::string> CheckTraces(store::TraceStore& store, bool tolerant,
                                       std::uint64_t& missing) const;

  std::vector<Batch> batches_;
  std::map<model::TraceId, std::vector<Deletion>> deletions_;
  std::set<model::TraceId> settled_ids_;  ///< of batches that Settle gave up
  std::size_t step_ = 0;
};

}  // namespace fluoro::crash
