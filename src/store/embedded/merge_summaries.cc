#include "store/embedded/merge_summaries.h"

namespace fluoro::store {
namespace {

class IgnoreSamples : public rollup::SampleSink {
 public:
  void Add(const rollup::NodeSample&) override {}
  void Add(const rollup::EdgeSample&) override {}
  void AddAll(std::span<const rollup::SpanSample>) override {}
};

}  // namespace

void MergeSummaries::AddInput(const Block& block, const TraceTable& table) {
  auto summaries = block.Summaries(table);
  inputs_.push_back({.summaries = summaries ? *std::move(summaries) : nullptr, .places = {}});
}

void MergeSummaries::Copy(std::size_t input, std::size_t place, std::uint64_t block_row) {
  Input& from = inputs_[input];
  if (from.summaries == nullptr) return;
  to_.Copy(block_row, from.summaries->traces[place], from.summaries->texts, from.places);
}

void MergeSummaries::BeginTrace(std::uint32_t rows) {
  traces_.push_back({.first = next_row_, .count = rows});
  next_row_ += rows;
}

Result<bool> MergeSummaries::ReadColumns(std::span<const TraceRun> runs,
                                         const ColumnReader& column) {
  if (facts_.IsFull()) facts_.Clear();
  FLUORO_CHECK_OK(to_.BeginGroup(column));
  return columns_.Read(column, runs, GraphColumns::Ids::kNone);
}

void MergeSummaries::AddRowGroup(std::span<const TraceRun> runs, const ColumnReader& column) {
  const auto covered = ReadColumns(runs, column);
  std::size_t row = 0;
  for (const TraceRun& run : runs) {
    const std::uint64_t first = block_row_ + row;
    while (!traces_.empty() && traces_.front().first + traces_.front().count <= first)
      traces_.pop_front();
    if (covered && *covered && !traces_.empty() && traces_.front().first == first &&
        traces_.front().count == run.rows)
      AddRun(row, run.rows);
    row += run.rows;
  }
  block_row_ += row;
}

void MergeSummaries::AddRun(std::size_t first, std::size_t rows) {
  links_.clear();
  const auto links = columns_.LinksOf(first, rows);
  if (!links.empty()) {
    index_.Build(columns_.ids().subspan(first, rows));
    for (const rollup::TraceRowLink& link : links) {
      links_.push_back(
          {.from = static_cast<std::uint32_t>(link.row - first), .to = index_.Find(link.id)});
    }
  }
  IgnoreSamples nobody;
  const auto spans = columns_.spans().subspan(first, rows);
  if (join_.Run(spans, links_, rollup::TraceJoin::Coverage::kExact, nobody) &&
      join_.Tell(spans, trace_))
    to_.Add(block_row_ + first, first, trace_, facts_);
}

}  // namespace fluoro::store
