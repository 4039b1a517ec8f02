// Summaries of the traces of a merged block: those of rows that are copied come with them, those of
// rows that are written anew out of the columns.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "rollup/facts.h"
#include "rollup/join.h"
#include "rollup/trace_facts.h"
#include "store/embedded/block.h"
#include "store/embedded/graph_columns.h"
#include "store/embedded/summary_builder.h"

namespace fluoro::store {

/// Not thread-safe.
class MergeSummaries {
 public:
  explicit MergeSummaries(SummaryBuilder& to) : to_(to), join_(facts_), columns_(facts_) {}

  /// The next input; one whose summaries cannot be read is as one without.
  void AddInput(const Block& block, const TraceTable& table);
  /// A trace of an input whose rows were copied.
  /// @param place  in the input's table. `block_row`: of its first span in the result.
  void Copy(std::size_t input, std::size_t place, std::uint64_t block_row);
  /// Before the first row that is written anew, which has this number in the result.
  void BeginRows(std::uint64_t block_row) { block_row_ = next_row_ = block_row; }
  /// A trace whose rows are written anew.
  void BeginTrace(std::uint32_t rows);
  /// For BlockWriter::SetUseRowGroup. What columns do not tell has no summary.
  void AddRowGroup(std::span<const TraceRun> runs, const ColumnReader& column);

 private:
  struct Input {
    std::shared_ptr<const SummaryTable> summaries;  // null: none
    SummaryBuilder::Places places;
  };
  struct Rows {
    std::uint64_t first = 0;
    std::uint32_t count = 0;
  };
  Result<bool> ReadColumns(std::span<const TraceRun> runs, const ColumnReader& column);
  void AddRun(std::size_t first, std::size_t rows);

  SummaryBuilder& to_;
  std::vector<Input> inputs_;
  std::uint64_t block_row_ = 0;  // the first of the next row group
  std::uint64_t next_row_ = 0;   // of the next trace
  std::deque<Rows> traces_;      // whose rows are not all in row groups yet
  rollup::FactsTable facts_;
  rollup::TraceJoin join_;
  rollup::TraceFacts trace_;
  rollup::IdIndex index_;
  std::vector<rollup::JoinLink> links_;
  GraphColumns columns_;
};

}  // namespace fluoro::store
