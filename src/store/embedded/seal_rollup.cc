// What sealed traces add to the service graph: summed into the block they are sealed in, so that it
// is counted exactly as often as its block exists.
#include "base/log.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/rollup_section.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

using rollup::Rollup;

// Of a trace with rows in blocks already the block gets what the rows change: the graph of all less
// that of the earlier ones. The sum over blocks is then the graph of whole traces.
Result<Rollup> EmbeddedStoreImpl::SumTraces(std::span<const TraceRows> traces) {
  // Should a read have failed the last time: batches of now may stand where those of then stood.
  seal_reader_.ForgetBatches();
  Rollup sums(rollup::kMinuteNs, {.cells_max = options_.memory_bytes / 100 / sizeof(rollup::Cell)});
  Rollup::Sink sink(sums, seal_reader_.keys());
  Rollup::Sink minus(sums, seal_reader_.keys());
  minus.set_sign(-1);
  std::vector<GraphReader::Pieces> batch;
  std::uint64_t rows = 0;
  const auto list = blocks();
  const auto read = [&]() -> Result<void> {
    FLUORO_CHECK_OK(seal_reader_.SamplePieces(batch));
    batch.clear();
    rows = 0;
    return {};
  };
  for (const TraceRows& trace : traces) {
    if (!recent_traces_.MayContain(trace.id)) {
      seal_reader_.SampleStanding(trace, sink);
      continue;
    }
    auto fragments = FindIn(*list, trace.id);
    if (!fragments || fragments->blocks.empty()) {
      // An unreadable part is missing in what is read, too.
      seal_reader_.SampleStanding(trace, sink);
      continue;
    }
    GraphReader::Pieces pieces{.fragments = *std::move(fragments), .sinks = {}};
    pieces.fragments.head = std::make_unique<TraceRows>(trace);
    pieces.sinks.resize(pieces.fragments.blocks.size() + 2);
    pieces.sinks[pieces.sinks.size() - 2] = &minus;
    pieces.sinks.back() = &sink;
    rows += GraphReader::RowsOf(pieces.fragments);
    batch.push_back(std::move(pieces));
    if (rows >= GraphReader::kPiecesRowsMax) FLUORO_CHECK_OK(read());
  }
  FLUORO_CHECK_OK(read());
  seal_reader_.ForgetBatches();
  crowded_out_.Add(static_cast<double>(sums.crowded_out()));
  return sums;
}

Result<void> EmbeddedStoreImpl::WriteSums(std::span<const TraceRows> traces, BlockWriter& writer) {
  auto sums = SumTraces(traces);
  if (!sums) {
    // The block is answered from its spans then.
    log::Warn("store: a block is sealed without sums", {{"why", sums.error().message}});
    return {};
  }
  RollupEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kRollup, chunk + 1, bytes);
  });
  FLUORO_CHECK_OK(encoder.Add(*sums));
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
