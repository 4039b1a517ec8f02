// The samples of whole traces, from rows of batches or of anything else that knows its facts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/span_batch.h"
#include "rollup/facts.h"
#include "rollup/join.h"
#include "rollup/sample.h"

namespace fluoro::rollup {

/// Places of ids among those of one trace. Reused. Of equal ids the first counts.
class IdIndex {
 public:
  void Build(std::span<const std::uint64_t> ids);
  /// kAbsentParent if it is not there.
  [[nodiscard]] std::int32_t Find(std::uint64_t id) const;

  static std::uint64_t Word(const model::SpanId& id) {
    std::uint64_t word = 0;
    std::memcpy(&word, id.bytes.data(), sizeof word);
    return word;
  }

 private:
  static constexpr std::size_t kFew = 16;
  std::span<const std::uint64_t> ids_;
  std::vector<std::uint32_t> slots_;  ///< place + 1, by hash; 0: free
};

/// One standing span (model::StandingSpans) as the join needs it, before parents are places.
struct TraceRow {
  std::uint64_t id = 0;      ///< IdIndex::Word
  std::uint64_t parent = 0;  ///< likewise; 0: none
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  FactsId facts = 0;
};
/// A span link to an id of the same trace.
struct TraceRowLink {
  std::uint32_t row = 0;
  std::uint64_t id = 0;
};

/// Samples traces one by one; what the join refuses is assembled. Not thread-safe.
class TraceSampler {
 public:
  /// Larger traces are never assembled: they are joined by parents alone.
  static constexpr std::size_t kAssembledSpansMax = 100'000;
  using MakeTrace = std::function<std::shared_ptr<const model::Trace>()>;

  explicit TraceSampler(FactsTable& table) : table_(table), join_(table), describer_(table) {}

  struct Row {
    const model::SpanBatch* batch = nullptr;
    std::uint32_t row = 0;
  };
  /// Standing spans of one trace in order.
  void Sample(std::span<const Row> rows, SampleSink& sink);
  /// @param make  called if the join refuses the trace. Null from it: nothing is added.
  void Sample(std::span<const TraceRow> rows, std::span<const TraceRowLink> links,
              const MakeTrace& make, SampleSink& sink);
  /// Parents and links are places already.
  void Sample(std::span<const JoinSpan> spans, std::span<const JoinLink> links,
              const MakeTrace& make, SampleSink& sink);
  /// What the last trace is as a whole, if it was joined exactly (TraceJoin::Tell). Spans that were
  /// given as JoinSpan must still be there.
  bool Tell(TraceFacts& to) const { return join_.Tell(last_, to); }
  /// Must be called before a batch goes whose address another may take.
  void Forget() { describer_.Forget(); }

  [[nodiscard]] FactsTable& table() { return table_; }
  [[nodiscard]] BatchDescriber& describer() { return describer_; }
  [[nodiscard]] std::uint64_t assembled_traces() const { return assembled_traces_; }

 private:
  FactsTable& table_;
  TraceJoin join_;
  BatchDescriber describer_;
  IdIndex index_;
  std::vector<TraceRow> rows_;
  std::vector<TraceRowLink> row_links_;
  std::vector<std::uint64_t> ids_;
  std::vector<JoinSpan> spans_;
  std::vector<JoinLink> links_;
  std::span<const JoinSpan> last_;
  std::uint64_t assembled_traces_ = 0;
};

}  // namespace fluoro::rollup
