// The service graph's samples of traces that stand in blocks, and of those that go on in the head.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "rollup/facts.h"
#include "rollup/trace_sampler.h"
#include "store/embedded/block.h"
#include "store/embedded/graph_columns.h"
#include "store/embedded/head.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {

/// Standing rows of one trace, as facts.
struct GraphTrace {
  std::vector<rollup::TraceRow> rows;
  std::vector<rollup::TraceRowLink> links;
};

/// Remembers what spans mean from use to use. Not thread-safe.
class GraphReader {
 public:
  /// @param cache  for row groups that must be read whole; outlives the reader.
  explicit GraphReader(BlockCache& cache) : cache_(cache), sampler_(facts_), columns_(facts_) {}

  [[nodiscard]] const rollup::KeyTable& keys() const { return facts_.keys(); }

  /// Samples the traces of a row group that stand in it whole and that `wants` (asked by place in
  /// the table). Returns bytes read. Errors: kCorruption, kIo; samples may have been added.
  Result<std::uint64_t> SampleGroup(const std::shared_ptr<Block>& block,
                                    const std::shared_ptr<const TraceTable>& table,
                                    std::uint32_t group,
                                    const std::function<bool(std::uint32_t)>& wants,
                                    rollup::SampleSink& sink);
  /// Reads a row group that is being written. False: as GraphColumns::Read. Errors: kCorruption.
  Result<bool> ReadWritten(std::span<const TraceRun> runs, const ColumnReader& column);
  /// After it, samples the trace whose rows are [first, first + trace.rows.size()) of the row
  /// group, in order.
  void SampleWritten(std::size_t first, const TraceRows& trace, rollup::SampleSink& sink);
  /// What the trace that was sampled last is as a whole, if it was joined (TraceSampler::Tell).
  bool Tell(rollup::TraceFacts& to) const { return sampler_.Tell(to); }
  [[nodiscard]] const rollup::FactsTable& facts() const { return facts_; }
  /// Samples a trace of which everything is in the head. Rows may repeat spans. Its batches must
  /// live until ForgetBatches, as those of the heads of SamplePieces.
  void SampleHead(const TraceRows& trace, rollup::SampleSink& sink);

  /// Likewise, if each span stands in it once (model::StandingSpans). Its batches must live until
  /// ForgetBatches.
  void SampleStanding(const TraceRows& trace, rollup::SampleSink& sink);
  /// Batches whose rows were sampled may go after this.
  void ForgetBatches() { sampler_.Forget(); }

  /// A trace in several pieces. Its samples are asked for by how many pieces are joined: those of
  /// blocks in the order of Fragments, then that of the head.
  struct Pieces {
    Fragments fragments;
    /// Joined pieces, with the sink for them; null: not wanted. One longer than there are pieces.
    std::vector<rollup::SampleSink*> sinks;
  };
  /// Reads each row group once. Errors: kCorruption, kIo; samples may have been added.
  Result<void> SamplePieces(std::span<Pieces> traces);
  /// Traces for one call of SamplePieces together hold at most about so many rows.
  static constexpr std::uint64_t kPiecesRowsMax = 200'000;
  static std::uint64_t RowsOf(const Fragments& fragments);

  [[nodiscard]] std::uint64_t assembled_traces() const { return sampler_.assembled_traces(); }
  [[nodiscard]] std::uint64_t spans_read() const { return spans_read_; }

 private:
  struct Loaded {
    std::vector<rollup::TraceRow> rows;
    std::vector<std::uint64_t> flags;
    std::vector<rollup::TraceRowLink> links;
    std::vector<std::size_t> ends;  ///< rows up to the end of each piece
  };
  /// One piece of one trace, in one row group.
  struct Part {
    const Fragments::InBlock* in_block = nullptr;
    BlockRows rows;
    std::size_t trace = 0;
    std::size_t first = 0;  ///< of the trace's rows
  };
  Result<void> ReadGroup(const Block& block, const TraceTable& table, std::uint32_t group,
                         GraphColumns::Ids ids, std::uint64_t& bytes);
  Result<void> LoadParts(std::span<Part> parts, std::span<Loaded> loaded);
  void SampleRun(std::size_t first, std::size_t rows, const rollup::TraceSampler::MakeTrace& make,
                 rollup::SampleSink& sink);
  void SampleRows(rollup::SampleSink& sink);
  void LoadHead(const TraceRows& trace, Loaded& loaded);
  void SampleJoined(const Pieces& pieces, const Loaded& loaded, std::size_t joined,
                    rollup::SampleSink& sink);
  std::shared_ptr<const model::Trace> Assemble(const Fragments& fragments);

  BlockCache& cache_;
  rollup::FactsTable facts_;
  rollup::TraceSampler sampler_;
  GraphColumns columns_;
  std::uint64_t spans_read_ = 0;
  rollup::IdIndex index_;
  std::vector<rollup::JoinLink> join_links_;
  GraphTrace joined_;
  std::vector<rollup::TraceSampler::Row> head_rows_;
  std::vector<model::SpanKey> span_keys_;
  std::vector<std::uint32_t> place_of_;
};

}  // namespace fluoro::store
