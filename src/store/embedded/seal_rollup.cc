#include "store/embedded/seal_rollup.h"

#include "base/assert.h"
#include "base/log.h"
#include "store/embedded/rollup_section.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

SealRollup::SealRollup(EmbeddedStoreImpl& store, std::span<const TraceRows> traces,
                       SummaryBuilder& summaries)
    : store_(store),
      reader_(store.seal_reader_),
      traces_(traces),
      summaries_(summaries),
      list_(store.blocks()),
      sums_(rollup::kMinuteNs,
            {.cells_max = store.options_.memory_bytes / 100 / sizeof(rollup::Cell)}),
      sink_(sums_, reader_.keys()),
      minus_(sums_, reader_.keys()) {
  sink_.set_accumulators(&accumulators_);
  minus_.set_sign(-1);
  // Should a read have failed the last time: batches of now may stand where those of then stood.
  reader_.ForgetBatches();
}

void SealRollup::AddRowGroup(std::span<const TraceRun> runs, const ColumnReader& column) {
  if (!result_) return;
  const auto read = [&]() -> Result<bool> {
    FLUORO_CHECK_OK(summaries_.BeginGroup(column));
    return reader_.ReadWritten(runs, column);
  };
  auto covered = read();
  // Traces with that much text are summed from their rows.
  if (!covered && covered.error().code == ErrorCode::kTooLarge) covered = false;
  if (!covered) {
    result_ = std::unexpected(covered.error());
    return;
  }
  std::size_t row = 0;
  for (const TraceRun& run : runs) {
    const TraceRows& trace = traces_[next_];
    const bool is_whole = run.rows == trace.rows.size();
    if (*covered && is_whole && !store_.recent_traces_.MayContain(trace.id)) {
      reader_.SampleWritten(row, trace, sink_);
      if (reader_.Tell(facts_)) summaries_.Add(block_row_ + row, row, facts_, reader_.facts());
      ++next_;
    } else if (next_rows_ += run.rows; next_rows_ == trace.rows.size()) {
      left_.push_back(next_++);
      next_rows_ = 0;
    }
    row += run.rows;
  }
  block_row_ += row;
}

// Of a trace with rows in blocks already the block gets what the rows change: the graph of all less
// that of the earlier ones. The sum over blocks is then the graph of whole traces.
Result<void> SealRollup::AddLeft() {
  accumulators_.Settle();
  sink_.set_accumulators(nullptr);
  std::vector<GraphReader::Pieces> batch;
  std::uint64_t rows = 0;
  const auto read = [&]() -> Result<void> {
    FLUORO_CHECK_OK(reader_.SamplePieces(batch));
    batch.clear();
    rows = 0;
    return {};
  };
  for (const std::size_t place : left_) {
    const TraceRows& trace = traces_[place];
    if (!store_.recent_traces_.MayContain(trace.id)) {
      reader_.SampleStanding(trace, sink_);
      continue;
    }
    auto fragments = EmbeddedStoreImpl::FindIn(*list_, trace.id);
    if (!fragments || fragments->blocks.empty()) {
      // An unreadable part is missing in what is read, too.
      reader_.SampleStanding(trace, sink_);
      continue;
    }
    GraphReader::Pieces pieces{.fragments = *std::move(fragments), .sinks = {}};
    pieces.fragments.head = std::make_unique<TraceRows>(trace);
    pieces.sinks.resize(pieces.fragments.blocks.size() + 2);
    pieces.sinks[pieces.sinks.size() - 2] = &minus_;
    pieces.sinks.back() = &sink_;
    rows += GraphReader::RowsOf(pieces.fragments);
    batch.push_back(std::move(pieces));
    if (rows >= GraphReader::kPiecesRowsMax) FLUORO_CHECK_OK(read());
  }
  return read();
}

Result<void> SealRollup::Write(BlockWriter& writer) {
  FLUORO_CHECK_OK(writer.EndRows());
  if (result_) result_ = AddLeft();
  reader_.ForgetBatches();
  if (!result_) {
    // The block is answered from its spans then.
    log::Warn("store: a block is sealed without sums", {{"why", result_.error().message}});
    return {};
  }
  FLUORO_ASSERT(next_ == traces_.size());
  store_.crowded_out_.Add(static_cast<double>(sums_.crowded_out()));
  RollupEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kRollup, chunk + 1, bytes);
  });
  FLUORO_CHECK_OK(encoder.Add(sums_));
  FLUORO_TRY(const std::string header, encoder.Finish());
  return writer.PutSums(SectionType::kRollup, 0, header);
}

// The traces of the newest blocks, as many as are remembered.
void EmbeddedStoreImpl::RememberTraces() {
  std::size_t left = recent_traces_.room();
  std::vector<std::shared_ptr<const TraceTable>> tables;
  const auto list = blocks();
  for (auto block = list->rbegin(); block != list->rend() && left > 0; ++block) {
    auto table = (*block)->Table();
    if (!table) continue;
    left -= std::min(left, (*table)->traces.size());
    tables.push_back(*std::move(table));
  }
  for (auto table = tables.rbegin(); table != tables.rend(); ++table) {
    for (const TraceEntry& trace : (*table)->traces) recent_traces_.Add(trace.id);
  }
}

}  // namespace fluoro::store
